from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from router.twilio.signatures import sign
from tests.web.kit import OLD_TOKEN, PUBLIC, REFUNDS, hashed, running_router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.web.kit import Reply, Router

BODY = b'{"intent": "refund"}'
SUPPORT = "/tools/support"
BYTE_FOR_BYTE = [
    "/tools/any?wish=money%20back",
    "/tools/any?wish=money+back",
    "/tools/any?wish=%c3%a9",
    "/tools/any?wish=%C3%A9",
    "/tools/any?wish=",
    "/tools/any?wish",
    "/tools/any?b=&&a=1&b",
    "/tools/any?wish=%F0%9F%8E%89%E2%80%A8",
    "/tools/any?wish=a%2Bb%26c%3Dd/e?f",
    "/tools/any?z=1&a=2&m=3",
    "/tools/%61ny?wish=refund",
    "/tools/any",
]


def refused(reply: Reply, router: Router) -> bool:
    """Say whether a call was turned away without a word, and without a request to Twilio."""
    assert router.sandbox.requests == []
    return (reply.status, reply.text) == (403, "Forbidden")


@pytest.mark.parametrize("target", BYTE_FOR_BYTE)
async def test_the_url_is_signed_byte_for_byte(router: Router, target: str) -> None:
    """The signature is over the public URL with path and query exactly as they came: nothing is encoded anew."""
    assert refused(await router.signed(target, url=f"{PUBLIC}{target}x"), router)
    assert (await router.signed(target, method="GET")).status == 200


@pytest.mark.parametrize(
    ("called", "signed"),
    [
        ("/tools/any?wish=a%20b", "/tools/any?wish=a+b"),
        ("/tools/any?wish=%c3%a9", "/tools/any?wish=%C3%A9"),
        ("/tools/%61ny?wish=x", "/tools/any?wish=x"),
        ("/tools/any?a=1&b=2", "/tools/any?b=2&a=1"),
        ("/tools/any?wish=", "/tools/any?wish"),
        ("/tools/any?wish=x&", "/tools/any?wish=x"),
        ("/tools/any?wish=x", "/tools/support?wish=x"),
        ("/tools/any?wish=x", "/tools/any"),
        ("/tools/any", "/tools/any?wish=x"),
    ],
)
async def test_another_spelling_of_the_url_is_another_url(router: Router, called: str, signed: str) -> None:
    """A signature for what means the same, or almost the same, does not pass."""
    assert refused(await router.signed(called, method="GET", url=PUBLIC + signed), router)
    assert refused(await router.signed(signed, method="GET", url=PUBLIC + called), router)


async def test_an_empty_query_passes_though_the_server_drops_its_mark(router: Router) -> None:
    """A URL that ends in ``?`` is signed with it; no server tells an app of it, so both are tried."""
    signature = sign(router.sandbox.auth_token, f"{PUBLIC}/tools/any?", {})
    head = f"X-Twilio-Signature: {signature}\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await router.raw(f"GET /tools/any? HTTP/1.1\r\n{head}".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("prefix", ["/base", "/base/", "/a/b%20c"])
async def test_a_public_url_may_have_a_path(tmp_path: Path, prefix: str) -> None:
    """Behind a proxy that takes a prefix away, the signature is over the URL with it, and not over the one without."""
    async with running_router(tmp_path, HANDOVER_PUBLIC_URL=PUBLIC + prefix) as router:
        public = PUBLIC + prefix.rstrip("/")
        assert refused(await router.signed("/tools/any?wish=refund", method="GET"), router)
        assert (await router.signed("/tools/any?wish=refund", method="GET", public=public)).status == 200


async def test_what_a_proxy_claims_is_not_believed(router: Router) -> None:
    """The public URL comes from the settings: forwarded and Host headers change nothing of what a signature is over."""
    elsewhere = "https://elsewhere.example"
    forwarded = {
        "X-Forwarded-Host": "elsewhere.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/base",
        "Forwarded": "host=elsewhere.example;proto=https",
        "Host": "elsewhere.example",
    }
    assert refused(await router.signed("/tools/any", method="GET", public=elsewhere, headers=forwarded), router)
    assert (await router.signed("/tools/any", method="GET", headers=forwarded)).status == 200


