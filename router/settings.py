"""What the environment says, read once and checked: the one place that knows the names of the settings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values

from router.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_DEADLINE: Final = 30.0
"""Seconds: no caller that we know waits longer for a tool (docs/twilio.md, TOOL-LIMITS)."""

LONGEST_PAUSE: Final = 3600.0
"""Seconds between two looks at the files, at the most."""

LONGEST_RETENTION: Final = 3650.0
"""Days: ten years."""

MOST_AT_ONCE: Final = 1_000
"""Handovers that talk with Twilio at the same time, each on a connection of its own."""

MOST_IN_FLIGHT: Final = 100_000
"""Calls that one process keeps in memory."""

_WHOLE: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, by the field's words; each is named in ``docs/settings.md``. Secrets never show in a ``repr``.

    ``public_url`` and ``twilio_url`` are base URLs without a slash at the end, or empty; ``deadline`` and ``poll`` are
    in seconds; ``state`` is None where nothing is to be kept. Without ``plugins_dirs`` plugins stand beside the file.

    ``database_url`` is the ledger's, and may hold a password; for ``retention`` days a finished handover stays there.
    ``concurrency`` handovers talk with Twilio at the same time; beyond ``queue`` calls in flight a new one is answered
    at once.
    """

    account_sid: str = ""
    auth_token: str = field(default="", repr=False)
    auth_token_secondary: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    edge: str = ""
    region: str = ""
    config: Path = Path("routes.yaml")
    public_url: str = ""
    twilio_url: str = ""
    admin_token: str = field(default="", repr=False)
    deadline: float = 4.5
    plugins_dirs: tuple[Path, ...] = ()
    state: Path | None = Path(".handover")
    poll: float = 2.0
    database_url: str = field(default="sqlite:///handovers.db", repr=False)
    retention: float = 90.0
    concurrency: int = 100
    queue: int = 1_000

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """The tokens that a signature may be made with: both, during a rotation."""
        return tuple(token for token in (self.auth_token, self.auth_token_secondary) if token)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read them from ``environ``; raises SettingsError that names the setting and says what is expected."""
        get = {name: value.strip() for name, value in environ.items()}.get
        return cls(
            account_sid=get("TWILIO_ACCOUNT_SID", ""),
            auth_token=get("TWILIO_AUTH_TOKEN", ""),
            auth_token_secondary=get("TWILIO_AUTH_TOKEN_SECONDARY", ""),
            api_key=get("TWILIO_API_KEY", ""),
            api_secret=get("TWILIO_API_SECRET", ""),
            edge=get("TWILIO_EDGE", ""),
            region=get("TWILIO_REGION", ""),
            config=Path(get("HANDOVER_CONFIG", "") or "routes.yaml"),
            public_url=_base_url("HANDOVER_PUBLIC_URL", get("HANDOVER_PUBLIC_URL", "")),
            twilio_url=_base_url("HANDOVER_TWILIO_URL", get("HANDOVER_TWILIO_URL", "")),
            admin_token=get("HANDOVER_ADMIN_TOKEN", ""),
            deadline=_amount("HANDOVER_DEADLINE", get("HANDOVER_DEADLINE", "") or "4.5", LONGEST_DEADLINE, "seconds"),
            plugins_dirs=plugins_directories(environ),
            state=state_directory(environ),
            poll=_pause("HANDOVER_POLL", get("HANDOVER_POLL", "") or "2"),
            database_url=get("HANDOVER_DATABASE_URL", "") or "sqlite:///handovers.db",
            retention=_amount("HANDOVER_RETENTION", get("HANDOVER_RETENTION", "") or "90", LONGEST_RETENTION, "days"),
            concurrency=_count("HANDOVER_CONCURRENCY", get("HANDOVER_CONCURRENCY", "") or "100", MOST_AT_ONCE),
            queue=_count("HANDOVER_QUEUE", get("HANDOVER_QUEUE", "") or "1000", MOST_IN_FLIGHT),
        )


def with_dotenv(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Add what stands in ``directory``'s ``.env``; the environment itself wins."""
    written = dotenv_values(directory / ".env", interpolate=False)
    return {**{name: value for name, value in written.items() if value is not None}, **environ}


def plugins_directories(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Read where plugins are looked for; nothing stands for the directory beside the configuration."""
    named = environ.get("HANDOVER_PLUGINS_DIR", "").strip()
    return tuple(Path(each) for each in named.split(os.pathsep) if each)


def state_directory(environ: Mapping[str, str]) -> Path | None:
    """Read where the last good form of the configuration is kept; None where it is not to be."""
    named = environ.get("HANDOVER_STATE", "").strip() or ".handover"
    return None if named == "none" else Path(named)


def _base_url(name: str, value: str) -> str:
    if not value:
        return ""
    if not _is_base_url(value):
        raise SettingsError(
            f"{name}: expected a base URL such as https://handover.example.com, without user, query or fragment"
        )
    return value.rstrip("/")


def _is_base_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_port = parts.port != 0
    except ValueError:
        return False
    return is_port and parts.scheme in ("http", "https") and bool(parts.hostname) and not set("@?#") & set(value)


def _pause(name: str, value: str) -> float:
    return 0.0 if value == "0" else _amount(name, value, LONGEST_PAUSE, "seconds")


def _amount(name: str, value: str, most: float, unit: str) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = 0.0
    if not 0 < amount <= most:
        raise SettingsError(f"{name}: expected more than 0 and at most {most:g} {unit}, found {value[:20]!r}")
    return amount


def _count(name: str, value: str, most: int) -> int:
    count = int(value) if _WHOLE.fullmatch(value) else 0
    if not 0 < count <= most:
        raise SettingsError(f"{name}: expected a whole number from 1 to {most}, found {value[:20]!r}")
    return count
