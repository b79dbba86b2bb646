"""How the plugins of a running server fared, as the server tells it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from router.cli.table import table
from router.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE: Final = 10.0
"""Seconds until the server must have answered."""

_TITLES: Final = ("PLUGIN", "VERSION", "HOOK", "KIND", "CALLS", "FAILURES", "P95", "LAST ERROR")
_WHY: Final = {
    403: "it refused the token: HANDOVER_ADMIN_TOKEN must be the server's own",
    404: "it knows no /-/plugins: expected the base URL of a router of this version or newer",
}


def ask(url: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Ask the server at the base URL ``url``; raises SettingsError that says why it did not tell."""
    token = environ.get("HANDOVER_ADMIN_TOKEN", "").strip()
    if not token:
        raise SettingsError("HANDOVER_ADMIN_TOKEN: set it to the server's own; without it the server tells nothing")
    where = f"{url.rstrip('/')}/-/plugins"
    try:
        status, text = asyncio.run(_get(where, token))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or f"no answer within {PATIENCE:g} s"
        raise SettingsError(f"--url {url}: the server cannot be asked: {reason}") from error
    if status != HTTPStatus.OK:
        raise SettingsError(f"--url {url}: {_WHY.get(status, f'it answered with {status}')}")
    try:
        found = json.loads(text)
        list(_rows(found))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"--url {url}: its answer is not that of a router: {text[:80]!r}") from error
    return dict(found)


async def _get(url: str, token: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
        session.get(url, headers={"Authorization": f"Bearer {token}"}, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


def told(figures: Mapping[str, Any]) -> str:
    """Give the figures as people read them, a line for each hook; on a terminal the lines are cut to its width."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    rows = list(_rows(figures))
    return table([_TITLES, *rows], room) if rows else "The server uses no plugins."


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for plugin in figures["plugins"]:
        head = (str(plugin["name"]), str(plugin["version"] or "-"))
        for hook in plugin["hooks"]:
            calls, p95 = int(hook["calls"]), 1000 * float(hook["p95"] or 0)
            yield (
                *head,
                str(hook["hook"]),
                str(hook["kind"]),
                str(calls),
                str(int(hook["failures"])),
                f"{p95:.1f} ms" if calls else "-",
                str(hook["last_error"] or "-"),
            )