@pytest.mark.parametrize(
    ("public", "status"),
    [
        ("http://handover.example", 403),
        ("https://handover.example:8443", 403),
        ("https://HANDOVER.example", 403),
        ("https://handover.example:443", 200),
    ],
)
async def test_scheme_host_and_port_are_those_of_the_public_url(router: Router, public: str, status: int) -> None:
    """The public URL is https although the server speaks http; only the port that https has anyway may be named."""
    assert (await router.signed("/tools/any", method="GET", public=public)).status == status


async def test_both_tokens_pass_during_a_rotation(router: Router) -> None:
    """What either auth token signed passes; what another one signed does not."""
    assert refused(await router.signed(SUPPORT, token="f" * 32), router)
    assert (await router.signed(SUPPORT, token=OLD_TOKEN)).status == 200
    assert (await router.signed(SUPPORT)).status == 200


@pytest.mark.parametrize("signature", [None, "", "x", "é" * 28, "AAAA" * 7])
async def test_without_a_right_signature_there_is_no_answer(router: Router, signature: str | None) -> None:
    """A missing or an odd signature is a 403 without detail."""
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    assert refused(await router.send("POST", SUPPORT, headers=headers), router)


async def test_two_different_signatures_are_none(router: Router) -> None:
    """A header that is repeated with another value says nothing; one that is repeated as it is, says it twice."""
    right = sign(router.sandbox.auth_token, PUBLIC + SUPPORT, {})
    assert refused(
        await router.send("POST", SUPPORT, headers=[("X-Twilio-Signature", right), ("X-Twilio-Signature", "AAAA")]),
        router,
    )
    assert (await router.send("POST", SUPPORT, headers=[("X-Twilio-Signature", right)] * 2)).status == 200


async def test_a_refused_call_is_noted_without_its_values(router: Router) -> None:
    """The log says which URL was called with which parameters, never with which values; the figures count it."""
    router.secrets += ["s3cr3t", "Lovelace"]
    before = (await router.send("GET", "/metrics")).text
    await router.signed("/tools/any?name=Lovelace&secret=s3cr3t&name=2", token="f" * 32)
    (entry,) = router.entries
    assert entry["event"] == "unproved"
    assert (entry["method"], entry["url"]) == ("POST", f"{PUBLIC}/tools/any?name=…&secret=…")
    after = (await router.send("GET", "/metrics")).text
    count = "handover_unproved_calls_total "
    assert float(after.split(count)[-1].split()[0]) == float(before.split(count)[-1].split()[0]) + 1


async def test_a_json_body_is_signed_by_its_hash(router: Router) -> None:
    """A JSON body passes where the signed URL has the hash of its raw bytes."""
    reply = await router.signed(hashed(SUPPORT, BODY), BODY, headers={"Accept": "application/json"})
    assert reply.json["outcome"] == "handed_over"
    assert reply.json["flow"] == REFUNDS


