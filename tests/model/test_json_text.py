from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ledger.row import Duty, Taken, Way
from router.model.json_text import parsed, written

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), each, max_size=3),
    max_leaves=8,
)


@given(values)
def test_whatever_json_has_comes_back_as_it_was(value: object) -> None:
    """Also half of a surrogate pair, NUL, and a number of any size; and to anybody else it is JSON as well."""
    text = written(value)
    assert "\0" not in text
    assert parsed(text) == json.loads(text) == value


@given(values)
def test_what_an_earlier_version_wrote_is_read(value: object) -> None:
    """Rows that were written by the standard library are read as it reads them."""
    assert parsed(json.dumps(value)) == value


@pytest.mark.parametrize("execution", ["FN1", "half of a pair: \ud800"])
def test_an_object_is_written_as_its_fields(execution: str) -> None:
    """Its times are texts that ``fromisoformat`` reads, of the same moment in whatever zone."""
    since = datetime(2026, 1, 31, 17, 30, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    kept = parsed(written(Way(since, execution, runs=(("FW1", "FN1"),))))
    assert datetime.fromisoformat(kept.pop("since")) == since
    assert kept == {"execution": execution, "is_paved": False, "runs": [["FW1", "FN1"]]}
    assert parsed(written(Taken("HO1", Duty.TIDY))) == {"id": "HO1", "duty": "tidy"}
    assert datetime.fromisoformat(parsed(written(datetime(2026, 1, 31, tzinfo=UTC)))) == datetime(
        2026, 1, 31, tzinfo=UTC
    )


@given(values)
def test_bytes_are_read_as_the_text_that_they_are_of(value: object) -> None:
    """An answer's body is not decoded first, but where json must read it."""
    assert parsed(json.dumps(value).encode()) == parsed(written(value).encode()) == value


@pytest.mark.parametrize("text", ["", "{", "nothing", b"{", b"nothing"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """A text that was cut off is not taken for something else."""
    with pytest.raises(ValueError, match="Expecting"):
        parsed(text)


def test_bytes_of_another_encoding_are_refused() -> None:
    """Python's own reader would guess which one it is."""
    with pytest.raises(ValueError, match="codec"):
        parsed('{"a": 1}'.encode("utf-16"))
