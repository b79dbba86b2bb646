"""``handover history``: what was handed over, what came of it, and what is still owed."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from router.cli.hand_back import ConversationSid
from router.cli.table import cut, table
from router.ledger.ledger import Filter
from router.ledger.row import Duty, State
from router.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from router.ledger.news import News
    from router.ledger.row import Row

_TITLES: Final = ("WHEN (UTC)", "CONVERSATION", "TOOL", "INTENT", "STATE", "OUTCOME", "OWED", "CUSTOMER", "REASON")
_LONGEST: Final = 80
"""Characters of a reason that a line shows; ``--json`` has all of it."""
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Since(click.ParamType[datetime]):
    """A time: so long ago, as ``2h``, or a date and time in UTC, as ``2026-11-01T08:00``."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            found = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"expected 30m, 2h, 7d or a time in UTC such as 2026-11-01T08:00, found {value!r}", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


class _Word(click.ParamType[str]):
    """One of the words of an enumeration, which an error lists; empty does not narrow anything down."""

    name = "word"

    def __init__(self, words: type[StrEnum]) -> None:
        self._words = tuple(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value and value not in self._words:
            self.fail(f"expected one of {', '.join(self._words)}, found {value!r}", param, ctx)
        return str(value)


class _ToolPath(click.ParamType[str]):
    """The path of a tool. It need not be one of today's routes: the ledger may hold handovers of earlier ones."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.startswith("/"):
            self.fail(f"expected a path that begins with '/', such as /tools/support, found {value!r}", param, ctx)
        return str(value)


@click.command("history", short_help="Show what was handed over.")
@click.option("--conversation", type=ConversationSid(), metavar="CH…", help="Only of this conversation.")
@click.option("--tool", type=_ToolPath(), metavar="PATH", help="Only of this tool.")
@click.option("--intent", default="", help="Only of this intent.")
@click.option(
    "--outcome", default="", type=_Word(Outcome), metavar="WORD", help="Only with it: handed_over, failed ..."
)
@click.option("--state", default="", type=_Word(State), metavar="WORD", help="Only in it: accepted, completed ...")
@click.option("--since", type=_Since(), help="Only since then: 30m, 2h, 7d, or 2026-11-01T08:00 (UTC).")
@click.option("--open", "is_open", is_flag=True, help="Only those to which something is still owed.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="So many at most.")
@click.option("--json", "as_json", is_flag=True, help="For programs, with all that is known.")
def command(*, since: datetime | None, is_open: bool, as_json: bool, **narrowing: Any) -> None:
    """Show the handovers of the ledger, the newest first.

    The ledger is HANDOVER_DATABASE_URL, or handovers.db in this directory. States: initiated, accepted (the flow
    answers), failed, completed (handed back). A handover is followed where a later one of the list took its place.
    OWED is what the router still does about it.

    \b
    Examples:
      handover history --since 2h --outcome failed
      handover history --conversation CH... --json
      handover history --open
    """
    narrowing = {name: value for name, value in narrowing.items() if value is not None}
    rows = asyncio.run(_read(Filter(since=since, open=is_open, **narrowing)))
    if as_json:
        click.echo(json.dumps({"handovers": [_as_json(row) for row in rows]}, indent=2))
    elif rows:
        followed = _followed(rows)
        click.echo(table([_TITLES, *(_cells(row, is_followed=row.id in followed) for row in rows)]))
    else:
        click.echo("No handovers, or none that fit.")


async def _read(wanted: Filter) -> Sequence[Row]:
    from router.cli.ledger import opened_ledger

    async with opened_ledger() as ledger:
        return await ledger.history(wanted)


def _followed(rows: Sequence[Row]) -> set[str]:
    """Find the handovers that a later one of the list followed: their flow answers no more. Rows come newest first."""
    answered: set[str] = set()
    followed: set[str] = set()
    for row in rows:
        if row.state in (State.ACCEPTED, State.COMPLETED):
            followed |= {row.id} if row.conversation in answered else set()
            answered.add(row.conversation)
    return followed


def _cells(row: Row, *, is_followed: bool) -> tuple[str, ...]:
    state = "accepted, followed" if is_followed and row.state is State.ACCEPTED else row.state
    when = row.created.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    words = (row.tool, row.intent, state, row.outcome, _owed(row), row.identity, cut(row.reason, _LONGEST))
    return (when, row.conversation, *(word or "-" for word in words))


def _owed(row: Row) -> str:
    """Say what is owed to the conversation, and which plugins are still to be told, or were not."""
    what = "look again" if row.duty is Duty.HAND_BACK and row.state is State.COMPLETED else row.duty
    duty = [_tried(what, row.attempts)] if what else []
    return ", ".join((*duty, *map(_untold, row.news)))


def _untold(news: News) -> str:
    return f"{news.plugin} not told" if news.due is None else _tried(f"tell {news.plugin}", news.attempts)


def _tried(what: str, attempts: int) -> str:
    return f"{what} (tried {attempts}x)" if attempts else what


def _as_json(row: Row) -> dict[str, Any]:
    """Give all that is known; times in ISO 8601, null where there is none."""
    names = ("id", "conversation", "service", "tool", "intent", "flow", "caller", "identity", "state", "outcome")
    times = ("created", "accepted", "finished", "updated", "due")
    return {
        **{name: str(getattr(row, name)) for name in (*names, "reason", "message")},
        **{name: moment.isoformat() if (moment := getattr(row, name)) else None for name in times},
        "owed": str(row.duty),
        "attempts": row.attempts,
        "execution": row.way.execution if row.way else "",
        "requests": list(row.requests),
        "news": [_news(each) for each in row.news],
    }


def _news(news: News) -> dict[str, Any]:
    due = news.due.isoformat() if news.due else None
    what = {"plugin": news.plugin, "hook": news.hook, "attempts": news.attempts, "reason": news.reason}
    return {**what, "since": news.since.isoformat(), "due": due}
