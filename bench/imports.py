"""What a command imports, and how long each package takes, by Python's own account (``-X importtime``)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LINE: Final = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)")


def by_package(lines: Iterable[str]) -> Mapping[str, float]:
    """Give the seconds that each package's own modules took, without what they import, the longest first."""
    taken: Counter[str] = Counter()
    for line in lines:
        if match := _LINE.match(line):
            taken[match[2].partition(".")[0]] += int(match[1])
    return {package: microseconds / 1e6 for package, microseconds in taken.most_common()}
