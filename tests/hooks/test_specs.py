from __future__ import annotations

from router.hooks.specs import ARGUMENTS, KINDS, new_manager


def test_every_spec_has_a_kind_and_every_kind_a_spec() -> None:
    """What pluggy knows and what we call are the same hooks, with the same arguments."""
    manager = new_manager()
    known = {name: caller.spec.argnames for name, caller in vars(manager.hook).items() if hasattr(caller, "spec")}
    assert known == ARGUMENTS
    assert set(known) == set(KINDS)


def test_two_managers_are_two() -> None:
    """One for each app: what one registers, the other does not know."""
    first, second = new_manager(), new_manager()
    first.register(object(), "a")
    assert second.list_name_plugin() == []
