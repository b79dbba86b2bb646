from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.call import Identity


@pytest.mark.parametrize(
    ("identity", "masked"),
    [
        (Identity("whatsapp", "+15550100"), "whatsapp:+1…00"),
        (Identity("sms", "1234567"), "sms:12…67"),
        (Identity("sms", "123456"), "sms:…"),
        (Identity("user_id", ""), "user_id:…"),
        (Identity("+15550100", "x"), "…:…"),
        (Identity("a phone", "+15550100"), "…:+1…00"),
    ],
)
def test_a_log_sees_the_ends_of_an_identity(identity: Identity, masked: str) -> None:
    """The middle is hidden, and all of a value that is too short to have one."""
    assert identity.masked == masked


@given(
    st.text(st.characters(exclude_characters=":"), min_size=1),
    st.text(st.characters(exclude_characters="…"), min_size=1),
)
def test_an_identity_is_never_shown_whole(kind: str, value: str) -> None:
    """At most four characters of a value are shown, and never all of them."""
    shown_kind, _colon, shown = Identity(kind, value).masked.partition(":")
    assert shown_kind in (kind, "…")
    assert len(shown) <= 5
    assert len(shown) - 1 < len(value)


def test_an_author_is_a_person_by_either_name() -> None:
    """A message's author may be the whole identity or its value."""
    identity = Identity("whatsapp", "+15550100")
    assert identity.wrote("whatsapp:+15550100")
    assert identity.wrote("+15550100")
    assert not identity.wrote("sms:+15550100")
    assert not identity.wrote("")
