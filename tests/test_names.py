"""The names of handovers: of Twilio's form, and none twice."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING

from router.model.sids import is_sid
from router.names import AT_ONCE, Names

if TYPE_CHECKING:
    import pytest


def test_a_handovers_name_looks_like_twilios() -> None:
    """Two capitals and 32 hex digits, and never the same twice, however many are drawn at a time."""
    names = Names()
    given = [names() for _ in range(2 * AT_ONCE + 1)]
    assert all(is_sid("HO", name) for name in given)
    assert len({name[-20:] for name in given}) == len(given)


def test_a_fork_names_nothing_as_its_parent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was drawn before is the parent's."""
    names = Names()
    names()
    forked = copy.deepcopy(names)
    by_parent = names()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert forked()[-20:] != by_parent[-20:]
