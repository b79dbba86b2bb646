"""``make bench``: one benchmark with options of its own, or all of them, and then the page that shows them anew."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

from bench.results import KEPT, SHOWN

PRINTED: Final = ("configuration", "load", "hooks")
PAGE: Final = "page"


def main(arguments: list[str]) -> None:
    """Run what is named, or everything; options without a name are for all whose results are kept."""
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
    main(sys.argv[1:])
