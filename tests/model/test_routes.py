from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.model.routes import AuthKind, AuthMethod, HandBack, Intent, Limits, Route, Routes, Tool, normalised

REFUND = Intent("refund", Route(flow="FW1"), aliases=("money back", "Charge-Back"))
BILLING = Intent("billing_question", Route(flow="FW2"))
TOOL = Tool("/t", Route(), intents={intent.name: intent for intent in (REFUND, BILLING)})
NOISE = st.text(" \t\n-_\u00a0", max_size=3)


@given(st.text())
def test_folding_twice_is_folding_once_for_ascii(wording: str) -> None:
    """What was folded has none of the marks that make no difference."""
    folded = normalised(wording)
    assert not any(letter in "-_" or letter.isspace() for letter in folded) or not wording.isascii()
    if wording.isascii():
        assert normalised(folded) == folded


@given(st.lists(st.sampled_from(["money", "back"]), min_size=1, max_size=2), st.data())
def test_marks_and_case_make_no_difference(words: list[str], data: st.DataObject) -> None:
    """Space, ``-`` and ``_`` anywhere, and the case of each letter, fold away."""
    letters = [data.draw(NOISE) + data.draw(st.sampled_from([letter, letter.upper()])) for letter in "".join(words)]
    assert normalised("".join(letters) + data.draw(NOISE)) == "".join(words)


@given(st.sampled_from(["refund", "REFUND", " re-fund ", "money_back", "chargeback", "CHARGE BACK"]))
def test_an_intent_is_found_by_name_and_alias(wording: str) -> None:
    """Name and aliases find the same intent, however they are written."""
    assert TOOL.find(wording) is REFUND


@given(st.text())
def test_any_other_wording_finds_nothing(wording: str) -> None:
    """A wording that does not fold to a known one finds no intent; letters of other alphabets raise nothing."""
    known = {"refund", "moneyback", "chargeback", "billingquestion"}
    assert (TOOL.find(wording) is not None) is (normalised(wording) in known)


def test_a_name_beats_the_alias_of_the_same_wording() -> None:
    """Within one intent name and alias may coincide; the name of an intent always finds it."""
    assert TOOL.find("billing question") is BILLING
    assert Tool("/t", Route()).find("refund") is None


def test_flows_are_found_by_alias_and_by_listed_sid() -> None:
    """What ``flows`` does not list has no SID; a SID without an alias is its own name."""
    routes = Routes(tools={}, flows={"a": "FW1", "b": "FW2", "c": "FW2"}, auth=())
    assert [routes.flow_sid(name) for name in ("a", "FW2", "FW3", "", "d")] == ["FW1", "FW2", None, None, None]
    assert [routes.flow_alias(sid) for sid in ("FW1", "FW2", "FW3")] == ["a", "b", "FW3"]


def test_given_limits_replace_ours_one_by_one() -> None:
    """What is not given stays ours, and each value has the type of ours: 3.0 is a whole number of handovers."""
    assert Limits.of({}) == Limits(handovers_per_hour=10, repeat_window=60.0)
    assert HandBack.of({}) == HandBack(within=60.0, end_execution=False)
    given = Limits.of({"handovers_per_hour": 3.0})
    assert (repr(given.handovers_per_hour), given.repeat_window) == ("3", 60.0)
    assert repr(HandBack.of({"within": 5, "end_execution": True})) == "HandBack(within=5.0, end_execution=True)"


def test_a_route_that_sets_nothing_has_ours() -> None:
    """Limits hold where nobody wrote any."""
    assert (Route().limits, Route().hand_back) == (Limits(), HandBack())


def test_a_secret_stays_out_of_a_repr() -> None:
    """A method of authentication may be logged."""
    assert "hunter2" not in repr(AuthMethod(AuthKind.SECRET, "hunter2"))