async def test_the_hash_is_over_the_bytes_as_they_came(router: Router) -> None:
    """Spaces, escapes and the order of names belong to what was hashed: the same value in other bytes is refused."""
    body = b'{ "intent" : "ref\\u0075nd","a":1 }\n'
    target = hashed(SUPPORT, body)
    assert refused(await router.signed(target, b'{"a":1,"intent":"refund"}'), router)
    assert (await router.signed(target, body)).status == 200


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (SUPPORT, BODY),
        (f"{SUPPORT}?bodySHA256=", BODY),
        (f"{SUPPORT}?bodysha256={hashed('', BODY)[12:]}", BODY),
        (hashed(SUPPORT, BODY), BODY + b" "),
        (hashed(SUPPORT, BODY), b'{"intent": "billing"}'),
        (hashed(SUPPORT, BODY), b""),
        (hashed(SUPPORT, BODY), None),
        (hashed(hashed(SUPPORT, BODY), b"{}"), b"{}"),
    ],
    ids=["no hash", "empty", "other case", "a space more", "other body", "emptied", "dropped", "two hashes"],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_body_without_its_hash_is_refused(router: Router, target: str, body: bytes | None, method: str) -> None:
    """A right signature is not enough: the body must be there, and be the one that the URL promises."""
    assert refused(await router.signed(target, body, method=method), router)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/octet-stream", "application/x-www-form-urlencoded;", ""]
)
async def test_a_body_is_not_made_a_form_to_escape_its_hash(router: Router, content_type: str) -> None:
    """JSON that calls itself something else is not handed over: as a form its parameters are not the signed ones."""
    reply = await router.signed(SUPPORT, BODY, headers={"Content-Type": content_type})
    assert refused(reply, router)


async def test_json_that_calls_itself_a_form_is_unreadable(router: Router) -> None:
    """With its hash the body is intact, but JSON is no form: a 400, and nothing changes."""
    target = hashed(SUPPORT, BODY)
    reply = await router.signed(target, BODY, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (reply.status, reply.text.partition(":")[0]) == (400, "the body is no form")
    assert router.sandbox.requests == []


FORM = {"intent": "money back", "note": ["é &=+", "", "twice", "twice"], "empty": ""}
ENCODED = urlencode(FORM, doseq=True).encode()


async def test_a_form_is_signed_by_its_parameters(router: Router) -> None:
    """Names sorted, the values of a repeated name sorted and once each, blank values too."""
    reply = await router.signed(SUPPORT, ENCODED, form=FORM, headers={"Accept": "application/json"})
    assert (reply.json["outcome"], reply.json["intent"]) == ("handed_over", "refund")


@pytest.mark.parametrize(
    "body",
    [
        ENCODED.replace(b"money", b"more"),
        ENCODED + b"&more=1",
        ENCODED.replace(b"&empty=", b""),
        ENCODED.replace(b"&note=twice", b"", 2),
        b"",
        b"\xff=\xfe",
        b"%ff=1",
        b"&".join(b"a=1" for _ in range(1001)),
    ],
)
async def test_another_form_is_refused(router: Router, body: bytes) -> None:
    """A form that has lost, gained or changed a parameter, or that is none, is not the one that was signed."""
    assert refused(await router.signed(SUPPORT, body, form=FORM), router)


@pytest.mark.parametrize(
    "content_type", ["Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded; charset=utf-8"]
)
async def test_a_form_is_known_by_its_media_type(router: Router, content_type: str) -> None:
    """Letter case and parameters of the content type make no difference."""
    reply = await router.signed(SUPPORT, ENCODED, form=FORM, headers={"Content-Type": content_type})
    assert reply.status == 200


async def test_a_body_that_came_in_pieces_is_hashed_as_a_whole(router: Router) -> None:
    """A JSON body in chunks passes by the same hash."""

    async def chunks() -> AsyncIterator[bytes]:
        for place in range(0, len(BODY), 5):
            yield BODY[place : place + 5]

    target = hashed(SUPPORT, BODY)
    headers = {
        "X-Twilio-Signature": sign(router.sandbox.auth_token, PUBLIC + target, {}),
        "X-Session-Id": router.conversation.session,
        "Content-Type": "application/json",
    }
    assert (await router.send("POST", target, headers=headers, body=chunks())).status == 200
    assert router.flows == [REFUNDS]


async def test_the_hash_is_no_input(router: Router) -> None:
    """``bodySHA256`` is proof and not one of the inputs, which messages show."""
    routes_to = hashed("/tools/echo?note=n", b"{}")
    reply = await router.signed(routes_to, b"{}")
    assert reply.text == "/tools/echo   n"
