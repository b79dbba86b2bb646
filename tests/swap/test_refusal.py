from __future__ import annotations

import pytest

from router.errors import LedgerError, TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.hooks.failure import PluginFailed
from router.swap.refusal import is_final, is_outdated, sentence_for


def refused(code: int, status: int = 400) -> TwilioRefused:
    return TwilioRefused("create_webhook", "no", code=code, status=status)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TwilioBusy("create_webhook", "later", code=20429, status=429), "failure"),
        (TwilioUncertain("create_webhook", "no answer"), "failure"),
        (TwilioUncertain("create_webhook", "a page for people", status=404), "failure"),
        (refused(50374), "closed"),
        (refused(50377, 409), "closed"),
        (refused(50384), "closed"),
        (refused(50385), "failure"),
        (refused(20404, 404), "unknown_conversation"),
        (refused(50350), "unknown_conversation"),
        (refused(0, 404), "unknown_conversation"),
        (refused(50360, 404), "failure"),
        (refused(50361, 409), "no_room"),
        (refused(20003, 401), "failure"),
    ],
)
def test_each_refusal_has_the_sentence_that_is_true(error: TwilioError, sentence: str) -> None:
    """The model is told what another try could bring; a webhook that is gone says nothing of the conversation.

    For good is only what Twilio's own code says: a bare 404 may be a proxy's.
    """
    assert sentence_for(error) == sentence
    assert is_final(error) is (sentence in ("closed", "unknown_conversation") and error.code != 0)


def test_what_twilio_did_not_say_has_a_sentence_too() -> None:
    """A ledger that keeps nothing is told as such; of a plugin's failure the model need not know more."""
    assert sentence_for(LedgerError("the disk is full")) == "unrecorded"
    assert sentence_for(PluginFailed("before_swap", "it broke", "audit")) == "failure"


@pytest.mark.parametrize(("code", "outdated"), [(50360, True), (50361, True), (50377, False), (20404, False)])
def test_a_look_is_outdated_where_a_place_or_a_webhook_is_gone(code: int, outdated: bool) -> None:
    """Only what a second look could mend asks for one."""
    assert is_outdated(refused(code)) is outdated
