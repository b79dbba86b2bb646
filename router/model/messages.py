"""The sentences for the model: one for each end that a call can have, no two the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST: Final = 1024
"""Bytes that a sentence may have: no limit of tool answers is documented (docs/twilio.md, TOOL-LIMITS)."""

_SURELY_SHORT: Final = LONGEST // 4
"""Characters that fit into that whichever they are: UTF-8 has four bytes for one at the most."""

_INPUT: Final = "input."
_WORDS: Final = frozenset({"intent", "tool", "identity"})
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Messages:
    """A sentence for each end. They may use ``{intent}``, ``{tool}``, ``{identity}`` and ``{input.NAME}``."""

    success: str = "Conversation handed over"
    already: str = "This conversation is already handed over. Do not call this tool again and end your turn."
    failure: str = "The handover did not work. Apologise and offer to try again."
    pending: str = (
        "The handover is under way but not confirmed yet. Ask the customer for a moment of patience and do not call"
        " this tool again."
    )
    declined: str = (
        "Nothing was handed over: this tool is not set up for such a request. Go on helping the customer yourself."
    )
    unknown_intent: str = (
        "Nothing was handed over: no such intent is known here. Call the tool again with one of: {known}."
    )
    not_a_conversation: str = (
        "Nothing was handed over: this session is not a Twilio Conversation, so this tool cannot work here."
        " Ignore this result and go on helping the customer yourself."
    )
    unknown_conversation: str = (
        "Nothing was handed over: Twilio knows no such conversation. Do not call this tool again."
    )
    closed: str = "Nothing was handed over: this conversation is closed. Do not call this tool again."
    no_room: str = (
        "Nothing was handed over: the conversation has no free place for another webhook. Apologise and go on helping"
        " the customer yourself."
    )
    limit: str = (
        "Nothing was handed over: this conversation was handed over too often in the last hour. Do not call this tool"
        " again, and go on helping the customer yourself."
    )
    out_of_order: str = (
        "Nothing was handed over: this tool is out of order. Do not call it again, and go on helping the customer"
        " yourself."
    )
    busy: str = (
        "Nothing was handed over: no handover could be begun in time. Apologise and offer to try again in a moment."
    )
    unrecorded: str = (
        "Nothing was handed over: no handover can be recorded at present. Apologise and go on helping the customer"
        " yourself."
    )
    dry_run: str = (
        "This was a dry run: the conversation would have been handed over, and nothing was changed."
        " Go on helping the customer yourself."
    )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The keys that ``messages:`` may have, in the order above."""
        return tuple(entry.name for entry in fields(cls))

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Take the given sentences and our own for the rest."""
        return cls(**texts)


def placeholders(text: str) -> Iterator[str]:
    """Yield what stands between braces in ``text``; raises ValueError where the braces do not match."""
    for _literal, name, spec, conversion in Formatter().parse(text):
        if name is not None:
            yield name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")


def is_known_placeholder(name: str, key: str = "") -> bool:
    """Say whether the sentence under ``key`` may use ``{name}``; ``{known}`` belongs to ``unknown_intent`` alone."""
    if name == "known":
        return key == "unknown_intent"
    return name in _WORDS or (name.startswith(_INPUT) and len(name) > len(_INPUT))


def render(text: str, words: Mapping[str, str], inputs: Mapping[str, Any]) -> str:
    """Fill the placeholders of ``text``; what is not there becomes empty, and one line stays one line."""
    if "{" not in text and "}" not in text:
        return one_sentence(text)
    parts: list[str] = []
    for literal, name, _spec, _conversion in Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            found = inputs.get(name.removeprefix(_INPUT), "") if name.startswith(_INPUT) else words.get(name, "")
            parts.append(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))
    return one_sentence("".join(parts))


def one_sentence(text: str) -> str:
    """Make ``text`` fit for the model: no control characters, no line breaks, at most ``LONGEST`` bytes."""
    if text.isprintable() and len(text) <= _SURELY_SHORT:
        return text.strip()
    flat = _UNSEEN.sub(" ", text).strip()
    return flat.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")
