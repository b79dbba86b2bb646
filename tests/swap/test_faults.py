"""Each request of a swap meets each fault, once and for a while: somebody answers, and the sentence is true."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from router.handover import hand_over
from router.model.outcome import Outcome
from router.model.webhook import WebhookSpec
from router.sandbox.faults import Kind
from tests.kit import (
    AGENT_URL,
    BILLING,
    CREATE,
    DELETE,
    FETCH,
    FOREIGN,
    HASTY,
    LIST,
    NEWEST,
    REDIRECT,
    REFUNDS,
    WRITE,
    arm,
    call,
    flows,
    foreign,
    open_desk,
    settled,
    witness,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from router.desk import Desk
    from router.model.outcome import Answer
    from router.sandbox.sandbox import Responder, Sandbox
    from router.sandbox.world import Conversation

A_WHILE = 12
"""So many requests in a row are struck: more than the repeats, the looks between them and the first repairs."""

FAULTS: dict[str, dict[str, Any]] = {
    "rate limited": {"kind": Kind.RATE_LIMITED},
    "rate limited, wait": {"kind": Kind.RATE_LIMITED, "retry_after": 1},
    "rate limited, wait long": {"kind": Kind.RATE_LIMITED, "retry_after": 60},
    "unavailable": {"kind": Kind.UNAVAILABLE},
    "server error": {"kind": Kind.SERVER_ERROR},
    "HTML error": {"kind": Kind.HTML_ERROR},
    "cut before": {"kind": Kind.CUT_BEFORE},
    "cut after": {"kind": Kind.CUT_AFTER},
    "slow before": {"kind": Kind.SLOW, "delay": HASTY.total + 0.03},
    "slow after": {"kind": Kind.SLOW_AFTER, "delay": HASTY.total + 0.03},
    "bad JSON": {"kind": Kind.BAD_JSON},
    "refused 401": {"kind": Kind.REFUSED, "status": 401, "code": 20003},
    "refused 404": {"kind": Kind.REFUSED, "status": 404, "code": 20404},
    "refused 50361": {"kind": Kind.REFUSED, "code": 50361},
    "refused 50377": {"kind": Kind.REFUSED, "code": 50377},
    "refused 50391": {"kind": Kind.REFUSED, "status": 409, "code": 50391},
}

NOTHING_IS_OWED = {
    ("full house", CREATE): ("refused 404", "refused 50377"),
    ("room", DELETE): ("refused 404",),
    ("another flow and the agent", DELETE): ("refused 404",),
}
"""What Twilio says here is believed: such a conversation is lost or closed, and such a webhook is gone already."""

SITUATIONS: dict[str, tuple[bool, tuple[WebhookSpec, ...]]] = {
    "room": (True, FOREIGN[:2]),
    "full house": (True, FOREIGN[:4]),
    "another flow": (False, (WebhookSpec.studio(BILLING), FOREIGN[0])),
    "another flow and the agent": (True, (WebhookSpec.studio(BILLING), FOREIGN[0])),
}

MATRIX = [
    *itertools.product(["room"], [LIST, FETCH, NEWEST, WRITE, CREATE, DELETE]),
    *itertools.product(["full house"], [LIST, WRITE, CREATE, DELETE]),
    *itertools.product(["another flow"], [LIST, REDIRECT]),
    *itertools.product(["another flow and the agent"], [REDIRECT, DELETE]),
]

PLUGIN = """
@hookimpl
def add_attributes(handover):
    return {"ours": handover.id}
"""
ROUTES = """
defaults: {replay: last_message}
plugins: [{use: notes}]
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One handover with one fault, and what was seen of it."""

    name: str
    conversation: Conversation
    foreign: Sequence[object]
    seen: list[tuple[Responder, ...]]
    answer: Answer

    def complaints(self) -> list[str]:
        """List what is not as it was promised."""
        ours, outcome = flows(self.conversation), self.answer.outcome
        right = {
            "one responder at the end": len(self.seen[-1]) == (1 if REFUNDS in ours else len(self.seen[0])),
            "nobody alone on the way": all(self.seen) or self.name.startswith("full house"),
            "others' webhooks untouched": foreign(self.conversation) == self.foreign,
            "others' attributes kept": '"theirs"' in self.conversation.attributes,
            "handed over means that the flow answers": outcome != Outcome.HANDED_OVER or ours == [REFUNDS],
            "failed means that it does not": outcome != Outcome.FAILED or REFUNDS not in ours,
            "a flow has its attributes": outcome != Outcome.HANDED_OVER or '"ours"' in self.conversation.attributes,
            "an outcome that fits": outcome in (Outcome.HANDED_OVER, Outcome.FAILED, Outcome.PENDING),
        }
        return [f"{self.name}: {promise} ({outcome})" for promise, kept in right.items() if not kept]


async def play(sandbox: Sandbox, desk: Desk, situation: str, request: tuple[str, str], fault: str, times: int) -> Case:
    """Hand over one conversation of its own with one fault in the way."""
    with_agent, webhooks = SITUATIONS[situation]
    conversation = sandbox.open_conversation(agent_url=AGENT_URL if with_agent else None, webhooks=webhooks)
    conversation.attributes = '{"theirs": 1}'
    sandbox.world.add_message(conversation, author=conversation.customer.address, body="I want my money back")
    before, seen = foreign(conversation), witness(sandbox, conversation)
    arm(sandbox, conversation, request, **FAULTS[fault], times=times)
    answer = await hand_over(call(conversation), desk)
    name = f"{situation}, {' '.join(request)} {fault} x {times}"
    return Case(name, conversation, before, seen, answer)


@pytest.mark.parametrize(("situation", "request_"), MATRIX, ids=lambda value: str(value).replace("/", ""))
async def test_no_fault_leaves_a_customer_alone_or_the_model_misled(
    sandbox: Sandbox, tmp_path: Path, situation: str, request_: tuple[str, str]
) -> None:
    """After the dust has settled one responder is there and the sentence is true, whatever went wrong where."""
    async with open_desk(sandbox, tmp_path, ROUTES, plugins={"notes": PLUGIN}, limits=HASTY) as desk:
        cases = await asyncio.gather(
            *(
                play(sandbox, desk, situation, request_, fault, times)
                for fault, times in itertools.product(FAULTS, (1, A_WHILE))
                if fault not in NOTHING_IS_OWED.get((situation, request_), ())
            )
        )
        await settled(desk)
    assert [complaint for case in cases for complaint in case.complaints()] == []
    assert {case.answer.outcome for case in cases} >= {Outcome.HANDED_OVER}
