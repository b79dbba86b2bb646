from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.callers.proof import is_bearer, is_proved, what_lacks
from router.callers.request import Request
from router.model.routes import AuthKind, AuthMethod
from router.twilio.signatures import SignatureCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOBODY = SignatureCheck(())
SIGNATURE = AuthMethod(AuthKind.TWILIO_SIGNATURE)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Asked:
    """Says yes, and remembers what it was asked."""

    questions: list[dict[str, Any]] = field(default_factory=list)

    def passes(
        self, *, url: str, params: Mapping[str, Sequence[str]], body: bytes | None, signature: str, settings: str = ""
    ) -> bool:
        self.questions.append({"url": url, "params": params, "body": body, "with": (signature, settings)})
        return True


def shows(secret: str, query: str = "", **headers: str) -> bool:
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    request = Request("POST", "/t", "/t", query, named)
    return is_proved(request, (AuthMethod(AuthKind.SECRET, secret),), NOBODY, "https://h.example")


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


SECRETS = st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs", "Z", "Cc"]), min_size=1)


@given(SECRETS, st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])))
def test_any_secret_passes_in_all_four_places(secret: str, user: str) -> None:
    """Whatever letters a secret has, colons too, and whatever the user of Basic is called."""
    assert shows(secret, x_handover_secret=secret)
    assert shows(secret, authorization=f"Bearer {secret}")
    assert shows(secret, authorization=basic(f"{user}:{secret}"))
    assert shows(secret, "secret=" + "".join(f"%{byte:02x}" for byte in secret.encode()))


@given(SECRETS, SECRETS)
def test_no_other_secret_passes(secret: str, other: str) -> None:
    """Where the two differ, no place lets the other one in."""
    if secret != other:
        places = (
            {"x_handover_secret": other},
            {"authorization": f"Bearer {other}"},
            {"authorization": basic(f":{other}")},
        )
        assert not any(shows(secret, **place) for place in places)


@given(st.text(), st.text(), st.text())
def test_an_empty_secret_lets_nobody_in(header: str, authorization: str, query: str) -> None:
    """Without a secret there is none to show, and nothing raises."""
    assert not shows("", query, x_handover_secret=header, authorization=authorization)


@given(st.text(), st.text())
def test_odd_credentials_do_not_raise(authorization: str, query: str) -> None:
    """Malformed Base64, other schemes and unreadable queries are no proof."""
    assert not shows("not-to-be-guessed", query, authorization=authorization)
    assert not shows("not-to-be-guessed", query, authorization=f"Basic {authorization}")


def test_no_method_no_pass() -> None:
    """Where nothing is listed nobody gets in; where several are, one is enough."""
    asked = Asked()
    request = Request("GET", "/t", "/t")
    assert not is_proved(request, (), asked, "")
    assert is_proved(request, (AuthMethod(AuthKind.SECRET, "s"), SIGNATURE), asked, "")


def signed_over(method: str, query: str, body: bytes, content_type: str) -> list[dict[str, Any]]:
    """Give what a signature would be checked over, by a check that says yes."""
    asked = Asked()
    headers = {"content-type": [content_type], "x-twilio-signature": ["sig"]}
    headers["x-twilio-webhooks-signature-settings"] = ["set"]
    is_proved(Request(method, "/t", "/%74", query, headers, body), (SIGNATURE,), asked, "https://h.example")
    return asked.questions


@pytest.mark.parametrize(
    ("query", "body", "content_type", "params", "checked"),
    [
        ("a=1", b"", "", {}, None),
        ("a=1", b"", "application/json", {}, None),
        ("a=1", b"x=1&x=2&y=", FORM, {"x": ["1", "2"], "y": [""]}, None),
        ("a=1", b"{}", "application/json", {}, b"{}"),
        ("a=1", b"x=1", "text/plain", {}, b"x=1"),
        ("bodySHA256=f", b"", "", {}, b""),
        ("bodySHA256=f", b"x=1", FORM, {}, b"x=1"),
        ("bodySHA25%36", b"{}", "application/json", {}, b"{}"),
    ],
)
def test_what_a_signature_covers(
    query: str, body: bytes, content_type: str, params: dict[str, list[str]], checked: bytes | None
) -> None:
    """A form's parameters, or the body that the URL promises or that is no form; always the URL as it came."""
    (question,) = signed_over("POST", query, body, content_type)
    assert question == {
        "url": f"https://h.example/%74?{query}",
        "params": params,
        "body": checked,
        "with": ("sig", "set"),
    }


@pytest.mark.parametrize(("query", "body"), [("a=%ff", b""), ("", b"\xff=1"), ("", b"x=%ff")])
def test_what_cannot_be_read_was_not_signed(query: str, body: bytes) -> None:
    """A query or a form that is no UTF-8 does not even reach the check."""
    assert signed_over("POST", query, body, FORM) == []


@pytest.mark.parametrize(
    ("authorization", "passes"),
    [
        ("Bearer admin", True),
        ("BEARER  admin ", True),
        ("Bearer admi", False),
        ("Bearer", False),
        ("admin", False),
        (basic(":admin"), False),
        ("", False),
    ],
)
def test_the_admin_bears_the_token(authorization: str, *, passes: bool) -> None:
    """Only a bearer token is looked at, and an empty token is borne by nobody."""
    request = Request("POST", "/-/reload", "/-/reload", headers={"authorization": [authorization]})
    assert is_bearer(request, "admin") is passes
    assert not is_bearer(request, "")


def test_a_lone_surrogate_is_compared_and_not_raised() -> None:
    """A secret from a broken environment, and a header that is no text, are compared byte for byte."""
    assert not shows("s", x_handover_secret="\udcff")
    assert shows("s\udcff", x_handover_secret="s\udcff")


@pytest.mark.parametrize(
    ("headers", "query", "reason"),
    [
        ({}, "", "no X-Twilio-Signature, no secret"),
        ({"x-twilio-signature": ["AAAA"]}, "", "the signature is not of this URL and body, no secret"),
        ({"x-handover-secret": ["guess"]}, "", "no X-Twilio-Signature, the secret is another one"),
        ({}, "secret=guess", "no X-Twilio-Signature, the secret is another one"),
    ],
)
def test_the_log_is_told_what_a_refused_request_lacks(headers: dict[str, list[str]], query: str, reason: str) -> None:
    """What it shows is named and never repeated; a method that is not asked for is not missed."""
    request = Request("POST", "/t", "/t", query, headers)
    secret = AuthMethod(AuthKind.SECRET, "open-sesame")
    assert what_lacks(request, (SIGNATURE, secret)) == reason
    alone = "" if "x-twilio-signature" in headers else "; 'auth' has no secret"
    assert what_lacks(request, (SIGNATURE,)) == reason.partition(", ")[0] + alone
    assert what_lacks(request, (secret,)) == reason.partition(", ")[2]
