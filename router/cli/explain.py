"""``handover explain``: which tool, intent and flow a call reaches, why, and where each value of that was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from router.cli.subject import about_a_configuration
from router.explanation.calling import request_of
from router.explanation.explain import explain
from router.explanation.text import as_text

if TYPE_CHECKING:
    from router.cli.subject import Subject


@click.command("explain", short_help="Say where a call ends, and why.")
@click.argument("method")
@click.argument("url")
@about_a_configuration
@click.option("--json", "body", metavar="BODY", help='The call\'s body as JSON, as in \'{"intent": "refund"}\'.')
@click.option(
    "--form", multiple=True, metavar="NAME=VALUE", help="A field of the call's form; may be given several times."
)
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be given several times."
)
@click.option(
    "--format",
    "form_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)
def command(
    method: str,
    url: str,
    *,
    subject: Subject,
    body: str | None,
    form: tuple[str, ...],
    headers: tuple[str, ...],
    form_: str,
) -> None:
    """Say which tool, intent and flow a call reaches, why, and where each value was written.

    URL is a whole URL or a path with its query; PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another. No
    plugin is called, no signature checked, and Twilio not asked. Ends with 0 if the call reaches a flow, else with 1.

    \b
    Example:
      handover explain POST /tools/support --json '{"intent": "chargeback"}'
    """
    try:
        request = request_of(
            method,
            url,
            headers=headers,
            json=body,
            form=form,
            public_url=subject.environ.get("HANDOVER_PUBLIC_URL", "").strip(),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    loaded = subject.load()
    told = explain(request, loaded.routes, loaded.sources, at=datetime.now(UTC))
    click.echo(json.dumps(told.as_json(), indent=2) if form_ == "json" else as_text(told))
    click.get_current_context().exit(0 if told.reaches_a_flow else 1)
