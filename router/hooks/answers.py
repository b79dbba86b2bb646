"""What an implementation may answer: each function gives what counts of an answer, or raises NoAnswer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

from router.hooks.failure import NoAnswer
from router.model.handover import Decline, Handover
from router.model.masking import fit
from router.model.sids import is_sid
from router.model.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.model.routes import Tool


LARGEST_JSON: Final = 16 * 1024
"""Characters that the JSON of a plugin's attributes may have: all attributes of a conversation have 16 kB."""

LONGEST_SENTENCE: Final = 64 * 1024
"""Characters that a sentence for the model may have."""

LONGEST_NAME: Final = 200
"""Characters that the name of an intent may have, or a target's reference."""

MOST: Final = 100
"""So many endpoints, and so many targets, one plugin may give."""

_NAME: Final = re.compile(r"\w[\w .-]{0,99}")
"""The name of a target: one that ``flows`` could have too."""

_ENCODER: Final = json.JSONEncoder(allow_nan=False)


def replacement(handover: Handover, listed: Callable[[str], str | None], answer: Any) -> Handover:
    """Take a guard's answer: None keeps ``handover``; a Handover may differ from it in flow and message only.

    ``listed`` gives the Flow SID for what may be named as a flow, and None for anything else.
    """
    if answer is None:
        return handover
    if type(answer) is not Handover:
        raise NoAnswer(f"returned {_kind(answer)}, expected None or handover.replace(...)")
    if not (isinstance(answer.flow, str) and isinstance(answer.message, str)):
        raise NoAnswer("returned a handover whose flow or message is no text")
    message = _bounded(answer.message, "a message")
    if not message.strip() and message != handover.message:
        raise NoAnswer("gave a message without a word for the model")
    changed = handover.replace(flow=str.__str__(answer.flow), message=message)
    if answer != changed:
        raise NoAnswer("returned a handover that differs in more than flow and message")
    flow = handover.flow if changed.flow == handover.flow else listed(changed.flow)
    if flow is None:
        raise NoAnswer(f"chose the flow {changed.flow[:40]!r}, which is not in 'flows'")
    return changed.replace(flow=flow)


def declined(error: Decline, plugin: str) -> Decline:
    """Take the word of a guard of ``plugin`` that stops a handover, as one of ours."""
    try:
        sentence = error.sentence
    except BaseException:  # noqa: BLE001 - to read it is a call into the plugin
        sentence = ""
    sentence = str.__str__(sentence) if issubclass(type(sentence), str) else ""
    if not sentence.strip():
        raise NoAnswer("declined without a sentence for the model")
    own = Decline(_bounded(sentence, "a sentence"))
    own.plugin = plugin
    return own


def chosen(tool: Tool, answer: Any) -> str:
    """Take the name or an alias of an intent of ``tool``, and give its name; None chooses none."""
    if answer is None:
        return ""
    if not isinstance(answer, str):
        raise NoAnswer(f"returned {_kind(answer)}, expected None or the name of an intent")
    intent = tool.find(str.__str__(answer)) if len(answer) <= LONGEST_NAME else None
    if intent is None:
        known = ", ".join(tool.intents)
        raise NoAnswer(f"chose the intent {answer[:40]!r}, which the tool does not have (it has: {known})")
    return intent.name


def attributes(answer: Any) -> dict[str, Any]:
    """Take a contributor's answer: None gives nothing; a mapping of names to JSON values is copied."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping) or not all(isinstance(name, str) for name in answer):
        raise NoAnswer(f"returned {_kind(answer)}, expected a dict of names and JSON values")
    try:
        # The copy is the proof that it is JSON, and what the plugin does to its own later is not felt.
        copied: dict[str, Any] = json.loads(_encoded(dict(answer)))
    except (TypeError, ValueError, RecursionError) as error:
        raise NoAnswer(f"returned what is not JSON: {error}") from error
    return copied


def surroundings(answer: Any) -> AbstractAsyncContextManager[Any]:
    """Take an async context manager."""
    if not isinstance(answer, AbstractAsyncContextManager):
        raise NoAnswer(f"returned {_kind(answer)}, expected an async context manager, as of @asynccontextmanager")
    return answer


def endpoints(answer: Any) -> tuple[Any, ...]:
    """Take a list of Starlette routes, known by what they can do; None gives none."""
    if answer is None:
        return ()
    if not isinstance(answer, list | tuple) or not all(
        callable(getattr(route, "matches", None)) and callable(getattr(route, "handle", None)) for route in answer
    ):
        raise NoAnswer(f"returned {_kind(answer)}, expected a list of Starlette routes")
    if len(answer) > MOST:
        raise NoAnswer(f"returned {len(answer)} endpoints, expected at most {MOST}")
    return tuple(answer)


def targets(answer: Any) -> dict[str, Any]:
    """Take a mapping of names to targets; None gives none."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping):
        raise NoAnswer(f"returned {_kind(answer)}, expected a dict of names and targets")
    if len(answer) > MOST:
        raise NoAnswer(f"returned {len(answer)} targets, expected at most {MOST}")
    for name, target in answer.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)) or is_sid("FW", name):
            raise NoAnswer(f"returned a target whose name is no name of a flow: {fit(repr(name)[:40])}")
        if not isinstance(target, Target):
            raise NoAnswer(f"returned {_kind(target)} for '{name}', expected an object whose class is a router.Target")
        if target.flow and not is_sid("FW", target.flow):
            raise NoAnswer(f"returned a target '{name}' whose flow is {fit(repr(target.flow)[:40])}, no Flow SID")
    return {str.__str__(name): target for name, target in answer.items()}


def reference(answer: Any) -> str:
    """Take a reference to what a target has begun."""
    if not isinstance(answer, str) or not 0 < len(answer) <= LONGEST_NAME or not answer.isprintable():
        raise NoAnswer(f"returned {_kind(answer)}, expected a reference: 1 to {LONGEST_NAME} printable characters")
    return str.__str__(answer)


def reference_or_none(answer: Any) -> str | None:
    """Take a reference to what goes on; None where nothing does."""
    return None if answer is None else reference(answer)


def nothing(answer: Any) -> None:
    """Take the answer of a hook that has none to give."""
    if answer is not None:
        raise NoAnswer(f"returned {_kind(answer)}, but nobody reads what it returns")


def _encoded(value: Any) -> str:
    pieces: list[str] = []
    size = 0
    for piece in _ENCODER.iterencode(value):
        size += len(piece)
        if size > LARGEST_JSON:
            raise NoAnswer(f"returned more than {LARGEST_JSON} characters of JSON")
        pieces.append(piece)
    return "".join(pieces)


def _bounded(text: str, what: str) -> str:
    plain = str.__str__(text)
    if len(plain) > LONGEST_SENTENCE:
        raise NoAnswer(f"gave {what} of {len(plain)} characters, expected at most {LONGEST_SENTENCE}")
    return plain


def _kind(answer: Any) -> str:
    return type(answer).__name__
