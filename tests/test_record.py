"""What is known of a handover when its call is long over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from router.ledger.row import Row
from router.model.handover import Handover
from router.model.routes import Intent, Route, Routes, Tool
from router.record import handover_of, route_of

ROW = Row(
    id="HO1",
    conversation="CH1",
    service="IS1",
    created=datetime(2026, 8, 1, tzinfo=UTC),
    tool="/tools/support",
    intent="refund",
    flow="FW1",
    caller="ai_assistants",
    identity="whatsapp:+1…00",
    success="The desk takes over.",
)
REFUND, TOOLS = Route(flow="FW1"), Route(flow="FW2")
TOOL = Tool("/tools/support", TOOLS, intents={"refund": Intent("refund", REFUND)})


def test_a_row_tells_all_but_the_inputs() -> None:
    """The person as the ledger has them, masked; the sentence that the model is told; the time of the call."""
    assert handover_of(ROW) == Handover(
        id="HO1",
        tool="/tools/support",
        intent="refund",
        flow="FW1",
        message="The desk takes over.",
        conversation="CH1",
        service="IS1",
        identity="whatsapp:+1…00",
        inputs={},
        caller="ai_assistants",
        at=ROW.created,
    )


@pytest.mark.parametrize(
    ("tools", "intent", "route"),
    [
        ({"/tools/support": TOOL}, "refund", REFUND),
        ({"/tools/support": TOOL}, "gone", TOOLS),
        ({"/tools/support": TOOL}, "", TOOLS),
        ({}, "refund", Route()),
    ],
)
def test_its_route_is_that_of_now(tools: dict[str, Tool], intent: str, route: Route) -> None:
    """Of its intent, else of its tool; one that is gone since does as the default."""
    assert route_of(ROW.change(intent=intent), Routes(tools, {}, ())) is route or route == Route()
