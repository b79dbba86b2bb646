"""The server proves its name before anything is sent to it."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioBusy
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.wire.answer import ConnectionCut, NotSent
from router.twilio.wire.peer import Peer
from tests.twilio.stub import AC
from tests.twilio.wire.kit import GET, SOON, open_pool
from tests.twilio.wire.talker import GOOD, Line, answering, saying, talking

if TYPE_CHECKING:
    from router.clock import Clock
    from router.model.call import ConversationRef
    from tests.twilio.wire.kit import Certificate


def secured(port: int, name: str = "localhost") -> Peer:
    return Peer(name, port, is_tls=True)


async def test_a_name_that_is_proved_is_talked_to(certificate: Certificate) -> None:
    """The server is told which name is meant, and its connection is used again."""
    named: list[str | None] = []
    certificate.server.sni_callback = lambda _socket, name, _context: named.append(name)
    try:
        async with talking(answering, certificate.server) as talker, open_pool(certificate.client) as pool:
            peer = secured(talker.port)
            answers = [await pool.exchange(peer, GET, 5) for _ in range(3)]
    finally:
        certificate.server.sni_callback = None
    assert [answer.body for answer in answers] == [b'{"a": 1}'] * 3
    assert ([len(line.heard) for line in talker.lines], named) == ([3], ["localhost"])


async def test_a_certificate_for_another_name_is_refused(certificate: Certificate) -> None:
    """Nothing is sent to who is somebody else."""
    async with talking(answering, certificate.server) as talker, open_pool(certificate.client) as pool:
        with pytest.raises(NotSent, match=r"the certificate of 127\.0\.0\.1 is not trusted"):
            await pool.exchange(secured(talker.port, "127.0.0.1"), GET, 5)
    assert talker.heard == []


async def test_a_certificate_that_nobody_signed_is_refused(certificate: Certificate) -> None:
    """The right name alone proves nothing."""
    async with talking(answering, certificate.server) as talker, open_pool(ssl.create_default_context()) as pool:
        with pytest.raises(NotSent, match="the certificate of localhost is not trusted"):
            await pool.exchange(secured(talker.port), GET, 5)
    assert talker.heard == []


async def test_a_server_without_tls_is_refused(certificate: Certificate) -> None:
    """What answers a handshake with something else hears nothing."""

    async def script(line: Line) -> None:
        line.say(GOOD)
        await line.left()

    async with talking(script) as talker, open_pool(certificate.client) as pool:
        with pytest.raises(NotSent) as caught:
            await pool.exchange(secured(talker.port), GET, 5)
    assert (caught.value.what, bool(caught.value.why)) == (f"no connection to localhost:{talker.port}", True)


async def test_a_handshake_has_no_more_time_than_a_connection(certificate: Certificate) -> None:
    """A server that says nothing is left, and has heard nothing of the request."""
    left = asyncio.Event()

    async def script(line: Line) -> None:
        await line.left()
        left.set()

    async with talking(script) as talker, open_pool(certificate.client, patience=SOON) as pool:
        with pytest.raises(NotSent, match="no connection to Twilio in time"):
            await pool.exchange(secured(talker.port), GET, 5)
        await asyncio.wait_for(left.wait(), 5)
        assert pool._places.inside == 0


async def test_an_answer_may_go_to_the_end_of_a_secured_connection(certificate: Certificate) -> None:
    """The end is told inside TLS."""
    said = b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}'
    async with talking(saying(said), certificate.server) as talker, open_pool(certificate.client) as pool:
        assert (await pool.exchange(secured(talker.port), GET, 5)).body == b'{"a": 1}'


async def test_a_secured_answer_that_breaks_off_is_an_error(certificate: Certificate) -> None:
    """As without TLS, half an answer is none."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"
    async with talking(saying(said), certificate.server) as talker, open_pool(certificate.client) as pool:
        with pytest.raises(ConnectionCut):
            await pool.exchange(secured(talker.port), GET, 5)


async def test_the_gateway_trusts_whom_the_system_trusts(
    monkeypatch: pytest.MonkeyPatch, certificate: Certificate, clock: Clock, where: ConversationRef
) -> None:
    """A certificate that an administrator adds is enough; without it nothing is sent."""
    credentials, said = Credentials(AC, "t"), b'{"meta": {"key": "webhooks"}, "webhooks": []}'
    page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
    async with talking(saying(page), certificate.server) as talker:
        url = f"https://localhost:{talker.port}"
        async with TwilioGateway(credentials, base_url=url, clock=clock) as gateway:
            with pytest.raises(TwilioBusy, match="the certificate of localhost is not trusted; nothing was sent"):
                await gateway.list_webhooks(where)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        async with TwilioGateway(credentials, base_url=url, clock=clock) as gateway:
            assert await gateway.list_webhooks(where) == []
