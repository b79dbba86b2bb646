from __future__ import annotations

import pytest

from router.explanation.userinfo import without_userinfo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pw@host/path?a=b", "https://…@host/path?a=b"),
        ("https://token@host", "https://…@host"),
        ("https://:pw@host", "https://…@host"),
        ("redis://u:p/w@x#?y@host:1/0 and https://u:pw@b", "redis://…@host:1/0 and https://…@b"),
        ('["amqp://u:p\\"w@host"]', '["amqp://…@host"]'),
    ],
)
def test_the_host_stays(text: str, shown: str) -> None:
    """User and password go, with all that people write unescaped in a password."""
    assert without_userinfo(text) == shown


@pytest.mark.parametrize("text", ["https://host/@user", "https://host?q=a@b", "ann@example.com", "a: b://c"])
def test_what_has_no_user_stays(text: str) -> None:
    """An @ elsewhere is none of it."""
    assert without_userinfo(text) == text
