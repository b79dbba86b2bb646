"""Proof that a request comes from Twilio: ``X-Twilio-Signature``, made and checked by the SDK's RequestValidator."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, unquote_plus

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ORIGIN: Final = re.compile(r"(?P<host>(?P<scheme>https?)://[^/?#]*?)(?P<port>:\d+)?(?P<rest>[/?#].*)?", re.DOTALL)
_PORTS: Final = {"https": ":443", "http": ":80"}
_BODY_HASH: Final = "bodySHA256"


class _Form(dict[str, "str | Sequence[str]"]):
    """Form parameters as the SDK asks for them: a plain dict would make it join a list to a string."""

    def getlist(self, name: str) -> list[str]:
        found = self[name]
        return [found] if isinstance(found, str) else list(found)


def sign(token: str, url: str, params: Mapping[str, str | Sequence[str]]) -> str:
    """Sign a request as Twilio does, with HMAC-SHA1: ``params`` are a form's, and empty for any other body.

    The body of a request that is no form is signed by a ``bodySHA256`` in ``url`` (docs/twilio.md, SIGNATURE).
    """
    signature: str = RequestValidator(token).compute_signature(url, _Form(params))
    return signature


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Check signatures with each auth token in ``tokens``: two during a rotation. Without a token nothing passes."""

    tokens: tuple[str, ...] = field(repr=False)

    def passes(
        self,
        *,
        url: str,
        params: Mapping[str, Sequence[str]],
        body: bytes | None,
        signature: str | None,
        settings: str = "",
    ) -> bool:
        """Say whether Twilio signed this request; never raises.

        ``url`` is the whole URL as the caller called it, byte for byte. A form comes as ``params``, with ``body``
        None; every other body comes as ``body``, and its SHA-256 must stand in the URL (docs/twilio.md, BODY-HASH).
        ``settings`` is the header ``X-Twilio-Webhooks-Signature-Settings`` (docs/twilio.md, SIGNATURE-SETTINGS).
        """
        algorithm = get_signature_algorithm(settings).upper()
        if not signature or not signature.isascii() or algorithm not in (HMAC_SHA1, HMAC_SHA256):
            return False
        if body is not None and not _is_intact(url, body):
            return False
        form = _Form(params if body is None else {})
        try:
            for validator in map(RequestValidator, filter(None, self.tokens)):
                for called in _with_and_without_port(url):
                    if hmac.compare_digest(validator.compute_signature(called, form, algorithm), signature):
                        return True
        except UnicodeEncodeError:  # a lone surrogate cannot have come from Twilio
            return False
        return False


def _is_intact(url: str, body: bytes) -> bool:
    query = url.partition("#")[0].partition("?")[2]
    pairs = [parameter.partition("=") for parameter in query.split("&")]
    promised = [value for name, _equals, value in pairs if _BODY_HASH in (name, unquote(name))]
    if len(promised) != 1:
        return False
    found = hashlib.sha256(body).hexdigest().encode()
    return hmac.compare_digest(unquote_plus(promised[0]).lower().encode("utf-8", "replace"), found)


def _with_and_without_port(url: str) -> Iterator[str]:
    """Yield both forms: the sender is not consistent (docs/twilio.md, SIGNATURE-PORT).

    The SDK does the same, but takes the URL apart and puts another one together: it loses an empty query and
    mangles IPv6 hosts.
    """
    yield url
    parts = _ORIGIN.fullmatch(url)
    if parts is not None:
        port = "" if parts["port"] else _PORTS[parts["scheme"]]
        yield parts["host"] + port + (parts["rest"] or "")
