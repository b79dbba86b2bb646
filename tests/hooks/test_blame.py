from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from router import hookimpl
from router.hooks.blame import located

if TYPE_CHECKING:
    from collections.abc import Callable


def elsewhere(function: Callable[[], None]) -> Callable[[], None]:
    """Mark a function, as a plugin does that has its hooks from another file."""
    return hookimpl(specname="before_swap")(function)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ValueError: no (line 17)", f"{__file__}:17: ValueError: no"),
        ("ValueError: bad (line 3) (line 17)", f"{__file__}:17: ValueError: bad (line 3)"),
        ("no answer within 1 s", "no answer within 1 s"),
    ],
)
def test_the_line_has_its_file(reason: str, told: str) -> None:
    """The file is the function's; a reason that no line is known for stays as it is."""
    plugin = SimpleNamespace(name="a plugin", guard=elsewhere(lambda: None))
    assert located(reason, plugin, "before_swap") == told


def test_of_two_functions_for_a_hook_one_is_enough() -> None:
    """A plugin may have several for one hook."""
    plugin = SimpleNamespace(one=elsewhere(lambda: None), two=elsewhere(lambda: None))
    assert located("ValueError (line 2)", plugin, "before_swap") == f"{__file__}:2: ValueError"
