from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.kit import running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.web.kit import Router


@pytest.fixture(scope="module")
async def shared_router(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Router]:
    """A router with ``ROUTES`` and its sandbox, for the tests of one module."""
    async with running_router(tmp_path_factory.mktemp("router")) as running:
        yield running


@pytest.fixture
def router(shared_router: Router) -> Iterator[Router]:
    """The router of the module, as good as new, with a conversation that an agent answers."""
    shared_router.begin_anew()
    yield shared_router
    shared_router.check_silence()
