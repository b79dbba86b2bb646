from __future__ import annotations

from typing import Any

import pytest

from router.explanation.calling import request_of


def test_a_path_with_a_query_is_enough() -> None:
    """Method in capitals, the path decoded and as it goes over the wire, the query as it stands, no body."""
    request = request_of("post", "/tools/a%20b?flowSid=FW1&x=a%26b")
    assert (request.method, request.path, request.raw_path) == ("POST", "/tools/a b", "/tools/a%20b")
    assert (request.raw_query, request.body, request.headers) == ("flowSid=FW1&x=a%26b", b"", {})


@pytest.mark.parametrize(
    ("url", "public_url", "path"),
    [
        ("https://host.example:8000/tools/a?x=1#part", "", "/tools/a"),
        ("http://host.example", "", "/"),
        ("https://host.example/base/tools/a", "https://host.example/base/", "/tools/a"),
        ("https://host.example/based/tools/a", "https://host.example/base", "/based/tools/a"),
        ("/tools/ä b", "", "/tools/ä b"),
    ],
)
def test_a_whole_url_is_cut_down_to_what_the_router_sees(url: str, public_url: str, path: str) -> None:
    """Scheme, host and fragment go, and so does a path that the public URL has before the tools'."""
    request = request_of("GET", url, public_url=public_url)
    assert request.path == path
    assert request.raw_path.isascii()


@pytest.mark.parametrize(
    ("parts", "media_type", "body"),
    [
        ({"json": '{"intent": "ä"}'}, "application/json", '{"intent": "ä"}'.encode()),
        ({"json": ""}, "application/json", b""),
        ({"form": ["a=1", "b=x&y=z"]}, "application/x-www-form-urlencoded", b"a=1&b=x%26y%3Dz"),
        ({"json": "{}", "headers": ["Content-Type: text/plain"]}, "text/plain", b"{}"),
    ],
)
def test_a_body_says_what_it_is(parts: dict[str, Any], media_type: str, body: bytes) -> None:
    """JSON and forms are sent as such, unless a header says otherwise."""
    request = request_of("POST", "/a", **parts)
    assert (request.media_type, request.body) == (media_type, body)


def test_headers_are_found_by_any_spelling() -> None:
    """A header's name is kept in lower case, its value without the space around it, repeated ones one by one."""
    request = request_of("POST", "/a", headers=["X-Identity:  sms:+1 ", "x-identity: b"])
    assert request.headers == {"x-identity": ["sms:+1", "b"]}


def test_who_stands_in_the_url_is_sent_as_basic_authentication() -> None:
    """A client turns user and password of a URL into a header, and an explicit header wins."""
    assert request_of("GET", "https://me:a%20b@host.example/a").header("authorization") == "Basic bWU6YSBi"
    request = request_of("GET", "https://me:x@host.example/a", headers=["Authorization: Bearer t"])
    assert request.headers["authorization"] == ["Bearer t"]


@pytest.mark.parametrize(
    ("url", "parts", "message"),
    [
        ("tools/a?secret=geheim", {}, "expected a URL, or a path that begins with '/', found 'tools/a'"),
        ("ftp://me:geheim@host/a", {}, "expected a URL, or a path that begins with '/', found 'host/a'"),
        ("/a", {"headers": ["geheim"]}, "--header: expected 'Name: value', found 6 characters without ':'"),
        ("/a", {"headers": [": geheim"]}, "--header: expected 'Name: value', found no name before ':'"),
        ("/a", {"form": ["geheim"]}, "--form: expected 'name=value', found 6 characters without '='"),
        ("/a", {"form": ["a=1"], "json": "{}"}, "a call has one body: JSON or a form"),
        ("http://[/a", {}, "Invalid IPv6 URL"),
    ],
)
def test_what_no_client_can_send_is_told(url: str, parts: dict[str, Any], message: str) -> None:
    """The error says what is expected, and repeats nothing that may be a secret."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is held below
        request_of("POST", url, **parts)
    assert str(raised.value) == message
    with pytest.raises(ValueError, match="expected a method such as POST, found 'PO ST'"):
        request_of("PO ST", "/a")
