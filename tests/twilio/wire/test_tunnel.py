"""The way through a proxy: opened by CONNECT, and TLS from one end to the other inside it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import pytest

from router.errors import SettingsError
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.wire.answer import NotSent
from router.twilio.wire.peer import Peer, Proxy
from router.twilio.wire.tunnel import Tunnel
from tests.twilio.stub import AC, free_port
from tests.twilio.wire.kit import GET, SOON, open_pool
from tests.twilio.wire.talker import Line, answering, saying, talking

if TYPE_CHECKING:
    from tests.twilio.wire.kit import Certificate

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def tunnelling(line: Line) -> None:
    """Do what a proxy does: connect with whom it is asked for, and carry bytes both ways."""
    host, _, port = (await line.hear()).split()[1].partition(b":")
    reader, writer = await asyncio.open_connection(host.decode(), int(port))
    line.say(OPEN)
    try:
        await asyncio.gather(carry(line.reader, writer), carry(reader, line.writer))
    finally:
        writer.transport.abort()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.transport.abort()


def through(proxy: int, port: int, *, is_tls: bool = False, host: str = "127.0.0.1") -> Peer:
    return Peer("localhost", port, is_tls=True, proxy=Proxy(host, proxy, is_tls, "Basic dXNlcjp3b3Jk"))


async def test_a_tunnel_carries_one_request_after_the_other(certificate: Certificate) -> None:
    """The proxy is told where to go and who we are, and sees nothing of what goes through."""
    async with (
        talking(answering, certificate.server) as talker,
        talking(tunnelling) as proxy,
        open_pool(certificate.client) as pool,
    ):
        peer = through(proxy.port, talker.port)
        answers = [await pool.exchange(peer, GET, 5) for _ in range(3)]
    assert [answer.body for answer in answers] == [b'{"a": 1}'] * 3
    assert [len(line.heard) for line in talker.lines] == [3]
    to = b"localhost:%d" % talker.port
    assert proxy.heard == [
        b"CONNECT %b HTTP/1.1\r\nHost: %b\r\nProxy-Authorization: Basic dXNlcjp3b3Jk\r\n\r\n" % (to, to)
    ]


async def test_a_proxy_may_be_called_by_tls_itself(certificate: Certificate) -> None:
    """Then our login is not seen by others either."""
    async with (
        talking(answering, certificate.server) as talker,
        talking(tunnelling, certificate.server) as proxy,
        open_pool(certificate.client) as pool,
    ):
        peer = through(proxy.port, talker.port, is_tls=True, host="localhost")
        answers = [await pool.exchange(peer, GET, 5) for _ in range(2)]
    assert [answer.body for answer in answers] == [b'{"a": 1}'] * 2


async def test_who_waits_behind_a_proxy_has_to_prove_its_name(certificate: Certificate) -> None:
    """A proxy that leads elsewhere hears nothing."""
    async with (
        talking(answering, certificate.server) as talker,
        talking(tunnelling) as proxy,
        open_pool(certificate.client) as pool,
    ):
        peer = Peer("127.0.0.1", talker.port, is_tls=True, proxy=Proxy("127.0.0.1", proxy.port, is_tls=False))
        with pytest.raises(NotSent, match=r"the certificate of 127\.0\.0\.1 is not trusted"):
            await pool.exchange(peer, GET, 5)
    assert talker.heard == []
    assert b"Proxy-Authorization" not in proxy.heard[0]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n\r\n", "the proxy refused the connection with 407"),
        (b"HTTP/1.0 502 No\r\n\r\n<p>", "the proxy refused the connection with 502"),
        (b"HTTP/1.1 302\r\nLocation: http://x\r\n\r\n", "the proxy refused the connection with 302"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy answers with something else than HTTP"),
        (OPEN + b"x", "the proxy answers with something else than HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 16384, "the proxy answers with something else than HTTP"),
    ],
)
async def test_a_proxy_that_does_not_let_us_through(certificate: Certificate, said: bytes, what: str) -> None:
    """Nothing is sent, and why is said."""
    async with talking(saying(said)) as proxy, open_pool(certificate.client) as pool:
        with pytest.raises(NotSent) as caught:
            await pool.exchange(through(proxy.port, 1), GET, 5)
    assert caught.value.what == what


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_a_proxy_that_hangs_up(certificate: Certificate, said: bytes) -> None:
    """Half an answer opens no way."""
    async with talking(saying(said)) as proxy, open_pool(certificate.client) as pool:
        with pytest.raises(NotSent) as caught:
            await pool.exchange(through(proxy.port, 1), GET, 5)
    assert caught.value.what == f"no connection to 127.0.0.1:{proxy.port}"
    assert caught.value.why == "the proxy closed the connection"


async def test_a_caller_that_left_leaves_no_trace_of_its_tunnel() -> None:
    """What a proxy does after nobody waits for it any more is not logged as an error of ours."""
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: logged.append(about))
    for end in (None, ConnectionResetError()):
        Tunnel(through(1, 2), "").connection_lost(end)
        gc.collect()
    left = Tunnel(through(1, 2), "")
    left.opened.cancel()
    left.connection_lost(None)
    await asyncio.sleep(0)
    del left
    gc.collect()
    assert logged == []


async def test_a_proxy_that_says_nothing(certificate: Certificate) -> None:
    """It has no more time than a connection has, and is left then."""
    left = asyncio.Event()

    async def script(line: Line) -> None:
        await line.left()
        left.set()

    async with talking(script) as proxy, open_pool(certificate.client, patience=SOON) as pool:
        with pytest.raises(NotSent, match="no connection to Twilio in time"):
            await pool.exchange(through(proxy.port, 1), GET, 5)
        await asyncio.wait_for(left.wait(), 5)


async def test_a_proxy_that_is_not_there(certificate: Certificate) -> None:
    """It is the proxy that is named, and not the host behind it."""
    port = free_port()
    async with open_pool(certificate.client) as pool:
        with pytest.raises(NotSent, match=f"no connection to 127.0.0.1:{port}"):
            await pool.exchange(through(port, 1), GET, 5)


async def test_an_answer_of_a_proxy_may_come_in_drops(certificate: Certificate) -> None:
    """Where the network cuts it does not matter."""

    async def script(line: Line) -> None:
        await line.hear()
        for letter in b"HTTP/1.1 403 No\r\n\r\n":
            line.say(bytes([letter]))
            await asyncio.sleep(0)

    async with talking(script) as proxy, open_pool(certificate.client) as pool:
        with pytest.raises(NotSent, match="refused the connection with 403"):
            await pool.exchange(through(proxy.port, 1), GET, 5)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a", Proxy("a", 80, is_tls=False)),
        ("https://a", Proxy("a", 443, is_tls=True)),
        ("http://a:3128/", Proxy("a", 3128, is_tls=False)),
        ("a:3128", Proxy("a", 3128, is_tls=False)),
        ("http://us%40er:w%3Ard@[::1]:1", Proxy("::1", 1, is_tls=False, login="Basic dXNAZXI6dzpyZA==")),
        ("http://user@a", Proxy("a", 80, is_tls=False, login="Basic dXNlcjo=")),
    ],
)
def test_a_proxys_url_is_read(url: str, expected: Proxy) -> None:
    """With a login or without, and as people write it."""
    assert Proxy.of(url) == expected


@pytest.mark.parametrize("url", ["socks5://a:1080", "http://", "http://a:x", "http://a:99999", "http://[a", "http://ü"])
def test_a_proxys_url_that_cannot_be_right_is_refused(url: str) -> None:
    """It is not guessed at."""
    with pytest.raises(ValueError, match=r".+"):
        Proxy.of(url)


async def test_the_gateway_does_not_open_with_a_proxy_that_cannot_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong setting is found at start, and a password in it is not shown."""
    monkeypatch.setenv("ALL_PROXY", "socks5://user:s3cret@a:1080")
    gateway = TwilioGateway(Credentials(AC, "t"))
    with pytest.raises(SettingsError, match="HTTPS_PROXY or ALL_PROXY: a proxy's URL begins with http") as caught:
        await gateway.__aenter__()
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("NO_PROXY", "twilio.com")
    async with gateway:
        pass
