"""What the commands about the ledger share: opening the one that the settings name, and no other."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from router.clock import Clock
from router.errors import LedgerError, SettingsError
from router.ledger.durable import DurableLedger
from router.ledger.owner import this_process
from router.settings import Settings, with_dotenv

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def opened_ledger() -> AsyncIterator[DurableLedger]:
    """Open the ledger of HANDOVER_DATABASE_URL; raises SettingsError where there is none, or it does not work."""
    settings = Settings.read(with_dotenv(os.environ, Path.cwd()))
    ledger = DurableLedger(settings.database_url, this_process(), Clock())
    file = ledger.address.file
    if file is not None and not file.exists():
        raise SettingsError(
            f"HANDOVER_DATABASE_URL: there is no ledger at {file} yet; `handover serve` makes it where it is started"
        )
    try:
        async with ledger:
            yield ledger
    except LedgerError as error:
        raise SettingsError(f"the ledger: {error}") from error
