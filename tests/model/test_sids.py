from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.sids import checked_sid, is_sid

SID = "CH" + "0123456789abcdefABCDEF0123456789"


@given(st.from_regex(r"[A-Z]{2}[0-9a-fA-F]{32}", fullmatch=True))
def test_two_capitals_and_32_hex_digits_are_a_sid(text: str) -> None:
    """Such a text is a SID of its own kind, is given back unchanged, and is one of no other kind."""
    assert is_sid(text[:2], text)
    assert checked_sid(text[:2], text) == text
    assert not is_sid("AA" if text[:2] != "AA" else "ZZ", text)


@given(st.text())
def test_no_other_text_is_a_sid(text: str) -> None:
    """Arbitrary text, alone or around a SID, is none."""
    assert not is_sid("CH", text)
    assert (is_sid("CH", SID + text), is_sid("CH", text + SID)) == ((not text,) * 2)


@pytest.mark.parametrize(
    "text",
    [
        SID + "\n",
        SID[:-1],
        SID[:-1] + "g",
        SID.lower(),
        f"{SID}/../x",
        SID[:-1] + "٣",
        f" {SID}",
        "",
        None,
        7,
        SID.encode(),
    ],
)
def test_anything_else_raises_with_what_was_expected(text: object) -> None:
    """Line breaks, slashes, other digits, another case of the prefix: each is refused, and the error says why."""
    assert not is_sid("CH", text)
    if isinstance(text, str):
        with pytest.raises(ValueError, match="expected CH and 32 hex digits, found "):
            checked_sid("CH", text)


def test_a_long_text_is_not_repeated_whole() -> None:
    """The error shows the beginning, not kilobytes of it."""
    with pytest.raises(ValueError, match=r"^.{1,120}$"):
        checked_sid("CH", "x" * 9999)
