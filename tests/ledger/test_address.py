from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import SettingsError
from router.ledger.address import Address


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("handovers.db", "handovers.db"),
        ("sqlite:///handovers.db", "handovers.db"),
        ("sqlite:////var/lib/handovers.db", "/var/lib/handovers.db"),
        ("/var/lib/100%.db", "/var/lib/100%.db"),
    ],
)
def test_a_file_is_named_by_a_path_or_a_url(text: str, file: str) -> None:
    """A bare path and an sqlite URL mean the same file, and the label is its name."""
    address = Address.parse(text)
    assert (address.file, address.label) == (Path(file), file)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_is_reached_by_psycopg(scheme: str) -> None:
    """Each way to write PostgreSQL's scheme leads to psycopg 3, with the password."""
    address = Address.parse(f"{scheme}://me:s3cret@db.example.com:5433/handovers?sslmode=require")
    assert address.file is None
    assert address.url.render_as_string(hide_password=False) == (
        "postgresql+psycopg://me:s3cret@db.example.com:5433/handovers?sslmode=require"
    )


def test_nobody_sees_who_logs_in() -> None:
    """Neither the label nor the repr shows the user, the password or what a query may hide."""
    address = Address.parse("postgresql://me:s3cret@db.example.com/handovers?sslpassword=s3cret")
    assert address.label == "postgresql://db.example.com/handovers"
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        ":memory:",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "sqlite+aiosqlite:///x.db",
        "sqlite://host/x.db",
        "postgresql+asyncpg://me:s3cret@host/db",
        "mysql://me:s3cret@host/db",
        "://s3cret",
        "postgresql://me:s3cret@host:port/db",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """The error names the setting and what is expected, and shows no password."""
    with pytest.raises(SettingsError, match=r"^HANDOVER_DATABASE_URL: expected a file") as caught:
        Address.parse(text)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
