from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Uvicorn, aiohttp and the router itself run on asyncio."""
    return "asyncio"
