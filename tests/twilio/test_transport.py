from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioBusy, TwilioRefused, TwilioUncertain
from router.twilio.gateway import TwilioGateway
from router.twilio.transport import Limits, RequestRecord
from router.twilio.wire.answer import Answer
from tests.twilio.stub import (
    CONVERSATION,
    EMPTY,
    FW,
    RQ,
    WEBHOOKS,
    WH,
    Reply,
    Seen,
    Stub,
    error_json,
    free_port,
    page_json,
    webhook_json,
)
from tests.twilio.wire.talker import saying, talking

if TYPE_CHECKING:
    from router.clock import Clock
    from router.model.call import ConversationRef
    from router.twilio.credentials import Credentials


async def test_an_answer_in_time_is_an_answer(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """One attempt is one request and one record, with Twilio's id and without any address."""
    stub.answers(Reply(page_json("webhooks"), headers={"Twilio-Request-Id": RQ}))
    assert await gateway.list_webhooks(where) == []
    assert [(seen.method, seen.target) for seen in stub.seen] == [("GET", WEBHOOKS)]
    (record,) = records
    assert (record.operation, record.status, record.code, record.request_id) == ("list_webhooks", 200, 0, RQ)
    assert 0 < record.seconds < 5


async def test_the_request_id_and_the_pause_are_kept(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """The SDK's exceptions lose the headers (SDK-ERRORS); ours keep the request id and ``Retry-After``."""
    headers = {"Twilio-Request-Id": RQ, "Retry-After": "30"}
    stub.answers(Reply(error_json(20429, status=429), 429, headers))
    with pytest.raises(TwilioBusy) as caught:
        await gateway.list_webhooks(where)
    error = caught.value
    assert (error.status, error.code, error.request_id, error.retry_after) == (429, 20429, RQ, 30.0)
    assert (records[0].status, records[0].code, records[0].request_id) == (429, 20429, RQ)


async def test_requests_side_by_side_do_not_mix(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """The SDK keeps the last answer in one attribute (SDK-POOL); here each request has its own name and id."""

    def rule(seen: Seen) -> Reply:
        number = seen.target[-2:]
        delay = 0.02 if int(number, 16) % 2 else 0.0
        return Reply(error_json(50000 + int(number, 16)), 400, {"Twilio-Request-Id": f"RQ{number}"}, delay)

    stub.rule = rule
    numbers = range(0x10, 0x30)
    found = await asyncio.gather(
        *(gateway.delete_webhook(where, f"WH{number:032x}") for number in numbers),
        *(gateway.redirect_webhook(where, f"WH{number:032x}", FW) for number in numbers),
        return_exceptions=True,
    )
    expected = [("delete_webhook", 50000 + n, f"RQ{n:x}") for n in numbers]
    expected += [("redirect_webhook", 50000 + n, f"RQ{n:x}") for n in numbers]
    assert [(e.operation, e.code, e.request_id) for e in found if isinstance(e, TwilioRefused)] == expected
    assert sorted((record.operation, record.code, record.request_id) for record in records) == sorted(expected)


async def test_connections_are_reused(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """Requests after one another share one connection (SDK-POOL), after errors as well."""
    stub.answers(EMPTY, Reply(error_json(50000), 400), EMPTY)
    await gateway.list_webhooks(where)
    with pytest.raises(TwilioRefused):
        await gateway.list_webhooks(where)
    await gateway.list_webhooks(where)
    assert len({seen.peer for seen in stub.seen}) == 1


async def test_names_are_looked_up_in_threads_that_plugins_cannot_take(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """What hangs in all threads of the event loop keeps nobody from Twilio."""
    loop, end = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    hung = asyncio.create_task(asyncio.to_thread(end.wait, 20))
    await asyncio.sleep(0)
    stub.answers(EMPTY)
    url = stub.url.replace("127.0.0.1", "localhost")
    try:
        async with TwilioGateway(credentials, base_url=url, clock=clock, limits=Limits(total=1)) as gateway:
            assert await gateway.list_webhooks(where) == []
    finally:
        end.set()
        await hung


async def test_the_pool_is_bounded(stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef) -> None:
    """No more connections are open at once than the limit says; the others wait for their turn."""
    stub.rule = lambda _: Reply(page_json("webhooks"), delay=0.01)
    async with TwilioGateway(credentials, base_url=stub.url, clock=clock, limits=Limits(connections=2)) as gateway:
        await asyncio.gather(*(gateway.list_webhooks(where) for _ in range(8)))
    assert len(stub.seen) == 8
    assert len({seen.peer for seen in stub.seen}) <= 2


async def test_a_slow_answer_is_uncertain_and_cut_off(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """The SDK ignores its time-out and waits for ever (SDK-TIMEOUT); ours is obeyed, and the end is uncertain."""
    stub.rule = lambda _: Reply(EMPTY.body, delay=5.0)
    limits = Limits(total=0.1)
    started = time.monotonic()
    async with TwilioGateway(
        credentials, base_url=stub.url, clock=clock, limits=limits, on_request=records.append
    ) as gateway:
        with pytest.raises(TwilioUncertain, match=r"did not answer within 0\.1 s"):
            await gateway.list_webhooks(where)
    assert time.monotonic() - started < 2.0
    assert [record.status for record in records] == [0, 0, 0]


async def test_a_refused_connection_is_busy(clock: Clock, credentials: Credentials, where: ConversationRef) -> None:
    """The network's own errors never come out (SDK-NETWORK): where nothing was sent, we say so."""
    port = free_port()
    async with TwilioGateway(credentials, base_url=f"http://127.0.0.1:{port}", clock=clock) as gateway:
        with pytest.raises(TwilioBusy, match=f"no connection to 127.0.0.1:{port}; nothing was sent: "):
            await gateway.list_webhooks(where)


async def test_an_unknown_host_is_busy(clock: Clock, credentials: Credentials, where: ConversationRef) -> None:
    """A name that nobody knows means that nothing was sent."""
    async with TwilioGateway(credentials, base_url="http://nobody.invalid", clock=clock) as gateway:
        with pytest.raises(TwilioBusy, match="nothing was sent"):
            await gateway.list_webhooks(where)


async def test_a_connection_that_does_not_come_about_is_busy(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """Waiting for a place in the pool, or for the network, longer than allowed means that nothing was sent."""
    stub.rule = lambda _: Reply(EMPTY.body, delay=0.5)
    limits = Limits(connect=0.05, connections=1)
    async with TwilioGateway(credentials, base_url=stub.url, clock=clock, limits=limits) as gateway:
        first = asyncio.create_task(gateway.list_webhooks(where))
        await asyncio.sleep(0.1)
        with pytest.raises(TwilioBusy, match="no connection to Twilio in time; nothing was sent"):
            await gateway.list_webhooks(where)
        assert await first == []
    assert len(stub.seen) == 1


async def test_a_cut_connection_is_uncertain(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """Other clients repeat a cut GET by themselves; here each repeat is counted: three requests, no more."""
    stub.rule = lambda _: Reply(cut=True)
    with pytest.raises(TwilioUncertain, match="the connection broke"):
        await gateway.list_webhooks(where)
    assert len(stub.seen) == 3


async def test_a_body_that_ends_too_soon_is_uncertain(
    clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """An answer that breaks off after its headers is not taken for the whole."""
    async with (
        talking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}")) as talker,
        TwilioGateway(credentials, base_url=f"http://127.0.0.1:{talker.port}", clock=clock) as gateway,
    ):
        with pytest.raises(TwilioUncertain, match="broke before the answer was there: ConnectionCut"):
            await gateway.list_webhooks(where)
    assert len(talker.heard) == 3


async def test_no_encoding_is_asked_for_and_none_is_taken(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """Answers are short: packing them costs more than it saves. What comes packed all the same cannot be read."""
    stub.rule = lambda _: Reply(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    with pytest.raises(TwilioUncertain, match="is no JSON object"):
        await gateway.list_webhooks(where)
    assert {seen.headers["Accept-Encoding"] for seen in stub.seen} == {"identity"}


async def test_an_answer_without_end_is_cut_off(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef
) -> None:
    """We read no more of an answer than the limit allows."""
    stub.rule = lambda _: Reply(page_json("webhooks", "x" * 5000))
    limits = Limits(answer=1000)
    async with TwilioGateway(credentials, base_url=stub.url, clock=clock, limits=limits) as gateway:
        with pytest.raises(TwilioUncertain, match="more than 1000 bytes"):
            await gateway.list_webhooks(where)


async def test_a_cancelled_request_is_recorded_and_stays_cancelled(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, records: list[RequestRecord]
) -> None:
    """A deadline of the caller goes through as what it is."""
    stub.answers(Reply(delay=5.0))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await gateway.list_webhooks(where)
    assert [(record.operation, record.status) for record in records] == [("list_webhooks", 0)]


async def test_a_redirect_is_not_followed(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """The SDK takes a 3xx of a fetch for an answer; here no redirect is followed, and the credentials stay."""
    stub.rule = lambda _: Reply({"sid": "x"}, 302, {"Location": "/elsewhere"})
    with pytest.raises(TwilioUncertain, match="HANDOVER_TWILIO_URL"):
        await gateway.fetch_attributes(where)
    assert {seen.target for seen in stub.seen} == {CONVERSATION}


async def test_cookies_are_not_kept(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """One conversation's request carries nothing of another's."""
    stub.answers(Reply(EMPTY.body, headers={"Set-Cookie": "a=b"}), EMPTY)
    await gateway.list_webhooks(where)
    await gateway.list_webhooks(where)
    assert "Cookie" not in stub.seen[1].headers


async def test_the_user_agent_names_us(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """Twilio sees the SDK's name with ours behind it (SDK-AGENT)."""
    stub.answers(EMPTY)
    await gateway.list_webhooks(where)
    agent = stub.seen[0].headers["User-Agent"]
    assert agent.startswith("twilio-python/")
    assert agent.endswith(" handover-router/0.1.0")


async def test_nothing_is_logged(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK logs headers and URLs; our transport logs nothing, and keeps no answer for tests either (SDK-POOL)."""
    stub.answers(EMPTY)
    with caplog.at_level(logging.DEBUG):
        await gateway.list_webhooks(where)
    assert [record.name for record in caplog.records if not record.name.startswith("asyncio")] == []
    await asyncio.sleep(0)  # the loop itself holds the last one until then
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, Answer) and "webhooks" in str(each.said)] == []


@pytest.mark.parametrize("reply", [EMPTY, Reply(error_json(50000), 400), Reply(cut=True)])
async def test_closing_leaves_no_connection_behind(
    stub: Stub, clock: Clock, credentials: Credentials, where: ConversationRef, reply: Reply
) -> None:
    """The SDK leaks its session when a request fails (SDK-LEAK); ours is closed after any end."""
    stub.rule = lambda _: reply
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with TwilioGateway(credentials, base_url=stub.url, clock=clock) as gateway:
            await asyncio.gather(gateway.list_webhooks(where), return_exceptions=True)
            pool = gateway._transport._pool
            assert pool is not None
        assert pool._open == set()
        del gateway, pool
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_the_webhook_page_is_a_twilio_page(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """What we make of an answer is what Twilio said, not something else."""
    stub.answers(Reply(page_json("webhooks", webhook_json(WH, "studio", flow_sid=FW))))
    (found,) = await gateway.list_webhooks(where)
    assert (found.sid, found.is_studio, found.spec.flow) == (WH, True, FW)
