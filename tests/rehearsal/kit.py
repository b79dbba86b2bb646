"""What the tests of the rehearsal share: a file with tests and plugins, loaded and run."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

from router.config import load
from router.rehearsal.runner import run_tests

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Loaded
    from router.rehearsal.results import Report

REFUNDS = "FW00000000000000000000000000000001"
BILLING = "FW00000000000000000000000000000002"
ROUTES = f"""
version: 1
flows: {{refunds: {REFUNDS}, billing: {BILLING}}}
auth: [secret: unused-here]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
tools:
  /tools/support:
    intents:
      refund:
        flow: refunds
        aliases: [chargeback]
        messages: {{success: "The refunds desk takes over, {{identity}}."}}
      billing: {{flow: billing}}
  /tools/recipe: {{flow: refunds, query: [flowSid, successMessage]}}
  /tools/dry: {{flow: refunds, dry_run: true}}
"""
HEADER = "import asyncio\nfrom router import Decline, hookimpl\n"


def write(directory: Path, more: str = "", **plugins: str) -> Path:
    """Write ``routes.yaml`` with ``more`` behind the routes above, and plugins that it switches on."""
    path = directory / "routes.yaml"
    switched_on = f"plugins: [{', '.join(f'{{use: {name}}}' for name in plugins)}]\n" if plugins else ""
    path.write_text(ROUTES + switched_on + dedent(more), encoding="utf-8")
    (directory / "plugins").mkdir(exist_ok=True)
    for name, source in plugins.items():
        (directory / "plugins" / f"{name}.py").write_text(HEADER + dedent(source), encoding="utf-8")
    return path


def loaded(directory: Path, more: str = "", **plugins: str) -> Loaded:
    return load(write(directory, more, **plugins), environ={"WANTED": "the desk of Ms Miller", "NO_TEXT": "\udcff"})


async def rehearse(configuration: Loaded, **how: Any) -> Report:
    """Run the tests of a configuration."""
    plugins = [configuration.available[name] for name in configuration.plugins.names]
    return await run_tests(configuration.routes, plugins, configuration.tests, **how)


def messages(report: Report) -> list[str]:
    return [failure.message for failure in report.failures]


def one_test(call: str, expect: str, **more: str) -> str:
    """Write a section with one test, in YAML's flow style."""
    keys = "".join(f"\n    {key}: {value}" for key, value in more.items())
    return f"tests:\n  - name: a test\n    call: {call}{keys}\n    expect: {expect}\n"
