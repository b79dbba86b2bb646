"""``make bench``: all benchmarks one after the other, or the one that is named, with its own options."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

BENCHMARKS: Final = ("handovers", "configuration", "load", "hooks")


def main(arguments: list[str]) -> None:
    """Run what is named, or everything."""
    named = [arguments[0]] if arguments and not arguments[0].startswith("-") else BENCHMARKS
    for name in named:
        if name not in BENCHMARKS:
            sys.exit(f"bench: no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
        import_module(f"bench.{name}").main(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
