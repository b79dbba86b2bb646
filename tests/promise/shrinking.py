"""From a walk on which a promise was broken to the shortest one on which it still is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.promise.figures import Violation
from tests.promise.walk import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.promise.steps import Step


def shrink(seed: int, steps: Sequence[Step], found: Violation) -> tuple[list[Step], Violation]:
    """Leave steps out, as long as the same promise is broken."""
    kept, last, kind = list(steps), found, _kind(found)
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            try:
                play(seed, fewer)
                at += size
            except Violation as error:
                if _kind(error) == kind:
                    kept, last = fewer, error
                else:
                    at += size
        if size == 1:
            return kept, last
        size //= 2


def _kind(violation: Violation) -> str:
    return re.sub(r"[^a-z ]", "", str(violation).splitlines()[0])[:60]
