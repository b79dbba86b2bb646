from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import TwilioRefused, TwilioUncertain
from router.model.execution import Execution, Executions
from router.twilio.gateway import MOST_EXECUTIONS
from router.twilio.reading import execution_of
from tests.oai import Description, descriptions_folder
from tests.twilio.stub import CH, FN, FW, Reply, Stub, error_json, execution_json, page_json
from tests.twilio.verbs import CUT, OF_EXECUTIONS, SINCE

if TYPE_CHECKING:
    from router.twilio.gateway import TwilioGateway

RUNS = f"/v2/Flows/{FW}/Executions"
RUN = f"{RUNS}/{FN}"
ABSENT = Reply(error_json(20404, "not found", 404), 404)
ENDED = Reply(execution_json(status="ended"))
NO = Reply(error_json(20001, "the execution has ended", 400), 400)


def as_executions(gateway: Executions) -> Executions:
    """Let mypy hold the gateway to what the way back expects of it."""
    return gateway


async def test_it_knows_executions(gateway: TwilioGateway) -> None:
    """It has every verb that the way back knows, with the same arguments."""
    assert as_executions(gateway) is gateway
    assert {name for name in vars(Executions) if not name.startswith("_")} == OF_EXECUTIONS


async def test_an_execution_is_fetched(stub: Stub, gateway: TwilioGateway) -> None:
    """One that runs and one that has ended are told apart; whose it is stays out of its repr."""
    stub.answers(Reply(execution_json()), Reply(execution_json(status="ended", contact_channel_address="+15550100")))
    assert await gateway.fetch_execution(FW, FN) == Execution(FN, FW, CH, is_active=True)
    found = await gateway.fetch_execution(FW, FN)
    assert found == Execution(FN, FW, "+15550100", is_active=False)
    assert "+15550100" not in repr(found)
    assert [(seen.method, seen.target) for seen in stub.seen] == [("GET", RUN)] * 2


async def test_no_execution_is_none_and_a_refusal_is_raised(stub: Stub, gateway: TwilioGateway) -> None:
    """That there is none is an answer; that we may not ask is not."""
    stub.answers(ABSENT, Reply(error_json(20003, "Authenticate", 401), 401))
    assert await gateway.fetch_execution(FW, FN) is None
    with pytest.raises(TwilioRefused, match="does not know these credentials"):
        await gateway.fetch_execution(FW, FN)


async def test_active_executions_are_listed_since_a_time(stub: Stub, gateway: TwilioGateway) -> None:
    """One page, from that moment in UTC on (SDK-TIMES); what has ended is left out (EXECUTION-LIST)."""
    other = "FN" + "9" * 32
    stub.answers(Reply(page_json("executions", execution_json(other, "ended"), execution_json())))
    here = SINCE.astimezone(timezone(timedelta(hours=2)))
    assert await gateway.active_executions(FW, here) == [Execution(FN, FW, CH, is_active=True)]
    (seen,) = stub.seen
    assert seen.target == f"{RUNS}?DateCreatedFrom=2026-10-05T11%3A30%3A00Z&PageSize=200"


async def test_only_so_many_executions_are_looked_through(stub: Stub, gateway: TwilioGateway) -> None:
    """A busy flow does not make us read page after page."""
    next_page = f"https://studio.twilio.com{RUNS}?PageSize=200&Page=1"
    page = page_json("executions", *[execution_json()] * MOST_EXECUTIONS, next_page_url=next_page)
    stub.rule = lambda _: Reply(page)
    assert len(await gateway.active_executions(FW, SINCE)) == MOST_EXECUTIONS
    assert len(stub.seen) == 1


async def test_an_execution_is_ended(stub: Stub, gateway: TwilioGateway) -> None:
    """One request with the status and nothing else (END-EXECUTION)."""
    stub.answers(ENDED)
    await gateway.end_execution(FW, FN)
    (seen,) = stub.seen
    assert (seen.method, seen.target, seen.form) == ("POST", RUN, {"Status": ["ended"]})


@pytest.mark.parametrize("replies", [(ABSENT, ABSENT), (NO, ENDED), (CUT, ENDED), (CUT, ABSENT, ABSENT)])
async def test_an_execution_that_has_ended_is_as_good(
    stub: Stub, gateway: TwilioGateway, replies: tuple[Reply, ...]
) -> None:
    """Unknown, refused since it has ended, or ended by an attempt whose answer was lost: it runs no more."""
    stub.answers(*replies)
    await gateway.end_execution(FW, FN)
    assert len(stub.seen) == len(replies)


async def test_a_refusal_to_end_what_runs_is_raised(stub: Stub, gateway: TwilioGateway) -> None:
    """Where it runs on, the refusal of the end goes up, and not what the look at it brought."""
    stub.answers(NO, Reply(execution_json()))
    with pytest.raises(TwilioRefused, match=r"end_execution: .*has ended"):
        await gateway.end_execution(FW, FN)
    assert [seen.method for seen in stub.seen] == ["POST", "GET"]


@pytest.mark.parametrize("odd", ["", "FN1", f"{FN}/Steps", f"{FN}\n", FW])
async def test_only_sids_reach_a_path(stub: Stub, gateway: TwilioGateway, odd: str) -> None:
    """The SDK puts what it is given into the path (SDK-PATH): anything but SIDs of both kinds stays here."""
    odd_flow = odd.replace("FN", "FW") if odd != FW else FN
    for verb in (gateway.fetch_execution, gateway.end_execution):
        with pytest.raises(ValueError, match="expected FN and 32 hex digits"):
            await verb(FW, odd)
        with pytest.raises(ValueError, match="expected FW and 32 hex digits"):
            await verb(odd_flow, FN)
    with pytest.raises(ValueError, match="expected FW and 32 hex digits"):
        await gateway.active_executions(odd_flow, SINCE)
    assert stub.seen == []


async def test_the_requests_are_described(stub: Stub, gateway: TwilioGateway) -> None:
    """Path, query and form of each of them fit Twilio's own description of Studio."""
    stub.answers(Reply(execution_json()), Reply(page_json("executions")), ENDED)
    description = Description.load(descriptions_folder(), "studio_v2")
    await gateway.fetch_execution(FW, FN)
    await gateway.active_executions(FW, datetime.now().astimezone())
    await gateway.end_execution(FW, FN)
    for seen in stub.seen:
        description.check_request(seen.method, *seen.asked, seen.form)
    assert len(stub.seen) == 3


@pytest.mark.parametrize(
    "changes", [{"sid": None}, {"sid": "FN1"}, {"flow_sid": CH}, {"status": None}, {"status": "x"}]
)
def test_an_execution_that_cannot_be_read_is_uncertain(changes: dict[str, Any]) -> None:
    """Whether it still runs decides when the agent comes back, so nothing is guessed."""
    with pytest.raises(TwilioUncertain, match="without SID, flow or status"):
        execution_of("fetch_execution", execution_json() | changes)


def test_an_execution_may_have_no_address() -> None:
    """Without one it is nobody's, which is no fault."""
    found = execution_of("fetch_execution", execution_json(contact_channel_address=None))
    assert found.address == ""
