from __future__ import annotations

import pytest

from router.model.messages import Messages
from router.sandbox.choosing import APOLOGY, ToolOffer, choose, closing_sentence

SUPPORT = ToolOffer(
    name="Support Handover",
    description="You MUST use this if a customer asks for a refund or about a bill.",
    url="https://router.example/tools/support",
    intents={"refund": ["money back", "chargeback", "the customer wants money back"], "billing": ["invoice", "bills"]},
)
CANCEL = ToolOffer("Cancel", "You MUST use this if a customer wants to cancel an order.", "https://router.example/c")


@pytest.mark.parametrize(
    ("text", "tool", "intent"),
    [
        ("I want my money back!", SUPPORT, "refund"),
        ("Has it been REFUNDED yet?", SUPPORT, "refund"),
        ("A chargeback, please", SUPPORT, "refund"),
        ("Where is my invoice", SUPPORT, "billing"),
        ("My bill is wrong", SUPPORT, "billing"),
        ("please cancel it", CANCEL, ""),
    ],
)
def test_words_choose_tool_and_intent(text: str, tool: ToolOffer, intent: str) -> None:
    """The words of intents and descriptions, in any ending, decide where a customer's text leads."""
    choice = choose(text, [SUPPORT, CANCEL])
    assert choice is not None
    assert (choice.tool, choice.intent) == (tool, intent)


@pytest.mark.parametrize("text", ["", "Hello", "This customer must ask about that"])
def test_nothing_fits_small_talk(text: str) -> None:
    """Words that say nothing choose nothing."""
    assert choose(text, [SUPPORT, CANCEL]) is None


def test_the_first_of_equals_is_chosen() -> None:
    """Two tools with the same words: the one that was offered first."""
    twin = ToolOffer("Twin", CANCEL.description, "https://other.example/")
    choice = choose("cancel my order", [twin, CANCEL])
    assert choice is not None
    assert choice.tool is twin


def test_the_closing_sentence_follows_from_the_answer() -> None:
    """What is said to the model never reaches the customer as it stands; a success is passed on, an end is silent."""
    ours = Messages()
    assert closing_sentence("Our refunds desk takes over now.") == "Thank you. Our refunds desk takes over now."
    assert closing_sentence("") == APOLOGY
    assert closing_sentence(ours.failure) == APOLOGY
    assert not closing_sentence(ours.already)
    for sentence in (ours.pending, ours.declined, ours.closed, ours.no_room, ours.unknown_conversation, ours.dry_run):
        assert "tool" not in closing_sentence(sentence)
        assert sentence not in closing_sentence(sentence)
