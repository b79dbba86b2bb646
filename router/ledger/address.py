"""Where the ledger is kept: an SQLite file, or a PostgreSQL database."""

from __future__ import annotations

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
            return cls._of_file(text)
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise SettingsError(f"{NAME}: {EXPECTED}; found something that is no URL") from None
        scheme, _, driver = url.drivername.partition("+")
        if scheme == "sqlite" and not driver and not url.host and not url.query:
            return cls._of_file(url.database or "")
        if scheme in ("postgresql", "postgres") and driver in ("", "psycopg"):
            return cls._of_server(url.set(drivername="postgresql+psycopg"))
        raise SettingsError(f"{NAME}: {EXPECTED}; found one that begins with {url.drivername[:30]!r}")

    @classmethod
    def _of_file(cls, path: str) -> Self:
        if not path.strip() or path == ":memory:":
            raise SettingsError(f"{NAME}: {EXPECTED}; found no name of a file")
        return cls(label=path, file=Path(path), url=URL.create("sqlite+pysqlite", database=path))

    @classmethod
    def _of_server(cls, url: URL) -> Self:
        place = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        return cls(label=place.render_as_string(), file=None, url=url)
