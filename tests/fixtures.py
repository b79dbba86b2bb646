"""What tests of several rooms run against."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from router.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def running_sandbox(**options: Any) -> AsyncIterator[Sandbox]:
    """Serve a sandbox on a free port; ``options`` are those of ``Sandbox``, and its ``url`` says where it is."""
    sandbox = Sandbox(**options)
    async with sandbox.served():
        yield sandbox
