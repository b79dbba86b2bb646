"""``make bench``: one benchmark with options of its own, or all of them, and then the page that shows them anew."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Final

from bench.results import KEPT, SHOWN

PRINTED: Final = ("configuration", "load", "hooks")
PAGE: Final = "page"


USAGE: Final = f"""\
usage: make bench [ARGS='PART --help']

Without ARGS all parts run, one after the other, and docs/performance.md is made anew: the better part of an hour.

{", ".join(SHOWN)}: each keeps its result, in build/bench unless --to names another folder
{", ".join(PRINTED)}: these only print
{PAGE}: makes docs/performance.md anew of the results in docs/performance\
"""


def main(arguments: list[str]) -> None:
    """Run what is named, or everything; options without a name are for all whose results are kept."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE)
        return
    if arguments and not arguments[0].startswith("-"):
        name, *options = arguments
        if name not in (*SHOWN, *PRINTED, PAGE):
            sys.exit(f"bench: no benchmark {name!r}; there are {', '.join((*SHOWN, *PRINTED))}, and {PAGE}")
        import_module(f"bench.{name}").main(options)
        return
    for name in SHOWN:
        import_module(f"bench.{name}").main([f"--to={KEPT}", *arguments])
    for name in PRINTED:
        import_module(f"bench.{name}").main([])
    import_module(f"bench.{PAGE}").main([])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends us lets us end what we began
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("bench: stopped")
    except ModuleNotFoundError as missing:
        sys.exit(f"bench: {missing.name} is missing; delete .venv/bench and run make bench again")
