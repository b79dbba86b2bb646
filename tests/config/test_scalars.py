from __future__ import annotations

import time

import pytest

from router.config.scalars import AmbiguousScalar, is_date, meaning


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("999999999999999", 999999999999999),
        ("0.5", 0.5),
        ("-1.25", -1.25),
        ("refunds", "refunds"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T17:30:00Z", "2026-01-31T17:30:00Z"),
        ("y", "y"),
        ("1.2.3", "1.2.3"),
        ("12:3x", "12:3x"),
        ("FW00000000000000000000000000000001", "FW00000000000000000000000000000001"),
        ("https://example.com", "https://example.com"),
        ("-", "-"),
    ],
)
def test_a_word_means_what_every_reader_takes_it_for(word: str, value: object) -> None:
    """Only true, false, null, plain whole and decimal numbers are no text; dates are text."""
    found = meaning(word)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        *((word, "scalar-boolean") for word in ("yes", "No", "ON", "off", "True", "FALSE")),
        *((word, "scalar-null") for word in ("Null", "NULL")),
        *((word, "scalar-number") for word in ("010", "-007", "0o17", "0x1F", "0b11", "1_000", "1:30", "190:20:30.15")),
        *((word, "scalar-number") for word in ("+1", "1.", ".5", "1e3", "1.5E-3", ".inf", "-.INF", ".NaN", "9" * 5000)),
    ],
)
def test_a_word_that_readers_disagree_on_is_refused(word: str, code: str) -> None:
    """What YAML 1.1 and 1.2 read differently is a fault that says how to write what is meant."""
    with pytest.raises(AmbiguousScalar) as refused:
        meaning(word)
    assert refused.value.code == code
    assert "quotes" in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("word", "date"),
    [
        *((word, True) for word in ("2026-01-31", "2026-1-3", "2026-01-31T17:30:00Z", "2026-01-31 17:30")),
        *((word, False) for word in ("20260131", "2026-01", "2026-01-31x", "refunds-1", "")),
    ],
)
def test_a_date_is_known_as_such(word: str, date: bool) -> None:
    """What YAML 1.1 reads as a date is text here, and known for what it looks like."""
    assert is_date(word) is date
    assert word == "20260131" or isinstance(meaning(word) or "", str)


@pytest.mark.parametrize("begin", ["9", "1_", "1.9", "1:3", "+", "-9", "0x", ".5"])
def test_a_long_word_is_judged_in_linear_time(begin: str) -> None:
    """A word of a hundred thousand digits that is no number in the end takes no longer than its length lets expect."""
    started = time.perf_counter()
    assert meaning(begin + "9" * 100_000 + "x") == begin + "9" * 100_000 + "x"
    assert isinstance(meaning(begin + "9:1" * 30_000 + "x"), str)
    assert time.perf_counter() - started < 1  # a quadratic one takes minutes
