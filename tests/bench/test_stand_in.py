"""The benchmarks' stand-in for Twilio, held to Twilio's own API description."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from bench.stand_in import AGENT, Twilio
from tests.oai import Description, descriptions_folder

WEBHOOKS = f"/v1/Services/IS{'1' * 32}/Conversations/CH{'2' * 32}/Webhooks"
STUDIO = {
    "Target": "studio",
    "Configuration.FlowSid": f"FW{'3' * 32}",
    "Configuration.Filters": ["onMessageAdded", "onMessageUpdated"],
}
AGENTS = {
    "Target": "webhook",
    "Configuration.Url": AGENT,
    "Configuration.Method": "post",
    "Configuration.Filters": ["onMessageAdded"],
}


def ask(twilio: Twilio, method: str, path: str, form: dict[str, str | list[str]] | None = None) -> Any:
    """Make a request that fits the description, and give an answer that does."""
    description = Description.load(descriptions_folder(), "conversations_v1")
    body = urlencode(form or {}, doseq=True)
    description.check_request(method, path, {}, parse_qs(body))
    status, shown = twilio.answer(method.encode(), path.encode(), body.encode())
    answer = json.loads(shown) if shown else None
    description.check_response(method, path, int(status[:3]), answer)
    return answer


@pytest.mark.parametrize("form", [STUDIO, AGENTS])
def test_a_swap_gets_the_answers_that_twilio_gives(form: dict[str, str | list[str]]) -> None:
    """Each answer fits the description, and shows what was asked for: listed after it was made, gone after that."""
    twilio = Twilio()
    (agent,) = ask(twilio, "GET", WEBHOOKS)["webhooks"]
    made = ask(twilio, "POST", WEBHOOKS, form)
    assert ask(twilio, "DELETE", f"{WEBHOOKS}/{agent['sid']}") is None
    assert ask(twilio, "GET", WEBHOOKS)["webhooks"] == [made]
    assert agent["configuration"] == {"url": AGENT, "method": "POST", "filters": ["onMessageAdded"]}
    assert made["target"] == form["Target"]
    assert made["configuration"]["filters"] == form["Configuration.Filters"]


def test_what_twilio_does_not_know_is_not_found() -> None:
    """A path of another resource is answered as Twilio does, and counted as nothing."""
    twilio = Twilio()
    status, shown = twilio.answer(b"GET", b"/v1/Services", b"")
    assert (status, json.loads(shown)["code"]) == (b"404 Not Found", 20404)
    assert not any(twilio.seen.requests.values())
