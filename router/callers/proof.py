"""How a caller proves itself: by Twilio's signature or by a shared secret."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import partial
from typing import TYPE_CHECKING, Protocol

from router.callers.request import BODY_HASH, grouped, pairs
from router.model.routes import AuthKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from router.callers.request import Request
    from router.model.routes import AuthMethod


class Signatures(Protocol):
    """What checks a signature of Twilio's; ``router/twilio/signatures.py`` has one."""

    def passes(
        self, *, url: str, params: Mapping[str, Sequence[str]], body: bytes | None, signature: str, settings: str = ""
    ) -> bool:
        """Say whether ``signature`` is Twilio's for this URL with these form parameters or this other body."""
        ...


def is_proved(request: Request, methods: Sequence[AuthMethod], signatures: Signatures, public_url: str) -> bool:
    """Say whether one of ``methods`` passes. No method, no pass."""
    for method in methods:
        if method.kind is AuthKind.SECRET:
            passes = _shows(request, method.secret)
        else:
            passes = _is_signed(request, signatures, public_url)
        if passes:
            return True
    return False


def what_lacks(request: Request, methods: Sequence[AuthMethod]) -> str:
    """Say for the log why a request that is not proved is not: what it shows, and what was asked for."""
    asked = {method.kind for method in methods}
    reasons = []
    if AuthKind.TWILIO_SIGNATURE in asked:
        is_there = bool(request.header("x-twilio-signature"))
        missing = "no X-Twilio-Signature" + ("" if AuthKind.SECRET in asked else "; 'auth' has no secret")
        reasons.append("the signature is not of this URL and body" if is_there else missing)
    if AuthKind.SECRET in asked:
        reasons.append("the secret is another one" if any(_shown(request)) else "no secret")
    return ", ".join(reasons)


def is_bearer(request: Request, token: str) -> bool:
    """Say whether the request bears ``token``; an empty token is borne by nobody."""
    scheme, _space, given = request.header("authorization").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and _same(given.strip(), token)


def _is_signed(request: Request, signatures: Signatures, public_url: str) -> bool:
    """Check the signature over a form's parameters, or over the hash of any other body that the URL must promise.

    Where the URL promises a hash it is always checked: without its body, a signed URL is half a request.
    """
    try:
        promises = BODY_HASH in dict(request.query)
        form = {} if promises or not request.is_form else grouped(pairs(request.body.decode()))
    except ValueError:
        return False
    passes = partial(
        signatures.passes,
        params=form,
        body=request.body if promises or (request.body and not request.is_form) else None,
        signature=request.header("x-twilio-signature"),
        settings=request.header("x-twilio-webhooks-signature-settings"),
    )
    url = request.url(public_url)
    # No server tells an empty query from none, but a signature does.
    return passes(url=url) or (not request.raw_query and passes(url=f"{url}?"))


def _shows(request: Request, secret: str) -> bool:
    """Compare every secret that the request shows, so that the time taken does not tell which place was right."""
    compared = [_same(shown, secret) for shown in _shown(request)]
    return bool(secret) and any(compared)


def _shown(request: Request) -> Iterator[str]:
    yield request.header("x-handover-secret")
    scheme, _space, credentials = request.header("authorization").partition(" ")
    if scheme.lower() == "bearer":
        yield credentials.strip()
    elif scheme.lower() == "basic":
        yield _password(credentials.strip())
    try:
        yield from (value for name, value in request.query if name == "secret")
    except ValueError:
        return


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _same(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode(errors="surrogateescape"), secret.encode(errors="surrogateescape"))
