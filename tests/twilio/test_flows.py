from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from router.errors import TwilioRefused, TwilioUncertain
from router.model.flow import FlowRevision
from router.twilio.reading import flow_of
from tests.oai import Description, descriptions_folder
from tests.twilio.stub import AC, FW, Reply, Stub, error_json, flow_json

if TYPE_CHECKING:
    from router.twilio.gateway import TwilioGateway

STARTS = {"incomingConversationMessage": "greet"}
ABSENT = Reply(error_json(20404, "not found", 404), 404)
FLOW = f"/v2/Flows/{FW}"


async def test_a_flow_is_read_as_it_was_saved_last(stub: Stub, gateway: TwilioGateway) -> None:
    """The owner, the state, and the events that lead somewhere; those that lead nowhere are left out."""
    stub.answers(Reply(flow_json(status="draft")))
    found = await gateway.newest_revision(FW)
    assert found == FlowRevision(AC, is_published=False, is_valid=True, errors=(), starts=STARTS)
    assert [(seen.method, seen.target) for seen in stub.seen] == [("GET", FLOW)]


async def test_a_flow_is_read_as_it_runs(stub: Stub, gateway: TwilioGateway) -> None:
    """The newest published revision is asked for by its name (FLOW-REVISIONS)."""
    stub.answers(Reply(flow_json()))
    found = await gateway.published_revision(FW)
    assert found == FlowRevision(AC, is_published=True, is_valid=True, errors=(), starts=STARTS)
    assert [seen.target for seen in stub.seen] == [f"{FLOW}/Revisions/LatestPublished"]


async def test_no_flow_is_none_and_a_refusal_is_raised(stub: Stub, gateway: TwilioGateway) -> None:
    """That there is none is an answer; that we may not ask is not."""
    stub.answers(ABSENT, ABSENT, Reply(error_json(20003, "Authenticate", 401), 401))
    assert await gateway.newest_revision(FW) is None
    assert await gateway.published_revision(FW) is None
    with pytest.raises(TwilioRefused, match="does not know these credentials"):
        await gateway.newest_revision(FW)


async def test_only_a_flow_sid_is_asked_about(stub: Stub, gateway: TwilioGateway) -> None:
    """The SDK puts what it is given into the path (SDK-PATH): anything but a Flow SID stays here."""
    for verb in (gateway.newest_revision, gateway.published_revision):
        with pytest.raises(ValueError, match="expected FW and 32 hex digits"):
            await verb("FW1/../Executions")
    assert stub.seen == []


async def test_the_requests_are_described(stub: Stub, gateway: TwilioGateway) -> None:
    """Both requests stand in Twilio's own description of Studio."""
    stub.rule = lambda _: Reply(flow_json())
    description = Description.load(descriptions_folder(), "studio_v2")
    await gateway.newest_revision(FW)
    await gateway.published_revision(FW)
    for seen in stub.seen:
        description.check_request(seen.method, seen.target, {}, seen.form)
    assert len(stub.seen) == 2


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([{"property_path": "#/states/1", "message": "next is\nmissing"}], ("#/states/1: next is missing",)),
        ([{"message": "no trigger"}, "two widgets of one name"], ("no trigger", "two widgets of one name")),
        ([{"reason": 5}], ('{"reason": 5}',)),
        (None, ()),
    ],
)
def test_why_a_flow_is_not_valid_is_read_in_any_shape(errors: Any, expected: tuple[str, ...]) -> None:
    """No shape is documented (FLOW-ERRORS): texts are taken where they are, and made fit for a line."""
    found = flow_of("newest_revision", flow_json(valid=False, errors=errors))
    assert (found.is_valid, found.errors) == (False, expected)


def test_what_twilio_does_not_say_is_no_fault() -> None:
    """``valid`` may be null, as for revisions in a list; errors count only where it is false."""
    found = flow_of("newest_revision", flow_json(valid=None, errors=["x"]))
    assert (found.is_valid, found.errors) == (True, ())


@pytest.mark.parametrize(
    ("definition", "starts"),
    [
        ({"initial_state": "Trigger", "states": []}, {}),
        ({"initial_state": "T", "states": [{"name": "T", "transitions": [{"event": "incomingCall"}]}]}, {}),
        (
            {"initial_state": "T", "states": [{"name": "T", "transitions": [{"event": "incomingCall", "next": "a"}]}]},
            {"incomingCall": "a"},
        ),
    ],
)
def test_the_trigger_is_the_initial_state(definition: Any, starts: dict[str, str]) -> None:
    """Only what leads from there to a widget starts the flow (TRIGGER)."""
    assert flow_of("newest_revision", flow_json(definition=definition)).starts == starts


@pytest.mark.parametrize(
    "changes",
    [
        {"definition": None},
        {"definition": "{}"},
        {"definition": {"initial_state": "Trigger"}},
        {"definition": {"initial_state": "T", "states": [{"name": "T"}]}},
        {"definition": {"initial_state": "T", "states": ["T"]}},
        {"account_sid": None},
    ],
)
def test_a_flow_that_cannot_be_read_is_uncertain(changes: dict[str, Any]) -> None:
    """Without owner or definition nothing can be said of a flow, neither good nor bad."""
    with pytest.raises(TwilioUncertain, match="without account or definition"):
        flow_of("newest_revision", flow_json(**changes))
