from __future__ import annotations

from typing import Any

import pytest

from router.errors import TwilioRefused, TwilioUncertain
from router.model.gateway import Message
from router.model.webhook import WebhookSpec
from router.twilio.reading import attributes_of, attributes_text, message_of, webhook_of
from tests.twilio.stub import FW, WH


def webhook(**changes: Any) -> dict[str, Any]:
    return {"sid": WH, "target": "webhook", "configuration": {}} | changes


def test_a_webhook_keeps_what_is_needed_to_put_it_back() -> None:
    """Everything that creation takes is read, under its names in snake case (WEBHOOK-CONFIGURATION)."""
    configuration = {
        "url": "https://bot.example/",
        "method": "POST",
        "filters": ["onMessageAdded", "onMessageUpdated"],
        "triggers": ["stop"],
        "flow_sid": FW,
    }
    found = webhook_of("list_webhooks", webhook(configuration=configuration))
    assert found.sid == WH
    assert found.spec == WebhookSpec(
        "webhook", "https://bot.example/", "POST", ("onMessageAdded", "onMessageUpdated"), ("stop",), FW
    )


def test_what_twilio_leaves_out_is_empty() -> None:
    """Nulls and missing keys of a configuration are empty values."""
    found = webhook_of("list_webhooks", webhook(target=None, configuration={"url": None, "filters": None}))
    assert found.spec == WebhookSpec("")


@pytest.mark.parametrize(
    "found", [webhook(sid=None), webhook(sid="WH1"), webhook(sid=WH + "\n"), webhook(configuration=None)]
)
def test_a_webhook_without_sid_or_configuration_is_uncertain(found: dict[str, Any]) -> None:
    """An answer that does not show the webhook is no proof that there is one."""
    with pytest.raises(TwilioUncertain, match="without SID or configuration"):
        webhook_of("create_webhook", found)


def test_a_message_is_read() -> None:
    """Index 0 is an index; a message by REST has no participant."""
    found = {"index": 0, "author": None, "participant_sid": None}
    assert message_of("newest_message", found) == Message(0, "", "")


@pytest.mark.parametrize("index", [None, "first"])
def test_a_message_without_index_is_uncertain(index: object) -> None:
    """A replay needs the index, so a message without one is not guessed at."""
    with pytest.raises(TwilioUncertain, match="without index"):
        message_of("newest_message", {"index": index, "author": "a", "participant_sid": "MB"})


def test_attributes_are_read() -> None:
    """Attributes are the JSON object in the text."""
    assert attributes_of("fetch_attributes", '{"a": {"b": [1, "ü"]}}') == {"a": {"b": [1, "ü"]}}


@pytest.mark.parametrize("text", [None, "", "null", "[]", '"{}"', '{"a":', '{"a": NaN}', "[" * 100_000])
def test_attributes_that_are_no_object_are_uncertain(text: object) -> None:
    """A failed read must never be followed by a write: that would lose what others wrote."""
    with pytest.raises(TwilioUncertain, match="are no JSON object; nothing was written"):
        attributes_of("fetch_attributes", text)


def test_attributes_are_written_short() -> None:
    """No blanks and no escapes are spent of the 16 kB."""
    assert attributes_text("write_attributes", {"a": ["ü", 1]}) == '{"a":["ü",1]}'


def test_what_utf_8_cannot_carry_is_escaped() -> None:
    """A lone surrogate that somebody wrote as an escape goes back as an escape."""
    assert attributes_text("write_attributes", {"a": "\ud800"}) == '{"a":"\\ud800"}'


def test_attributes_may_have_16_kb_and_not_a_byte_more() -> None:
    """Twilio's limit is checked before sending, in bytes and not in letters (ATTRIBUTES)."""
    room = 16384 - len('{"a":""}')
    assert len(attributes_text("write_attributes", {"a": "x" * room})) == 16384
    for text in ("x" * (room + 1), "ü" * (room // 2 + 1)):
        with pytest.raises(TwilioRefused, match="16384 are allowed") as caught:
            attributes_text("write_attributes", {"a": text})
        assert caught.value.code == 50303


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_is_no_json_is_refused_before_sending(value: object) -> None:
    """A plugin that gives something else than JSON gets Twilio's answer without asking Twilio."""
    with pytest.raises(TwilioRefused, match="no JSON") as caught:
        attributes_text("write_attributes", {"a": value})
    assert caught.value.code == 50304
