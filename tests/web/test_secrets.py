from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.web.kit import ADMIN, ROUTES, SECRET, running_router

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.kit import Router


def basic(credentials: str | bytes) -> str:
    raw = credentials if isinstance(credentials, bytes) else credentials.encode()
    return "Basic " + base64.b64encode(raw).decode()


QUERY = f"secret={quote(SECRET)}"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Handover-Secret": SECRET}, ""),
        ({"x-handover-secret": f"  {SECRET} "}, ""),
        ({"Authorization": f"Bearer {SECRET}"}, ""),
        ({"Authorization": f"bearer   {SECRET}"}, ""),
        ({"Authorization": basic(f":{SECRET}")}, ""),
        ({"Authorization": basic(f"agent:{SECRET}").replace("Basic", "basic")}, ""),
        ({}, QUERY),
        ({}, f"a=1&{QUERY}&secret=wrong"),
        ({"X-Handover-Secret": "wrong", "Authorization": "Bearer wrong"}, QUERY),
        ({"X-Handover-Secret": SECRET, "Authorization": "Basic !"}, "secret=%ff"),
    ],
)
async def test_the_secret_passes_in_each_of_four_places(router: Router, headers: dict[str, str], query: str) -> None:
    """X-Handover-Secret, Bearer, the password of Basic, and ``?secret=``; one right place is enough."""
    reply = await router.send("GET", f"/tools/support?intent=x{'&' * bool(query)}{query}", headers=headers)
    assert reply.status == (400 if "%ff" in query else 200)


async def test_the_secret_in_latin_1_is_the_secret(router: Router) -> None:
    """A header may hold a letter with an accent in one byte or in two."""
    for encoded in (SECRET.encode("latin-1"), SECRET.encode()):
        head = b"GET /tools/support HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Handover-Secret: " + encoded
        assert (await router.raw(head + b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Handover-Secret": ""},
        {"X-Handover-Secret": SECRET[:-1]},
        {"X-Handover-Secret": SECRET + "x"},
        {"X-Handover-Secret": SECRET.upper()},
        {"X-Handover-Secret": f'"{SECRET}"'},
        {"X-Handover-Secret": ADMIN},
        {"Authorization": SECRET},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Token {SECRET}"},
        {"Authorization": f"Basic {SECRET}"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic ***"},
        {"Authorization": "Basic QQ"},
        {"Authorization": basic(SECRET)},
        {"Authorization": basic(f"{SECRET}:")},
        {"Authorization": basic(f"{SECRET}:x")},
        {"Authorization": basic(b"agent:\xff\xfe")},
        {"Cookie": f"secret={SECRET}"},
        {"X-Secret": SECRET},
    ],
)
async def test_anything_else_is_refused(router: Router, headers: dict[str, str]) -> None:
    """A missing, empty, wrong, misplaced or malformed secret is a 403 without detail."""
    reply = await router.send("POST", "/tools/support?intent=refund", headers=headers)
    assert (reply.status, reply.text) == (403, "Forbidden")
    assert router.sandbox.requests == []


@pytest.mark.parametrize(
    "query", ["secret=", "secret", "Secret=" + quote(SECRET), "secret=wrong&secret=", "x=" + quote(SECRET)]
)
async def test_a_wrong_query_is_refused(router: Router, query: str) -> None:
    """In the query the name is ``secret``, in this spelling, and blank is no secret."""
    assert (await router.send("GET", f"/tools/support?{query}")).status == 403


async def test_a_secret_in_the_body_is_none(router: Router) -> None:
    """The body is the model's: a secret in it proves nothing."""
    form = f"secret={quote(SECRET)}&intent=refund".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await router.send("POST", "/tools/support", headers=headers, body=form)).status == 403


async def test_two_different_secrets_are_none(router: Router) -> None:
    """A header that is repeated with another value says nothing, whichever of them is right."""
    for values in ((SECRET, "wrong"), ("wrong", SECRET)):
        headers = [("X-Handover-Secret", value) for value in values]
        assert (await router.send("POST", "/tools/support", headers=headers)).status == 403
    assert (await router.send("POST", "/tools/support", headers=[("X-Handover-Secret", SECRET)] * 2)).status == 200


async def test_the_secret_is_no_input(router: Router) -> None:
    """What stands in ``?secret=`` proves who calls, and reaches neither a message nor, as every test looks, the log."""
    routes = f"/tools/echo?secret={quote(SECRET)}&note=n"
    reply = await router.call(routes, {})
    assert reply.json["message"] == "/tools/echo  whatsapp:+15550100 n"


async def test_an_empty_secret_opens_nothing(tmp_path: Path) -> None:
    """A secret that is left empty by its default lets nobody in, the empty header least of all."""
    routes = ROUTES.replace("${env:HANDOVER_SECRET}", "${env:NO_SUCH_SECRET:-}")
    async with running_router(tmp_path, routes) as router:
        for headers in ({"X-Handover-Secret": ""}, {"Authorization": "Bearer "}, {"Authorization": basic(":")}, {}):
            assert (await router.send("POST", "/tools/support?secret=", headers=headers)).status == 403
        assert (await router.signed("/tools/support")).status == 200
