"""A call's inputs: a JSON object, a form or a query; whatever else comes is a clear error and changes nothing."""

from __future__ import annotations

import json
from math import isinf
from typing import TYPE_CHECKING, Any, Final, NoReturn

from router.callers.request import BODY_HASH, grouped, pairs
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.callers.request import Request

PROOFS: Final = frozenset({"secret", BODY_HASH})
"""Parameters of the URL that prove who calls; they never become inputs, which plugins and messages may show."""

DEEPEST: Final = 64
"""Levels that a JSON body may have."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


def url_inputs(request: Request) -> dict[str, Any]:
    """Read what stands in the URL; a name that is repeated with other values becomes a list.

    Raises BadRequest where the query cannot be decoded.
    """
    try:
        return _folded([pair for pair in request.query if pair[0] not in PROOFS])
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: expected percent-encoded UTF-8, found {_why(error)}") from error


def body_inputs(request: Request) -> dict[str, Any]:
    """Read the body of a POST: JSON or a form by its content type, nothing where it is empty.

    Raises BadRequest for every other content type, for JSON that is no object, and for text that is no UTF-8.
    """
    if request.method != "POST" or not request.body:
        return {}
    media_type = request.media_type
    if media_type == "application/json" or media_type.endswith("+json"):
        return _json(request.body)
    if request.is_form:
        return _form(request.body)
    found = repr(media_type) if media_type else "none"
    raise BadRequest(
        f"the body's content type is {found}; expected application/json or application/x-www-form-urlencoded"
    )


def _form(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        if "=" not in text:
            raise ValueError("no NAME=VALUE")  # noqa: TRY301 - said below in the same words as the rest
        return _folded(pairs(text))
    except ValueError as error:
        raise BadRequest(f"the body is no form: expected NAME=VALUE pairs in UTF-8, found {_why(error)}") from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(body.decode())
        if b"\\u" in body:  # half of a surrogate pair is valid JSON but no text: no attributes could carry it
            _ENCODER.encode(value).encode()
        is_deep = body.count(b"{") + body.count(b"[") > DEEPEST and _is_deeper(value, DEEPEST)
    except RecursionError:
        is_deep = True
    except ValueError as error:
        raise BadRequest(f"the body is not readable JSON: {_why(error)}") from error
    if is_deep:
        raise BadRequest("the body is nested too deeply; expected a JSON object of inputs")
    if not isinstance(value, dict):
        raise BadRequest(f"the body is a JSON {type(value).__name__}; expected an object of inputs, such as {{}}")
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Say whether ``value`` has more than so many levels: what is read here must be written again elsewhere."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("an object has the same name twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _finite(number: str) -> float:
    if isinf(value := float(number)):
        raise ValueError("Out of range float values: a number is too large")
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)


def _folded(decoded: Any) -> dict[str, Any]:
    folded = {name: list(dict.fromkeys(values)) for name, values in grouped(decoded).items()}
    return {name: values[0] if len(values) == 1 else values for name, values in folded.items()}


def _why(error: ValueError) -> str:
    """Say what is wrong without repeating the caller's text: it may hold a customer's words."""
    match error:
        case UnicodeError():
            return "bytes that are no UTF-8 text"
        case json.JSONDecodeError():
            return f"{error.msg} at line {error.lineno} column {error.colno}"
        case _:
            return str(error)
