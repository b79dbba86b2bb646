from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import TwilioBusy, TwilioRefused, TwilioUncertain
from router.twilio.gateway import TwilioGateway
from tests.twilio.stub import (
    WH,
    Reply,
    Stub,
    error_json,
)

if TYPE_CHECKING:
    from router.model.call import ConversationRef
    from router.twilio.transport import RequestRecord
from tests.twilio.verbs import BROKEN, BUSY, CREATED, CUT, FAILED, SAFE, STUDIO, UNSAFE, VERBS


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_what_twilio_did_not_take_up_is_repeated(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, pauses: list[float], verb: str
) -> None:
    """429 without ``Retry-After`` is repeated with growing pauses, whatever the request."""
    act, reply = VERBS[verb]
    stub.answers(BUSY, BUSY, reply)
    await act(gateway, where)
    assert len(stub.seen) == 3
    assert pauses == [pytest.approx(0.15), pytest.approx(0.3)]


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_two_repeats_are_enough(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord], verb: str
) -> None:
    """After the third refusal to take it up, the error goes up; each attempt was recorded."""
    act, _ = VERBS[verb]
    stub.rule = lambda _: BUSY
    with pytest.raises(TwilioBusy) as caught:
        await act(gateway, where)
    assert caught.value.operation == verb
    assert [(record.operation, record.status, record.code) for record in records] == [(verb, 429, 20429)] * 3


@pytest.mark.parametrize("reply", [CUT, BROKEN, FAILED, Reply({}, 201), Reply("<p>", 503), Reply(b"", 302)])
@pytest.mark.parametrize("verb", UNSAFE)
async def test_what_a_late_effect_would_change_is_never_repeated_after_an_uncertain_end(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, pauses: list[float], reply: Reply, verb: str
) -> None:
    """The SDK's own retries would create twice (SDK-RETRIES), and a late redirect overrules: the caller decides."""
    stub.answers(reply, CREATED)
    with pytest.raises(TwilioUncertain):
        await VERBS[verb][0](gateway, where)
    assert len(stub.seen) == 1
    assert pauses == []


@pytest.mark.parametrize("reply", [CUT, BROKEN, FAILED])
@pytest.mark.parametrize("verb", SAFE)
async def test_what_is_the_same_twice_is_repeated_after_an_uncertain_end(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, verb: str, reply: Reply
) -> None:
    """Reading, deleting and setting an absolute value may be done again."""
    act, good = VERBS[verb]
    stub.answers(reply, reply, good)
    await act(gateway, where)
    assert len(stub.seen) == 3


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"end_execution"}))
async def test_a_refusal_is_not_repeated(stub: Stub, gateway: TwilioGateway, where: ConversationRef, verb: str) -> None:
    """Asking again would bring the same answer."""
    act, _ = VERBS[verb]
    stub.rule = lambda _: Reply(error_json(50377, "closed"), 400)
    with pytest.raises(TwilioRefused) as caught:
        await act(gateway, where)
    assert (caught.value.operation, caught.value.code, len(stub.seen)) == (verb, 50377, 1)


@pytest.mark.parametrize(("header", "expected"), [("3", 3.05), ("Mon, 05 Oct 2026 12:00:04 GMT", 4.05), ("0", 0.15)])
async def test_the_pause_that_twilio_asks_for_is_kept(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, pauses: list[float], header: str, expected: float
) -> None:
    """``Retry-After`` in both its forms decides how long we wait (RETRY-AFTER)."""
    stub.answers(Reply(error_json(20429), 429, {"Retry-After": header}), CREATED)
    await gateway.create_webhook(where, STUDIO)
    assert pauses == [pytest.approx(expected)]


async def test_a_pause_that_is_too_long_is_given_up(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, pauses: list[float]
) -> None:
    """Nobody waits a minute for an answer: the error goes up at once."""
    stub.answers(Reply(error_json(20429), 429, {"Retry-After": "60"}), CREATED)
    with pytest.raises(TwilioBusy):
        await gateway.create_webhook(where, STUDIO)
    assert (len(stub.seen), pauses) == (1, [])


@pytest.mark.parametrize("code", [50391, 50349, 50449, 50063, 50074])
async def test_conflicts_are_repeated(stub: Stub, gateway: TwilioGateway, where: ConversationRef, code: int) -> None:
    """A conflicting change, or too many actions a second, is over soon (ERROR-CODES)."""
    stub.answers(Reply(error_json(code, status=409), 409), CREATED)
    assert (await gateway.create_webhook(where, STUDIO)).sid == WH


async def test_headers_are_kept_on_failure_too(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """The SDK's ``*_with_http_info`` shows headers on success only (SDK-INFO); the request id is there in every end."""
    stub.answers(
        Reply(error_json(50000), 500, {"Twilio-Request-Id": "RQ1"}),
        Reply({"attributes": "{}"}, 200, {"Twilio-Request-Id": "RQ2"}),
    )
    await gateway.fetch_attributes(where)
    assert [(record.status, record.request_id) for record in records] == [(500, "RQ1"), (200, "RQ2")]


async def test_retry_with_the_real_clock(stub: Stub, credentials: Any, where: ConversationRef) -> None:
    """Without any settings of its own the gateway waits on the real clock and records for nobody."""
    stub.answers(BUSY, CREATED)
    async with TwilioGateway(credentials, base_url=stub.url) as gateway:
        assert (await gateway.create_webhook(where, STUDIO)).sid == WH


@pytest.mark.parametrize("verb", ["delete_webhook", "end_execution"])
@pytest.mark.parametrize("last", [BUSY, Reply(error_json(20003, "no", 401), 401)])
async def test_a_doubt_outlives_what_the_repeats_are_told(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, verb: str, last: Reply
) -> None:
    """The first attempt may have been done, so a clear no to a later one makes nothing certain."""
    act, _ = VERBS[verb]
    stub.answers(CUT, last, last)
    with pytest.raises(TwilioUncertain):
        await act(gateway, where)


async def test_a_deletion_in_doubt_is_certain_once_it_is_gone(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """The first attempt was done, its answer got lost, and the second finds nothing: that is success."""
    stub.answers(CUT, Reply(error_json(50360, "gone", 404), 404))
    await gateway.delete_webhook(where, WH)
    assert len(stub.seen) == 2


@pytest.mark.parametrize("failure", [BUSY, CUT, FAILED])
async def test_attributes_are_read_anew_before_they_are_written_again(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, failure: Reply
) -> None:
    """What somebody else wrote while we waited is kept (ATTRIBUTES)."""
    stub.answers(failure, Reply({"attributes": '{"theirs": 2}'}), Reply({"attributes": "{}"}))
    await gateway.change_attributes(where, lambda now: {**now, "ours": 1}, {"theirs": 1})
    assert [seen.method for seen in stub.seen] == ["POST", "GET", "POST"]
    written = [json.loads(seen.form["Attributes"][0]) for seen in stub.seen if seen.method == "POST"]
    assert written == [{"theirs": 1, "ours": 1}, {"theirs": 2, "ours": 1}]


async def test_attributes_that_nobody_read_are_read_first(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """Without an earlier read the change is made to those that are there."""
    stub.answers(Reply({"attributes": '{"a": 1, "b": 2}'}), Reply({"attributes": "{}"}))
    await gateway.change_attributes(where, lambda now: {"b": now["b"]})
    assert [seen.method for seen in stub.seen] == ["GET", "POST"]
    assert json.loads(stub.seen[1].form["Attributes"][0]) == {"b": 2}
