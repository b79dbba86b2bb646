from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import SettingsError
from router.settings import LONGEST_DEADLINE, NAMES, Settings, unknown_names, with_dotenv

WHOLE = {
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "token-1",
    "TWILIO_AUTH_TOKEN_SECONDARY": "token-2",
    "TWILIO_API_KEY": "SK1",
    "TWILIO_API_SECRET": "api-secret",
    "TWILIO_EDGE": "dublin",
    "TWILIO_REGION": "ie1",
    "HANDOVER_CONFIG": "x/routes.yaml",
    "HANDOVER_PUBLIC_URL": "https://h.example/base/",
    "HANDOVER_TWILIO_URL": "http://127.0.0.1:4010",
    "HANDOVER_ADMIN_TOKEN": "admin-token",
    "HANDOVER_DEADLINE": "2.5",
    "HANDOVER_DATABASE_URL": "postgresql://ledger:db-password@db.example/handovers",
    "HANDOVER_RETENTION": "0.5",
    "HANDOVER_CONCURRENCY": "7",
    "HANDOVER_QUEUE": "70",
}


def test_every_setting_has_its_field() -> None:
    """Each name of the environment reaches its field, stripped of spaces around it."""
    expected = Settings(
        account_sid="AC1",
        auth_token="token-1",
        auth_token_secondary="token-2",
        api_key="SK1",
        api_secret="api-secret",
        edge="dublin",
        region="ie1",
        config=Path("x/routes.yaml"),
        public_url="https://h.example/base",
        twilio_url="http://127.0.0.1:4010",
        admin_token="admin-token",
        deadline=2.5,
        database_url="postgresql://ledger:db-password@db.example/handovers",
        retention=0.5,
        concurrency=7,
        queue=70,
    )
    assert Settings.read(WHOLE) == expected
    assert Settings.read({name: f" {value}\n" for name, value in WHOLE.items()}) == expected


def test_nothing_set_means_the_defaults() -> None:
    """Missing and empty are the same."""
    assert Settings.read({}) == Settings.read(dict.fromkeys(WHOLE, "")) == Settings()


def test_secrets_stay_out_of_a_repr() -> None:
    """Settings may be logged."""
    for secret in ("token-1", "token-2", "api-secret", "admin-token", "db-password"):
        assert secret not in repr(Settings.read(WHOLE))


def test_signatures_may_be_made_with_each_token_that_is_set() -> None:
    """Both during a rotation, and an empty one is none."""
    assert Settings.read(WHOLE).auth_tokens == ("token-1", "token-2")
    assert Settings(auth_token_secondary="b").auth_tokens == ("b",)
    assert Settings().auth_tokens == ()


@pytest.mark.parametrize("name", ["HANDOVER_PUBLIC_URL", "HANDOVER_TWILIO_URL"])
@pytest.mark.parametrize(
    "value",
    [
        "h.example",
        "//h.example",
        "ftp://h.example",
        "https://",
        "https:///path",
        "https://user@h.example",
        "https://:s3cret@h.example",
        "https://h.example?a=1",
        "https://h.example?",
        "https://h.example#a",
        "https://[::1",
        "https://h.example:port",
        "https://h.example:99999",
        "https://h.example:0",
    ],
)
def test_what_is_no_base_url_is_refused(name: str, value: str) -> None:
    """The error names the setting and what is expected, and does not repeat what may hold a password."""
    with pytest.raises(SettingsError, match=f"^{name}: expected a base URL such as") as refused:
        Settings.read({name: value})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("value", ["http://[::1]:8000", "https://h.example:8443/a/b", "HTTPS://h.example"])
def test_a_base_url_is_taken_as_it_is(value: str) -> None:
    """Addresses, ports and paths are fine; only slashes at the end go."""
    assert Settings.read({"HANDOVER_PUBLIC_URL": f"{value}//"}).public_url == value


