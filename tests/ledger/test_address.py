from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
        "postgresql://me:s3cret@host:0/db",
        "postgresql://me:s3cret@host:65536/db",
        "postgresql://me:s3cret@host#1/db",
        "postgresql://me:pass@s3cret@host/db",
        "postgresql://me:pass@word/s3cret@host/db",
        "postgresql://me:pass@word?s3cret@host/db",
        "postgresql://me/too:s3cret@host/db",
        "postgresql:me:s3cret@host/db",
        "me:s3cret@host/db",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """The error names the setting and what is expected, and shows no password."""
    with pytest.raises(SettingsError, match=r"^HANDOVER_DATABASE_URL: expected a file") as caught:
        Address.parse(text)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "host", ["db", "db-1.example.com", "127.0.0.1", "[::1]", "[fe80::1%eth0]", "a,b", "bücher.example"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    """Whatever libpq takes for a host is shown as it was written."""
    assert Address.parse(f"postgresql://me:s3cret@{host}:5433/db").label == f"postgresql://{host}:5433/db"


def test_a_server_may_be_named_by_the_query_alone() -> None:
    """A socket's directory stands there, and no user need be named."""
    address = Address.parse("postgresql:///db?host=/run/postgresql")
    assert (address.url.query["host"], address.label) == ("/run/postgresql", "postgresql:///db")


@given(st.text(st.one_of(st.sampled_from("@/:#?%[]"), st.characters()), min_size=1))
@example("p@ss")
@example("p@w/x")
@example("p@w?x")
@example("p@[w]:1/x")
@example("p/w:x#y?z%41[1]")
def test_no_piece_of_a_password_is_told(password: str) -> None:
    """Whichever characters of it are unescaped, what is told is the same as for any other password."""
    for login in (f"postgresql://handover:{password}", f"postgresql:handover:{password}", f"handover:{password}"):
        assert _told(f"{login}@127.0.0.1:5544/handover") in TOLD


def _told(text: str) -> str:
    try:
        return Address.parse(text).label
    except SettingsError as error:
        return str(error)


TOLD = {
    "postgresql://127.0.0.1:5544/handover",
    *map(_told, ("postgresql://a:b@c@d/e", "postgresql://a:b:c", "postgresql:a", "postgresql://a:b@c#/d")),
}
"""All that may be told, none of which is made of what was written."""


def test_who_is_refused_is_told_how_to_write_a_password() -> None:
    """The error has the remedy: each character that a URL gives a meaning, and how it is written."""
    assert _told("postgresql://me:p@ss@host/db").endswith(
        "; in a password write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F, % as %25"
    )
    assert Address.parse("postgresql://me:%40%2F%3A%23%3F%25@host/db").url.password == "@/:#?%"
