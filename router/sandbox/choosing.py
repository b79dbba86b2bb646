"""How the scripted agent decides: which tool and intent a customer's words call for, and what it says afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORD: Final = re.compile(r"[a-z']+")
_SHORTEST: Final = 4
_COMMON: Final = frozenset(
    {"about", "asked", "asking", "asks", "because", "customer", "customers", "from", "have", "must", "that", "their"}
    | {"they", "this", "tool", "want", "wants", "what", "when", "will", "wishes", "with", "would", "your"}
)
"""Words that descriptions of tools are full of, and that say nothing about which of them to choose."""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool as the agent's builder set it up: the words to choose it by, and the URL to call.

    ``intents`` maps each intent to further wordings (aliases, its description); ``intent_input`` is the input that
    carries the chosen one.
    """

    name: str
    description: str
    url: str
    method: str = "POST"
    intents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    intent_input: str = "intent"


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool, and the intent that it is called with; empty where the tool has none."""

    tool: ToolOffer
    intent: str = ""


def choose(text: str, tools: Sequence[ToolOffer]) -> Choice | None:
    """Choose the tool whose words the customer's text shares most of, the first of equals; None where it shares none.

    A tool with intents is chosen by theirs, any other by its description.
    """
    said = set(_WORD.findall(text.lower()))
    best, most = None, 0
    for choice, wordings in _choices(tools):
        score = sum(_shared(wording, said) for wording in wordings)
        if score > most:
            best, most = choice, score
    return best


def _choices(tools: Sequence[ToolOffer]) -> list[tuple[Choice, Sequence[str]]]:
    found: list[tuple[Choice, Sequence[str]]] = []
    for tool in tools:
        found += [(Choice(tool, intent), (intent, *wordings)) for intent, wordings in tool.intents.items()]
        if not tool.intents:
            found.append((Choice(tool), (tool.description,)))
    return found


def _shared(wording: str, said: set[str]) -> int:
    """Count the telling words of ``wording`` that were said, in any ending: refund, refunds, refunded."""
    telling = {word for word in _WORD.findall(wording.lower().replace("_", " ")) if len(word) >= _SHORTEST} - _COMMON
    return sum(any(word.startswith(stem.removesuffix("s")) for word in said) for stem in telling)


SMALL_TALK: Final = "Thank you for your message. I can help with orders, refunds and bills: what can I do for you?"
APOLOGY: Final = "I am sorry, that did not work just now. Shall I try again?"

_CLOSINGS: Final[Sequence[tuple[str, str]]] = (
    ("already handed over", ""),
    ("nothing was handed over", "I am sorry, I cannot pass you on with that. Is there anything else I can do for you?"),
    ("did not work", APOLOGY),
    ("under way", "One moment please, I am passing you on."),
    ("dry run", "I would have passed you on now. Is there anything else I can do for you?"),
)
"""What the agent makes of an answer that speaks to the model and not to the customer; an empty text is silence."""


def closing_sentence(answer: str) -> str:
    """Say what the agent tells the customer after a tool's ``answer``."""
    for sign, sentence in _CLOSINGS:
        if sign in answer.lower():
            return sentence
    return f"Thank you. {answer}" if answer else APOLOGY
