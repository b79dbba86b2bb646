from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit import open_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from router.desk import Desk
    from router.sandbox.sandbox import Sandbox


@pytest.fixture
async def desk(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with the kit's routes and no plugins."""
    async with open_desk(sandbox, tmp_path) as opened:
        yield opened
