from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from router.model.call import ConversationRef
from router.model.handover import EPOCH, Decline, Handover

HANDOVER = Handover(
    id="HO1",
    tool="/t",
    intent="refund",
    flow="FW1",
    message="Done",
    conversation="CH1",
    service="IS1",
    identity="sms:+15550100",
    inputs={"note": "hunter2"},
)


def test_a_handover_cannot_be_changed_but_replaced() -> None:
    """A copy has another flow or message and the same rest; the first one stays as it is."""
    other = HANDOVER.replace(flow="FW2", message="Later")
    assert (other.flow, other.message, other.inputs) == ("FW2", "Later", HANDOVER.inputs)
    assert HANDOVER.flow == "FW1"
    with pytest.raises(dataclasses.FrozenInstanceError):
        HANDOVER.flow = "FW2"  # type: ignore[misc]  # what must not be


def test_a_handover_is_always_of_the_same_customer() -> None:
    """Any field but flow and message is refused, and the error names what was tried."""
    with pytest.raises(TypeError, match="not conversation, identity"):
        HANDOVER.replace(flow="FW2", identity="sms:+1", conversation="CH2")
    with pytest.raises(TypeError, match="not at"):
        HANDOVER.replace(at=EPOCH)
    assert HANDOVER.replace() == HANDOVER


def test_a_handover_names_its_conversation() -> None:
    """The gateway gets both SIDs."""
    assert HANDOVER.where == ConversationRef(service="IS1", sid="CH1")


def test_a_customer_stays_out_of_a_repr() -> None:
    """A handover in a traceback shows neither address nor inputs."""
    assert "5550100" not in repr(HANDOVER)
    assert "hunter2" not in repr(HANDOVER)


def test_a_decline_keeps_its_sentence() -> None:
    """The sentence is what the model is told."""
    assert Decline("Not today.").sentence == str(Decline("Not today.")) == "Not today."


@pytest.mark.parametrize("sentence", [None, "", "  ", 7, ["no"]])
def test_a_guard_declines_with_a_sentence(sentence: Any) -> None:
    """Anything else is a mistake of the plugin, told where it is made."""
    with pytest.raises(TypeError, match="wants a sentence"):
        Decline(sentence)
