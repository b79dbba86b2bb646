"""``make torture``: random walks with fresh seeds, or real servers under siege; prints what was done."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests import postgres
from tests.promise.figures import Figures, Violation
from tests.promise.shrinking import shrink
from tests.promise.siege import besiege
from tests.promise.steps import steps_of
from tests.promise.walk import play


@click.command()
@click.option("--minutes", type=float, default=0.0, help="So long; 0 goes on until Ctrl-C.")
@click.option("--seed", type=int, help="Play this walk alone.")
@click.option("--processes", is_flag=True, help="Besiege real servers instead, for one minute unless told otherwise.")
@click.option("--database", default="", help="On this PostgreSQL; 'postgresql' starts one. Without it on SQLite.")
def main(minutes: float, seed: int | None, processes: bool, database: str) -> None:
    """Walk, and say at the end what was done; exit 1 where a promise was broken."""
    violations = _besiege(seed, minutes or 1.0, database) if processes else _walk_on(seed, minutes)
    sys.exit(violations > 0)


def _besiege(seed: int | None, minutes: float, database: str) -> int:
    number = secrets.randbits(32) if seed is None else seed
    url = postgres.server().get_uri() if database == "postgresql" else database
    with TemporaryDirectory() as directory:
        siege = asyncio.run(besiege(number, minutes, url, Path(directory)))
    for violation in siege.violations:
        click.echo(violation)
    figures = f"{siege.figures}, slowest answer {siege.slowest:.2f} s"
    click.echo(f"seed {number}: {figures}, {len(siege.violations)} violations")
    return len(siege.violations)


def _walk_on(seed: int | None, minutes: float) -> int:
    total, violations = Figures(), 0
    begun = told = time.monotonic()
    try:
        while seed is not None or not minutes or time.monotonic() < begun + minutes * 60:
            number = secrets.randbits(32) if seed is None else seed
            violations += not _walk(number, total)
            if seed is not None:
                break
            if time.monotonic() > told + 10:
                told = time.monotonic()
                click.echo(f"{told - begun:.0f} s: {total}, {violations} violations", err=True)
    except KeyboardInterrupt:
        pass
    click.echo(f"{total}, {violations} violations")
    return violations


def _walk(seed: int, total: Figures) -> bool:
    steps = steps_of(seed)
    try:
        total.add(play(seed, steps))
    except Violation as found:
        fewer, last = shrink(seed, steps, found)
        click.echo("\n".join([f"seed {seed}:", *map(str, fewer), str(last)]))
        return False
    return True


if __name__ == "__main__":
    main()
