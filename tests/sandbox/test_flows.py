from __future__ import annotations

import json
from typing import Any

import pytest

from router.model.webhook import WebhookSpec
from router.sandbox.executions import AUTHOR
from router.sandbox.flows import ROUTER, shipped_flows
from tests.fixtures import running_sandbox
from tests.sandbox.client import call

REFUNDS, BILLING = shipped_flows()


async def fetched(revision: str, **options: Any) -> tuple[int, dict[str, Any]]:
    async with running_sandbox(**options) as sandbox:
        answer = await call(sandbox, "GET", f"/v2/Flows/{REFUNDS}{revision}")
        return answer.status, answer.body


@pytest.mark.parametrize(
    ("options", "newest", "published"),
    [
        ({}, ("published", 1), ("published", 1)),
        ({"drafts": [REFUNDS]}, ("draft", 1), None),
        ({"drafts": [REFUNDS], "earlier": {REFUNDS: shipped_flows()[BILLING]}}, ("draft", 2), ("published", 1)),
        ({"earlier": {REFUNDS: shipped_flows()[BILLING]}}, ("published", 1), ("published", 1)),
    ],
)
async def test_a_flow_has_its_newest_and_its_published_revision(
    options: dict[str, Any], newest: tuple[str, int], published: tuple[str, int] | None
) -> None:
    """A draft may lie over what was published; without that nothing was (FLOW-REVISIONS)."""
    for name in ("", "/Revisions/LatestRevision", f"/Revisions/{newest[1]}"):
        status, body = await fetched(name, **options)
        assert (status, body["status"], body["revision"]) == (200, *newest)
        assert body["definition"] == shipped_flows()[REFUNDS]
    status, body = await fetched("/Revisions/LatestPublished", **options)
    if published is None:
        assert (status, body["code"]) == (404, 20404)
    else:
        assert (status, body["status"], body["revision"]) == (200, *published)
        assert body["definition"] == shipped_flows()[REFUNDS if newest == published else BILLING]


async def test_an_invalid_flow_says_why() -> None:
    """It is not valid and has its errors; what was published before it had none."""
    earlier = {REFUNDS: shipped_flows()[BILLING]}
    options = {"drafts": [REFUNDS], "earlier": earlier, "invalid": {REFUNDS: ["no such widget"]}}
    _, newest = await fetched("", **options)
    assert newest["valid"] is False
    assert [error["message"] for error in newest["errors"]] == ["no such widget"]
    _, published = await fetched("/Revisions/LatestPublished", **options)
    assert (published["valid"], published["errors"]) == (True, [])


@pytest.mark.parametrize("has_earlier", [False, True])
async def test_a_draft_changes_nothing_for_customers(has_earlier: bool) -> None:
    """What was published before the draft answers them; where nothing was, nobody does (PUBLISHED)."""
    earlier = {BILLING: shipped_flows()[REFUNDS]} if has_earlier else {}
    async with running_sandbox(drafts=[BILLING], earlier=earlier) as sandbox:
        conversation = sandbox.open_conversation(webhooks=[WebhookSpec.studio(BILLING)])
        await sandbox.customer_says(conversation, "Hello")
        await sandbox.customer_says(conversation, "4711")
        said = [message.body for message in conversation.messages if message.author == AUTHOR]
        assert any("order 4711" in text for text in said) is has_earlier
        assert bool(said) is has_earlier


def test_the_shipped_flows_call_ones_own_router() -> None:
    """The router's base URL is set as one sets it in Studio; nothing else changes."""
    placed = json.dumps(shipped_flows("http://127.0.0.1:8000"))
    assert '"http://127.0.0.1:8000/-/hand-back"' in placed
    assert json.loads(placed.replace("http://127.0.0.1:8000", ROUTER)) == shipped_flows()
