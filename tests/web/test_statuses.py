from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from router.web.body import LARGEST
from tests.web.kit import SECRET, running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.web.kit import Router

METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")
HEAD = f"POST /tools/support HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Handover-Secret: {SECRET}\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", ["/", "/tools", "/tools/", "/tools/support/", "/tools/Support", "//tools/support", "/-/x"]
)
async def test_an_unknown_path_is_not_found_by_any_method(router: Router, path: str, method: str) -> None:
    """A path that is no tool's is a 404 whatever the method, also for a caller that could prove itself."""
    assert (await router.call(path, method=method)).status == 404


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_a_tool_has_two_methods(router: Router, method: str) -> None:
    """Another method than GET and POST is a 405 that names these two, and nothing is looked at."""
    reply = await router.call("/tools/support?intent=refund", method=method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")
    assert router.sandbox.requests == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("DELETE", "/readyz", {"GET", "HEAD"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
        ("GET", "/-/reload", {"POST"}),
    ],
)
async def test_our_own_paths_know_their_methods(router: Router, method: str, path: str, allowed: set[str]) -> None:
    """A path of the router's own answers another method with 405 and the methods that it has."""
    reply = await router.send(method, path)
    assert reply.status == 405
    assert set(reply.headers["Allow"].split(", ")) == allowed


async def test_a_path_is_compared_decoded(router: Router) -> None:
    """Percent-encoded letters of a path name the same tool."""
    assert (await router.call("/tools/%73upport?intent=refund")).json["outcome"] == "handed_over"


async def test_the_largest_body_passes(router: Router) -> None:
    """A body of exactly 64 KiB is read."""
    body = b'{"intent": "refund", "note": "'
    reply = await router.call("/tools/support", body + b"x" * (LARGEST - len(body) - 2) + b'"}')
    assert reply.json["outcome"] == "handed_over"


@pytest.mark.parametrize("path", ["/tools/support", "/-/reload"])
async def test_a_larger_body_is_refused(router: Router, path: str) -> None:
    """One byte more is a 413, and the connection ends, as the rest of the body may still come."""
    reply = await router.call(path, b"x" * (LARGEST + 1))
    assert (reply.status, reply.text) == (413, "Content Too Large")
    assert reply.headers["Connection"] == "close"
    assert router.sandbox.requests == []


async def test_a_larger_body_without_a_length_is_refused(router: Router) -> None:
    """A body in chunks, which nobody announced the size of, is cut off at the same place."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"x" * 4096

    reply = await router.send("POST", "/tools/support", body=chunks(), headers={"X-Handover-Secret": SECRET})
    assert reply.status == 413


async def test_a_body_in_chunks_is_read(router: Router) -> None:
    """A small body in chunks is as good as one in a piece."""

    async def chunks() -> AsyncIterator[bytes]:
        for piece in (b'{"int', b'ent": "ref', b'und"}'):
            yield piece

    headers = {
        "X-Handover-Secret": SECRET,
        "X-Session-Id": router.conversation.session,
        "Content-Type": "application/json; charset=utf-8",
        "Accept": "application/json",
    }
    reply = await router.send("POST", "/tools/support", body=chunks(), headers=headers)
    assert reply.json["outcome"] == "handed_over"


async def test_an_announced_large_body_is_not_waited_for(router: Router) -> None:
    """Who announces too much is refused at once, before the body comes."""
    answer = await router.raw(f"{HEAD}Content-Length: 100000000\r\n\r\nx".encode())
    assert status_of(answer) == 413


@pytest.mark.parametrize("path", ["/tools/support", "/-/reload"])
async def test_a_caller_that_leaves_in_the_middle_is_no_fault(router: Router, path: str) -> None:
    """A connection that ends before its body does leaves no trace of an error, and nothing is handed over."""
    async with router.connection() as (_reader, writer):
        writer.write(HEAD.replace("/tools/support", path).encode() + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    assert router.trouble == []
    assert router.sandbox.requests == []
    assert (await router.send("GET", "/healthz")).status == 200


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /tools/supp\xc3\xa9rt HTTP/1.1",
        b"GET /tools/support?a=\xff HTTP/1.1",
        b"GET\x00 / HTTP/1.1",
        b"\xff\xfe\x00",
    ],
)
async def test_what_is_no_http_is_a_400(router: Router, request_line: bytes) -> None:
    """Bytes that are no HTTP request are a 400 of the server's."""
    answer = await router.raw(request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert status_of(answer) == 400


async def test_two_lengths_are_no_request(router: Router) -> None:
    """Two different lengths, with which requests are smuggled, are refused before anything is read."""
    answer = await router.raw(f"{HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}".encode())
    assert status_of(answer) == 400


async def test_an_unreadable_body_says_why(router: Router) -> None:
    """A body that cannot be read is a 400 that says what was expected, in the answer and in the log."""
    reply = await router.call("/tools/support", b"{")
    assert reply.status == 400
    assert reply.text.startswith("the body is not readable JSON")
    (entry,) = [entry for entry in router.entries if entry["event"] == "unreadable"]
    assert (entry["tool"], entry["reason"]) == ("/tools/support", reply.text)


async def test_proof_comes_before_reading(router: Router) -> None:
    """Who proves nothing learns nothing: an unreadable body without a secret is a 403 and no 400."""
    reply = await router.call("/tools/support", b"{", headers={"X-Handover-Secret": ""})
    assert (reply.status, reply.text) == (403, "Forbidden")


async def test_a_get_has_no_body(router: Router) -> None:
    """The body of a GET is no input; its query is."""
    reply = await router.call("/tools/support?intent=billing", b'{"intent": "refund"}', method="GET")
    assert reply.json["intent"] == "billing"


async def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path: Path) -> None:
    """After the deadline it is a 400, and the connection is closed; so is a reload's."""
    async with running_router(tmp_path, HANDOVER_DEADLINE="0.2") as router:
        for head in (HEAD, HEAD.replace("/tools/support", "/-/reload")):
            answer = await router.raw(f"{head}Content-Length: 9\r\n\r\nabc".encode())
            assert status_of(answer) == 400
            assert answer.endswith(b"the body did not arrive within 0.2 s")
        assert router.sandbox.requests == []
