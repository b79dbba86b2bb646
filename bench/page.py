"""``docs/performance.md`` made anew from the kept results: tables between their markers, and the plots beside."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from typing import TYPE_CHECKING, Final

from bench import wanted
from bench.results import KEPT, SHOWN, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.results import Result

PAGE: Final = KEPT.with_suffix(".md")


def filled(text: str, parts: Mapping[str, str]) -> str:
    """Put each part between its markers, ``<!-- name -->`` and ``<!-- /name -->``; raises ValueError without them."""
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            raise ValueError(f"the page has no place for {name!r}: it needs <!-- {name} --> and <!-- /{name} -->")
        text = f"{text[: found.end(1)]}\n{part}\n{text[found.start(2) :]}"
    return text


def origin(results: Mapping[str, Result]) -> str:
    """Say on what machine and when each result was found, and which were found in haste."""
    by_origin: dict[str, list[str]] = {}
    for name, result in results.items():
        haste = "; a quick run, which proves nothing" if result["is_quick"] else ""
        by_origin.setdefault(f"{result['machine']}, {result['day']}{haste}", []).append(name)
    return "".join(f"* {', '.join(names)}: {where}\n" for where, names in by_origin.items())


def main(arguments: Sequence[str]) -> None:
    """Make tables and plots anew."""
    from bench.plots import PLOTS  # noqa: PLC0415 - what draws is there for `make bench` alone

    argparse.ArgumentParser(prog="make bench ARGS=page", description=__doc__).parse_args(arguments)
    results = {name: read(KEPT, name) for name in SHOWN}
    parts = {name: import_module(f"bench.{name}").report(result) for name, result in results.items()}
    parts |= {"wanted": wanted.report(results), "origin": origin(results)}
    PAGE.write_text(filled(PAGE.read_text(), parts))
    for name, plot in PLOTS.items():
        plot(results[name], KEPT / f"{name}.png")
    print(f"{PAGE} shows the results of {KEPT}")
