"""What an implementation may answer: each function gives what counts of an answer, or raises NoAnswer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from router.hooks.failure import NoAnswer
from router.model.handover import Handover


def replacement(handover: Handover, listed: Callable[[str], str | None], answer: Any) -> Handover:
    """Take a guard's answer: None keeps ``handover``; a Handover may differ from it in flow and message only.

    ``listed`` gives the Flow SID for what may be named as a flow, and None for anything else.
    """
    if answer is None:
        return handover
    if not isinstance(answer, Handover):
        raise NoAnswer(f"returned {_kind(answer)}, expected None or handover.replace(...)")
    if not (isinstance(answer.flow, str) and isinstance(answer.message, str)):
        raise NoAnswer("returned a handover whose flow or message is no text")
    if answer != handover.replace(flow=answer.flow, message=answer.message):
        raise NoAnswer("returned a handover that differs in more than flow and message")
    flow = listed(answer.flow)
    if flow is None:
        raise NoAnswer(f"chose the flow {answer.flow[:40]!r}, which is not in 'flows'")
    return answer.replace(flow=flow)


def attributes(answer: Any) -> dict[str, Any]:
    """Take a contributor's answer: None gives nothing; a mapping of names to JSON values is copied."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping) or not all(isinstance(name, str) for name in answer):
        raise NoAnswer(f"returned {_kind(answer)}, expected a dict of names and JSON values")
    try:
        # The copy is the proof that it is JSON, and what the plugin does to its own later is not felt.
        copied: dict[str, Any] = json.loads(json.dumps(dict(answer), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise NoAnswer(f"returned what is not JSON: {error}") from error
    return copied


def nothing(answer: Any) -> None:
    """Take an observer's answer: there is none to give."""
    if answer is not None:
        raise NoAnswer(f"returned {_kind(answer)}, but nobody reads what an observer returns")


def _kind(answer: Any) -> str:
    return type(answer).__name__