@pytest.mark.parametrize("value", ["0", "-1", "30.1", "nan", "inf", "four", "4,5", "1e9", "x" * 100])
def test_a_deadline_has_bounds(value: str) -> None:
    """What is no number of seconds within the bounds is refused by name, and shown shortly."""
    with pytest.raises(
        SettingsError, match=r"^HANDOVER_DEADLINE: expected more than 0 and at most 30 seconds, found '"
    ):
        Settings.read({"HANDOVER_DEADLINE": value})


@pytest.mark.parametrize("value", ["0", "-1", "3650.5", "nan", "inf", "for ever", "90d"])
def test_a_retention_has_bounds(value: str) -> None:
    """Nothing is kept for no time or for ever: the error says how many days may be asked for."""
    with pytest.raises(
        SettingsError, match=rf"^HANDOVER_RETENTION: expected more than 0 and at most 3650 days, found '{value}'$"
    ):
        Settings.read({"HANDOVER_RETENTION": value})


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e2", "ten", "+5", "٣", "9" * 5_000])
@pytest.mark.parametrize(("name", "most"), [("HANDOVER_CONCURRENCY", 1_000), ("HANDOVER_QUEUE", 100_000)])
def test_what_is_no_count_is_refused(name: str, most: int, value: str) -> None:
    """The error names the setting and the whole numbers that it may have, and shows what was found, shortly."""
    with pytest.raises(SettingsError, match=f"^{name}: expected a whole number from 1 to {most}, found '") as refused:
        Settings.read({name: value})
    assert len(str(refused.value)) < 100
    with pytest.raises(SettingsError, match=f"^{name}: "):
        Settings.read({name: str(most + 1)})


def test_what_lies_on_the_bounds_is_taken() -> None:
    """The least and the most that the errors name are settings."""
    least = Settings.read({"HANDOVER_CONCURRENCY": "1", "HANDOVER_QUEUE": "1"})
    most = Settings.read({"HANDOVER_CONCURRENCY": "1000", "HANDOVER_QUEUE": "100000", "HANDOVER_RETENTION": "3650"})
    assert (least.concurrency, least.queue) == (1, 1)
    assert (most.concurrency, most.queue, most.retention) == (1_000, 100_000, 3_650.0)


@given(st.floats(0, LONGEST_DEADLINE, exclude_min=True))
def test_any_deadline_within_the_bounds_is_taken(seconds: float) -> None:
    """A fraction of a second is as good as the longest."""
    assert Settings.read({"HANDOVER_DEADLINE": repr(seconds)}).deadline == seconds


@given(st.text())
def test_no_url_raises_anything_else(value: str) -> None:
    """Any text is a base URL or a SettingsError."""
    try:
        found = Settings.read({"HANDOVER_PUBLIC_URL": value}).public_url
    except SettingsError:
        return
    assert found == value.strip().rstrip("/")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("localhost:4010", "one that does not begin with http:// or https://"),
        ("http:h.example", "one that does not begin with http:// or https://"),
        ("https://:s3cret@h.example", "one of the characters @ ? #"),
        ("https:///path", "no host"),
        ("https://h.example:port", "a host or a port that is none"),
        ("https://h.example:0", "the port 0"),
    ],
)
def test_a_wrong_url_is_described_and_not_shown(value: str, found: str) -> None:
    """What was found is told in our words, and the example is one for that very setting."""
    with pytest.raises(SettingsError) as refused:
        Settings.read({"HANDOVER_TWILIO_URL": value})
    expected = "expected a base URL such as http://127.0.0.1:4010, without user, query or fragment"
    assert str(refused.value) == f"HANDOVER_TWILIO_URL: {expected}; found {found}"


