from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.web.kit import BILLING, REFUNDS, UNLISTED, hashed

if TYPE_CHECKING:
    from tests.web.kit import Router

TOOL = "/tools/studio-handover"
SENTENCE = "A colleague takes over. ¡Adiós!"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(("flow_name", "message_name"), [("flowSid", "successMessage"), ("FlowSid", "SuccessMessage")])
async def test_the_published_recipes_url_works(router: Router, method: str, flow_name: str, message_name: str) -> None:
    """The URL of the recipe names flow and sentence, in both spellings, as POST with ``{}`` and as GET."""
    target = f"{TOOL}?{flow_name}={BILLING}&{message_name}={quote(SENTENCE)}"
    reply = await router.call(target, {} if method == "POST" else None, method=method)
    assert (reply.json["outcome"], reply.json["message"], reply.json["flow"]) == ("handed_over", SENTENCE, BILLING)
    assert router.flows == [BILLING]


async def test_the_recipe_works_as_twilio_calls_it(router: Router) -> None:
    """Signed, with the body's hash, and answered with the sentence alone, as the recipe's Function does."""
    reply = await router.signed(hashed(f"{TOOL}?flowSid={BILLING}&successMessage=Done+it", b"{}"), b"{}")
    assert (reply.status, reply.text) == (200, "Done it")
    assert router.flows == [BILLING]


async def test_without_parameters_the_tool_has_its_own(router: Router) -> None:
    """A URL that sets nothing, or blanks, leaves flow and sentence to ``routes.yaml``."""
    reply = await router.call(f"{TOOL}?flowSid=&successMessage=%20%0A", {})
    assert (reply.json["flow"], reply.json["message"]) == (REFUNDS, "Conversation handed over")


async def test_the_same_value_twice_is_one_value(router: Router) -> None:
    """A parameter that is repeated as it is, in one spelling or in both, is no conflict."""
    target = f"{TOOL}?flowSid={BILLING}&flowSid={BILLING}&FlowSid={BILLING}&successMessage=S&SuccessMessage=S"
    reply = await router.call(target, {})
    assert (reply.json["flow"], reply.json["message"]) == (BILLING, "S")


@pytest.mark.parametrize(
    "query",
    [
        f"flowSid={BILLING}&flowSid={REFUNDS}",
        f"flowSid={BILLING}&FlowSid={REFUNDS}",
        f"flowSid={BILLING}&FlowSid=",
        f"flowSid={BILLING}&successMessage=a&successMessage=b",
        f"flowSid={BILLING}&successMessage=a&SuccessMessage=b",
        f"flowSid={UNLISTED}",
        f"FlowSid={UNLISTED}",
        f"flowSid={BILLING}%0A",
        f"flowSid={BILLING.lower()}",
        f"flowSid={BILLING}/../{REFUNDS}",
        "flowSid=billing",
        "flowSid=FW",
    ],
)
async def test_a_conflict_or_an_unlisted_flow_is_declined(router: Router, query: str) -> None:
    """Two different values, or a flow that ``flows`` does not list by this very SID: nothing is asked of Twilio."""
    reply = await router.call(f"{TOOL}?{query}", {})
    assert reply.json["outcome"] == "declined"
    assert router.sandbox.requests == []
    (entry,) = [entry for entry in router.entries if entry["event"] == "handover"]
    assert "flowSid" in entry["detail"] or "successMessage" in entry["detail"]


@pytest.mark.parametrize("name", ["flowSid", "FlowSid"])
@pytest.mark.parametrize("flow", [BILLING, UNLISTED])
async def test_a_model_cannot_name_a_flow(router: Router, name: str, flow: str) -> None:
    """What the body says of a flow or of the sentence is ignored, listed or not: the URL is the administrator's."""
    reply = await router.call(TOOL, {name: flow, "successMessage": "Mine", "SuccessMessage": "Mine"})
    assert (reply.json["flow"], reply.json["message"]) == (REFUNDS, "Conversation handed over")
    assert router.flows == [REFUNDS]


async def test_a_model_cannot_contradict_the_url(router: Router) -> None:
    """Where the URL names the flow, a body that names another one makes no conflict."""
    reply = await router.call(f"{TOOL}?flowSid={BILLING}", {"flowSid": REFUNDS, "FlowSid": REFUNDS})
    assert (reply.json["outcome"], reply.json["flow"]) == ("handed_over", BILLING)


async def test_a_tool_without_query_has_its_flow_from_the_file_alone(router: Router) -> None:
    """A tool that does not list ``flowSid`` under ``query`` is not led elsewhere by its URL."""
    reply = await router.call(f"/tools/any?flowSid={UNLISTED}&wish=refund", {})
    assert reply.json["flow"] == REFUNDS


async def test_a_long_sentence_is_cut(router: Router) -> None:
    """A sentence from the URL has one line and at most 1024 bytes, and its braces mean nothing."""
    reply = await router.call(f"{TOOL}?successMessage=%7Bintent%7D%0A{'%C3%A9' * 3000}", {})
    told = reply.json["message"]
    assert told.startswith("{intent} é")
    assert len(told.encode()) in (1023, 1024)
