from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.fixtures import running_sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.sandbox.sandbox import Sandbox

# How long an example takes depends on what else the machine does, and is no behaviour.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Uvicorn, aiohttp and the router itself run on asyncio."""
    return "asyncio"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A stand-in for Twilio, fresh and empty, on a port of its own."""
    async with running_sandbox() as running:
        yield running
