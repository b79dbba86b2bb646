from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from router.clock import Clock
from router.config.online import check_online, named_flows
from router.errors import TwilioBusy, TwilioRefused, TwilioUncertain
from router.model.flow import CONVERSATION_EVENT, FlowRevision
from router.twilio.faults import fault_of_answer
from router.twilio.wire.answer import Answer
from tests.config.kit import FLOW, OTHER, loaded

if TYPE_CHECKING:
    from router.model.flow import FlowAnswer

ACCOUNT = "AC" + "1" * 32
THIRD = "FW" + "3" * 32
GOOD = FlowRevision(ACCOUNT, is_published=True, is_valid=True, errors=(), starts={CONVERSATION_EVENT: "greet"})
BAD = FlowRevision("AC" + "2" * 32, is_published=False, is_valid=False, errors=("a", "b", "c", "d"), starts={})
TEXT = f"""\
version: 1
flows:
  refunds: {FLOW}
  again: {FLOW}
  billing: ${{env:BILLING}}
auth: [twilio_signature]
tools:
  /refunds: {{flow: refunds}}
  /again: {{flow: again}}
  /billing: {{flow: {OTHER}}}
  /third:
    intents:
      third: {{flow: {THIRD}}}
"""


def told(directory: Path, answers: dict[str, FlowAnswer]) -> list[str]:
    """Check the file with these answers, and good ones for the other flows."""
    found = loaded(directory, TEXT, {"BILLING": OTHER})
    whole = dict.fromkeys(named_flows(found.sources), GOOD) | answers
    faults = check_online(found.sources, whole, ACCOUNT)
    return [str(fault).removeprefix(f"{directory / 'routes.yaml'}:") for fault in faults]


def test_every_flow_that_can_be_reached_is_named_once(tmp_path: Path) -> None:
    """The flows of 'flows' and the SIDs that routes spell out; of one SID all places are known."""
    assert named_flows(loaded(tmp_path, TEXT, {"BILLING": OTHER}).sources) == {
        FLOW: [("flows", "refunds"), ("flows", "again")],
        OTHER: [("flows", "billing"), ("tools", "/billing", "flow")],
        THIRD: [("tools", "/third", "intents", "third", "flow")],
    }


def test_no_flows_are_no_question(tmp_path: Path) -> None:
    """A file whose flows come by the URL alone may list none."""
    text = "version: 1\nauth: [twilio_signature]\ntools: {/a: {query: [flowSid]}}\n"
    assert named_flows(loaded(tmp_path, text).sources) == {}


def test_good_flows_are_no_faults(tmp_path: Path) -> None:
    """Nothing is told of flows that can take over."""
    assert told(tmp_path, {}) == []


def test_a_flow_that_is_not_there(tmp_path: Path) -> None:
    """It is told at each line that names it; a SID that came from elsewhere is told by its reference."""
    remedy = (
        "which the account of TWILIO_ACCOUNT_SID does not have; correct the SID, or use the account that has the flow"
    )
    assert told(tmp_path, {FLOW: None, OTHER: None}) == [
        f"3:12: error[flow-absent]: flow 'refunds' is '{FLOW}', {remedy}",
        f"4:10: error[flow-absent]: flow 'again' is '{FLOW}', {remedy}",
        f"5:12: error[flow-absent]: flow 'billing' is the value of ${{env:BILLING}}, {remedy}",
        f"10:20: error[flow-absent]: 'flow' of tool '/billing' is '{OTHER}', {remedy}",
    ]


def test_every_fault_of_a_flow_is_told(tmp_path: Path) -> None:
    """Whose it is, whether it runs, whether Studio takes it, and whether a conversation starts it: all at once."""
    name = "'flow' of intent 'third' of '/third'"
    assert told(tmp_path, {THIRD: BAD}) == [
        (
            f"13:21: error[flow-draft]: {name} was never published, so it would leave the customer alone; publish it in"
            " Studio"
        ),
        (
            f"13:21: error[flow-foreign]: {name} belongs to the account {BAD.account}, which is not that of"
            " TWILIO_ACCOUNT_SID; use the one that has the conversations"
        ),
        f"13:21: error[flow-invalid]: Studio says that {name} is not valid: a; b; c; mend and publish it in Studio",
        (
            f"13:21: error[flow-trigger]: {name} starts from nothing, so it would leave the customer alone; lead its"
            " trigger 'Incoming Conversation' to a widget, and publish it"
        ),
    ]


def test_what_starts_a_flow_instead_is_told(tmp_path: Path) -> None:
    """Who connected the wrong trigger sees which; and a fault without a reason says that there is none."""
    odd = FlowRevision(ACCOUNT, is_published=True, is_valid=False, errors=(), starts={"incomingCall": "a"})
    (invalid, trigger) = told(tmp_path, {THIRD: odd})
    assert "is not valid: it does not say why; " in invalid
    assert " starts only from incomingCall, so " in trigger


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_told_once(tmp_path: Path, status: int) -> None:
    """Every flow would get the same answer: the first one that did is enough, and what else was found stays."""
    answers: dict[str, FlowAnswer] = {
        FLOW: TwilioBusy("ask", "late"),
        OTHER: TwilioRefused("newest_revision", "check TWILIO_AUTH_TOKEN", status=status),
        THIRD: None,
    }
    refused, absent = told(tmp_path, answers)
    assert refused == ("5:12: error[online-refused]: the flows could not be checked online: check TWILIO_AUTH_TOKEN")
    assert "[flow-absent]" in absent


def test_flows_that_could_not_be_asked_about_are_told_together(tmp_path: Path) -> None:
    """One line says which was the first, how many there are, and why."""
    lost = TwilioUncertain("newest_revision", "Twilio did not answer")
    assert told(tmp_path, {THIRD: lost}) == [
        (
            "13:21: error[online-unreachable]: 'flow' of intent 'third' of '/third' could not be checked online:"
            " Twilio did not answer"
        )
    ]
    assert told(tmp_path, {FLOW: lost, THIRD: lost}) == [
        (
            "3:12: error[online-unreachable]: flow 'refunds' could not be checked online, nor could 2 more:"
            " Twilio did not answer"
        )
    ]


def odd(account: str = ACCOUNT, *, is_published: bool = True, errors: tuple[str, ...] = (), starts: str = "") -> Any:
    return FlowRevision(account, is_published, not errors, errors, {starts or CONVERSATION_EVENT: "greet"})


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("flow-absent", None),
        ("flow-foreign", odd("AC" + "2" * 32)),
        ("flow-draft", odd(is_published=False)),
        ("flow-invalid", odd(errors=("#/states/2: the widget leads nowhere",))),
        ("flow-trigger", odd(starts="incomingCall")),
        (
            "online-refused",
            fault_of_answer("ask", Answer(401, {}, b'{"code": 20003, "message": "Authenticate"}'), Clock().now),
        ),
        ("online-unreachable", TwilioBusy("ask", "no connection to Twilio in time; nothing was sent")),
    ],
)
def test_the_page_of_each_code_is_real(code: str, answer: FlowAnswer, tmp_path: Path) -> None:
    """The file that a page shows is told just as it says, given such an answer of Twilio's."""
    page = (Path(__file__).parent.parent.parent / "docs" / "errors" / f"{code}.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    (expected,) = re.findall(r"```text\n(.+?)```", page, re.DOTALL)
    found = loaded(tmp_path, text)
    faults = check_online(found.sources, {FLOW: answer}, ACCOUNT)
    assert [f"{fault}\n".replace(f"{tmp_path}/", "") for fault in faults] == [expected]
