"""What a journal notes, it notes once."""

from __future__ import annotations

from router.ledger.journal import Journal
from router.model.webhook import ScopedWebhook, WebhookSpec

AGENT = ScopedWebhook("WH1", WebhookSpec("webhook", "https://agent.example/in", "POST"))
AGENT_AGAIN = ScopedWebhook("WH2", WebhookSpec("webhook", "https://agent.example/in", "post", ("onMessageAdded",)))
LOGGER = ScopedWebhook("WH3", WebhookSpec("webhook", "https://logs.example/in"))


def test_a_journal_keeps_each_webhook_once() -> None:
    """A webhook that came back under another SID, worded differently, is the same where it leads to the same."""
    journal = Journal().with_removed(AGENT).with_removed(AGENT_AGAIN, LOGGER)
    assert journal.removed == (AGENT, LOGGER)
    assert journal.with_removed() == journal


def test_a_journal_keeps_each_doubt_once() -> None:
    """In the order in which they came up."""
    assert Journal(doubts=("b",)).with_doubts("a", "b", "a").doubts == ("b", "a")


def test_a_journal_keeps_what_was_there_at_the_beginning() -> None:
    """Nothing seen is no news; what is seen replaces what was."""
    journal = Journal().seen((AGENT,))
    assert journal.present == (AGENT,)
    assert journal.seen(()) == journal
    assert journal.seen((LOGGER,)).present == (LOGGER,)
