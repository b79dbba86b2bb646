"""Where the ledger is kept: an SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from router.errors import SettingsError

NAME: Final = "HANDOVER_DATABASE_URL"
EXPECTED: Final = (
    "expected a file such as handovers.db or sqlite:///handovers.db, or postgresql://user:password@host/name"
)
ESCAPES: Final = "in a password write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, % as %25"

_HOST: Final = re.compile(r"[\w.,-]+|[0-9A-Fa-f:.]+(%\w+)?")
_LAST_PORT: Final = 65_535
_LIKE_A_LOGIN: Final = re.compile(r"postgres(ql)?:|.*:.*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """A database: its ``file`` with SQLite, else None. ``label`` names it without user and password."""

    label: str
    file: Path | None
    url: URL = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL or a bare path; raises SettingsError that names the setting and never shows the password."""
        if "://" not in text:
            if _LIKE_A_LOGIN.match(text):
                raise _refusal("a user or a server without 'postgresql://' before it")
            return cls._of_file(text)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise _refusal("something that is no URL") from None
        scheme, _, driver = url.drivername.partition("+")
        if scheme == "sqlite" and not driver and not url.host and not url.query:
            return cls._of_file(url.database or "")
        if scheme in ("postgresql", "postgres") and driver in ("", "psycopg"):
            # An @ too many has parted the password: what follows the first one would pass for host and database.
            if text.count("@") > (url.username is not None):
                raise _refusal("an @ that parts neither user nor password from the host")
            return cls._of_server(url.set(drivername="postgresql+psycopg"))
        raise SettingsError(f"{NAME}: {EXPECTED}; found one that begins with {url.drivername[:30]!r}")

    @classmethod
    def _of_file(cls, path: str) -> Self:
        if not path.strip() or path == ":memory:":
            raise SettingsError(f"{NAME}: {EXPECTED}; found no name of a file")
        return cls(label=path, file=Path(path), url=URL.create("sqlite+pysqlite", database=path))

    @classmethod
    def _of_server(cls, url: URL) -> Self:
        if url.host and not _HOST.fullmatch(url.host):
            raise _refusal("a host that is no name and no address")
        if url.port is not None and not 0 < url.port <= _LAST_PORT:
            raise _refusal(f"a port that is not within 1 and {_LAST_PORT}")
        place = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        return cls(label=place.render_as_string(), file=None, url=url)


def _refusal(found: str) -> SettingsError:
    """Say what is wrong in words of our own: any part of what was written may be a part of the password."""
    return SettingsError(f"{NAME}: {EXPECTED}; found {found}, which is not shown as it may hold a password; {ESCAPES}")
