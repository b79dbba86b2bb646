from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.masking import LONGEST, fit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("KeyError: 'whatsapp:+15550100'", "KeyError: 'whatsapp:+…'"),
        ("to +1 (555) 010-0123 now", "to +… now"),
        ("?to=%2b15550100", "?to=+…"),
        ("from ann.lee+x@mail.example.com!", "from +…!"),
        ("flow FW00000000000000000000000000000001, code 50361", "flow FW00000000000000000000000000000001, code 50361"),
        (" two\n lines\x1b ", "two lines"),
    ],
)
def test_addresses_are_masked_and_nothing_else(text: str, shown: str) -> None:
    """Telephone numbers and mail addresses are hidden; SIDs and codes are what a log is for."""
    assert fit(text) == shown


@given(st.text())
def test_foreign_text_becomes_one_short_line(text: str) -> None:
    """Whatever it is, it is printable, bounded, and stays as it is when it is made fit again."""
    shown = fit(text)
    assert len(shown) <= LONGEST
    assert shown.isprintable()
    assert fit(shown) == shown
