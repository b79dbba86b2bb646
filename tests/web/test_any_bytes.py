from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.kit import SECRET

if TYPE_CHECKING:
    from tests.web.kit import Router

TOLD = {200, 400, 403, 404, 405, 413}
TYPES = st.sampled_from([b"application/json", b"application/x-www-form-urlencoded", b"text/plain", b""])
NAMES = st.sampled_from(
    [
        b"X-Session-Id",
        b"X-Identity",
        b"X-Twilio-Signature",
        b"Authorization",
        b"Accept",
        b"Content-Type",
        b"X-Handover-Secret",
        b"I-Twilio-Idempotency-Token",
        b"X-Twilio-Webhooks-Signature-Settings",
        b"X-Forwarded-For",
        b"Cookie",
    ]
)
VALUES = st.binary(max_size=60).map(lambda value: value.translate(None, b"\r\n"))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
PATHS = st.sampled_from([b"/tools/support", b"/tools/studio-handover", b"/tools/echo", b"/tools/any", b"/-/reload"])
any_example = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


async def post(router: Router, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> int:
    """Send bytes as they are; give the status of the answer."""
    lines = [b"POST " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", b"Content-Length: %d" % len(body)]
    answer = await router.raw(b"\r\n".join([*lines, *(b": ".join(pair) for pair in headers)]) + b"\r\n\r\n" + body)
    router.check_silence()
    return int(answer.split(b" ", 2)[1])


def proved(router: Router, *headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    session = router.conversation.session.encode()
    return [(b"X-Handover-Secret", SECRET.encode()), (b"X-Session-Id", session), *headers]


@given(path=PATHS, body=st.binary(max_size=300), content_type=TYPES)
@any_example
async def test_no_body_breaks_the_router(router: Router, path: bytes, body: bytes, content_type: bytes) -> None:
    """Whatever bytes a body has, the answer is one of the contract's and the log has no traceback."""
    assert await post(router, path, proved(router, (b"Content-Type", content_type)), body) in TOLD


@given(path=PATHS, value=JSON, name=st.sampled_from(["intent", "wish", "note", "name", "flowSid"]))
@any_example
async def test_no_json_breaks_the_router(router: Router, path: bytes, value: Any, name: str) -> None:
    """Whatever JSON a model writes, as an input or as the whole body, the answer is one of the contract's."""
    for body in (value, {name: value}):
        written = json.dumps(body).encode()
        assert await post(router, path, proved(router, (b"Content-Type", b"application/json")), written) in TOLD


@given(
    path=PATHS,
    query=st.binary(max_size=200),
    name=st.sampled_from([b"", b"intent=", b"note=", b"flowSid=", b"secret="]),
)
@any_example
async def test_no_query_breaks_the_router(router: Router, path: bytes, query: bytes, name: bytes) -> None:
    """Whatever bytes a query has, encoded or as they are, the answer is one of the contract's."""
    encoded = quote_from_bytes(query).encode()
    printable = bytes(byte for byte in query if 0x21 <= byte < 0x7F)
    for written in (encoded, printable):
        assert await post(router, path + b"?" + name + written, proved(router), b"") in TOLD


@given(path=PATHS, headers=HEADERS)
@any_example
async def test_no_header_breaks_the_router(router: Router, path: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever bytes the headers have, alone or beside the right ones, the answer is one of the contract's."""
    assert await post(router, path, headers, b"") in TOLD
    assert await post(router, path, proved(router, *headers), b"a=1") in TOLD