@pytest.mark.parametrize("value", ["abc", "-1", "3601", "nan"])
def test_a_pause_may_be_none_at_all(value: str) -> None:
    """The error names 0 as well, which is allowed."""
    assert Settings.read({"HANDOVER_POLL": "0"}).poll == Settings.read({"HANDOVER_POLL": "0.0"}).poll == 0
    with pytest.raises(SettingsError, match=f"^HANDOVER_POLL: expected 0 to 3600 seconds, found '{value}'$"):
        Settings.read({"HANDOVER_POLL": value})


def test_every_name_of_ours_is_documented() -> None:
    """What is taken for a setting, so that no slip is told of it, is one."""
    documented = re.findall(
        r"`(HANDOVER_\w+)`.*\|", (Path(__file__).parent.parent / "docs" / "settings.md").read_text()
    )
    assert sorted(NAMES) == sorted([*documented, "HANDOVER_SECRET"])


def test_a_slip_in_a_name_is_told() -> None:
    """A name like ours that nothing reads is told with the nearest; what a file names, or Kubernetes sets, is not."""
    environ = {
        **dict.fromkeys(NAMES, ""),
        "HANDOVER_TOKN": "s3cret",
        "HANDOVER_QUEU": "5",
        "HANDOVER_OTHER_SECRET": "",
        "HANDOVER_PORT": "tcp://10.0.0.1:80",
        "HANDOVER_PORT_80_TCP_ADDR": "10.0.0.1",
        "HANDOVER_WEB_SERVICE_HOST": "10.0.0.1",
        "PATH": "",
    }
    nowhere = "is no setting, and the files of the configuration do not name it"
    assert unknown_names(environ, [b"a", b"${env:HANDOVER_OTHER_SECRET}"]) == [
        f"HANDOVER_QUEU {nowhere}; did you mean HANDOVER_QUEUE?",
        f"HANDOVER_TOKN {nowhere}; did you mean HANDOVER_ADMIN_TOKEN?",
    ]
    assert unknown_names({"HANDOVER_XYZXYZXYZXYZXYZXYZ": ""}, []) == [
        f"HANDOVER_XYZXYZXYZXYZXYZXYZ {nowhere}; docs/settings.md lists them all"
    ]


def test_a_file_that_cannot_be_read_is_told_at_its_line(tmp_path: Path) -> None:
    """File and line are named with a remedy, and nothing of the line is shown; a directory of that name is none."""
    file = tmp_path / ".env"
    file.write_text("A=1\nTWILIO_AUTH_TOKEN='s3cret\n")
    with pytest.raises(SettingsError) as refused:
        with_dotenv({}, tmp_path)
    assert str(refused.value) == (
        f"{file}:2: expected NAME=value, found what is not shown as it may be a secret;"
        " a value with spaces or a # stands in quotes, and a quote that begins must end"
    )
    file.write_bytes(b"A=\xff")
    with pytest.raises(SettingsError, match="expected a text in UTF-8, found other bytes; write it anew"):
        with_dotenv({}, tmp_path)
    file.unlink()
    file.mkdir()
    assert with_dotenv({"B": "env"}, tmp_path) == {"B": "env"}


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not passed over, as its settings would be missing."""
    (tmp_path / ".env").touch()

    def refuse(*_given: object, **_named: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingsError, match=r"\.env: Permission denied; let this process read it, or remove it"):
        with_dotenv({}, tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """What ``.env`` sets is added; what the environment has stays, even where it is empty."""
    (tmp_path / ".env").write_text("A=file\nB='file $A'\nexport C=file\nD\n# E=no\nF=\n", encoding="utf-8")
    assert with_dotenv({"A": "env", "C": ""}, tmp_path) == {"A": "env", "B": "file $A", "C": "", "F": ""}


def test_without_a_file_there_is_the_environment(tmp_path: Path) -> None:
    """No ``.env`` is no fault, and one further up is not looked for."""
    (tmp_path / ".env").write_text("A=up\n")
    (tmp_path / "below").mkdir()
    assert with_dotenv({"B": "env"}, tmp_path / "below") == {"B": "env"}
