from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures import running_sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Uvicorn, aiohttp and the router itself run on asyncio."""
    return "asyncio"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A stand-in for Twilio, fresh and empty, on a port of its own."""
    async with running_sandbox() as running:
        yield running
