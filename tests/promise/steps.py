"""What may happen, made up at random: the same seed gives the same steps."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from tests.promise.scene import KINDS, STRANGERS, TOOLS
from tests.promise.weather import Trouble

VERBS: Final = (
    "*",
    "list_webhooks",
    "create_webhook",
    "redirect_webhook",
    "delete_webhook",
    "change_attributes",
    "begin",
    "find",
    "stop",
)

WEIGHTS: Final = {
    "call": 10,
    "at_once": 2,
    "say": 4,
    "back": 3,
    "flow_back": 5,
    "end": 3,
    "arm": 9,
    "storm": 3,
    "kill": 3,
    "stop": 1,
    "start": 1,
    "idle": 1,
    "full": 1,
    "come": 2,
    "go": 2,
    "close": 1,
}
"""How often each happens."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens: ``name`` is a method of ``Walk``, ``pause`` the seconds until the next step."""

    name: str
    args: tuple[Any, ...] = ()
    pause: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))}) then {self.pause:g} s"


def steps_of(seed: int, length: int = 60) -> list[Step]:
    """Make up a walk."""
    chance = random.Random(seed)
    steps: list[Step] = []
    while len(steps) < length:
        steps += [_any_step(chance) for _ in range(chance.randrange(1, 9))]
        steps.append(Step("settle"))
    return steps


def _any_step(chance: random.Random) -> Step:
    name = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
    pause = chance.choice((0.0, 0.0, 0.02, 0.1, 0.3, 1.0, 3.0))
    if name == "idle":
        pause = chance.choice((5.0, 30.0, 100.0))
    return Step(name, _arguments(name, chance), pause)


def _arguments(name: str, chance: random.Random) -> tuple[Any, ...]:  # noqa: PLR0911 - one return a kind of step
    where = chance.randrange(len(KINDS))
    match name:
        case "call":
            return where, chance.choice([*TOOLS]), chance.choice(("", "", "t1", "t2"))
        case "at_once":
            return where, chance.choice([*TOOLS]), chance.randrange(2, 6)
        case "arm":
            return chance.choice(VERBS), str(chance.choice([*Trouble])), chance.choice((1, 1, 3, 12))
        case "storm":
            return (chance.choice((0.1, 0.3, 0.7)),)
        case "flow_back":
            return where, chance.choice((None, 0.1, 1.0, 5.0, 90.0))
        case "come":
            return where, chance.randrange(len(STRANGERS))
        case "kill" | "stop":
            return (chance.randrange(2),)
        case "full":
            return (chance.choice((0.5, 3.0)),)
        case "idle" | "start":
            return ()
        case _:
            return (where,)
