"""What the environment says, read once and checked: the one place that knows the names of the settings."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from router.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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

NAMES: Final = (
    "HANDOVER_CONFIG",
    "HANDOVER_PUBLIC_URL",
    "HANDOVER_TWILIO_URL",
    "HANDOVER_ADMIN_TOKEN",
    "HANDOVER_PLUGINS_DIR",
    "HANDOVER_POLL",
    "HANDOVER_STATE",
    "HANDOVER_DEADLINE",
    "HANDOVER_DATABASE_URL",
    "HANDOVER_RETENTION",
    "HANDOVER_CONCURRENCY",
    "HANDOVER_QUEUE",
    "HANDOVER_SECRET",
)
"""The settings whose names are ours alone, and the secret that the shipped file names: others are likely slips."""

_EXAMPLES: Final = {
    "HANDOVER_PUBLIC_URL": "https://handover.example.com",
    "HANDOVER_TWILIO_URL": "http://127.0.0.1:4010",
}
_OF_KUBERNETES: Final = re.compile(r"HANDOVER_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")
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
    """Add what stands in ``directory``'s ``.env``; the environment itself wins.

    Raises SettingsError where that file cannot be read, at the line, of which nothing is shown.
    """
    file = directory / ".env"
    if file.is_dir() or not file.exists():
        return dict(environ)
    try:
        written = list(parse_stream(io.StringIO(file.read_text(encoding="utf-8"))))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; let this process read it, or remove it") from error
    except UnicodeError:
        raise SettingsError(f"{file}: expected a text in UTF-8, found other bytes; write it anew") from None
    for each in written:
        if each.error:
            place, found = f"{file}:{each.original.line}", "what is not shown as it may be a secret"
            remedy = "a value with spaces or a # stands in quotes, and a quote that begins must end"
            raise SettingsError(f"{place}: expected NAME=value, found {found}; {remedy}")
    return {**{each.key: each.value for each in written if each.key and each.value is not None}, **environ}


def unknown_names(environ: Mapping[str, str], contents: Iterable[bytes]) -> list[str]:
    """Tell of each ``HANDOVER_…`` in ``environ`` that is no setting and is named nowhere in ``contents``.

    What Kubernetes sets for a service of that name is left out.
    """
    held = tuple(contents)
    told = []
    for name in sorted(environ):
        is_ours = name.startswith("HANDOVER_") and name not in NAMES
        if is_ours and not _OF_KUBERNETES.fullmatch(name) and not any(name.encode() in each for each in held):
            near = get_close_matches(name, NAMES, n=1)
            guess = f"; did you mean {near[0]}?" if near else "; docs/settings.md lists them all"
            told.append(f"{name} is no setting, and the files of the configuration do not name it{guess}")
    return told


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
    fault = _fault_of_url(value)
    if fault:
        expected = f"expected a base URL such as {_EXAMPLES[name]}, without user, query or fragment"
        raise SettingsError(f"{name}: {expected}; found {fault}")
    return value.rstrip("/")


def _fault_of_url(value: str) -> str:
    """Say what makes it no base URL, in words of our own: it may hold a password."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "a host or a port that is none"
    if parts.scheme not in ("http", "https") or not value[len(parts.scheme) :].startswith("://"):
        return "one that does not begin with http:// or https://"
    if set("@?#") & set(value):
        return "one of the characters @ ? #"
    if not parts.hostname:
        return "no host"
    return "the port 0" if port == 0 else ""


def _pause(name: str, value: str) -> float:
    return _amount(name, value, LONGEST_PAUSE, "seconds", may_be_zero=True)


def _amount(name: str, value: str, most: float, unit: str, *, may_be_zero: bool = False) -> float:
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= most or (amount == 0 and not may_be_zero):
        expected = f"0 to {most:g}" if may_be_zero else f"more than 0 and at most {most:g}"
        raise SettingsError(f"{name}: expected {expected} {unit}, found {value[:20]!r}")
    return amount


def _count(name: str, value: str, most: int) -> int:
    count = int(value) if _WHOLE.fullmatch(value) else 0
    if not 0 < count <= most:
        raise SettingsError(f"{name}: expected a whole number from 1 to {most}, found {value[:20]!r}")
    return count
