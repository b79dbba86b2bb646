"""``handover schema``: what an editor needs to complete and explain routes.yaml, the plugins' configs included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.subject import about_a_configuration
from router.config.editor import fragment_schema, merged_schema
from router.errors import SettingsError

if TYPE_CHECKING:
    from router.cli.subject import Subject


@click.command("schema", short_help="Print the JSON Schema of PATH, for an editor.")
@about_a_configuration
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file instead.")
@click.option("--fragment", is_flag=True, help="That of the files that PATH includes, which hold less.")
def command(subject: Subject, output: Path | None, *, fragment: bool) -> None:
    """Print the JSON Schema of PATH, with the configs of the plugins that it may switch on.

    PATH is HANDOVER_CONFIG, or routes.yaml, unless you name another; it need not exist yet. With the schema an editor
    completes keys and values, explains them, and underlines most faults; 'handover check' finds all of them.

    \b
    VS Code (extension YAML by Red Hat) takes it by the first line of the file:
      handover schema --output .routes.schema.json
      # yaml-language-server: $schema=.routes.schema.json
    PyCharm takes it under Settings, Languages & Frameworks, Schemas and DTDs, JSON Schema Mappings.
    """
    found = subject.discover()
    for fault in found.faults:
        click.echo(f"handover: left out, as it cannot be used: {fault}", err=True)
    schema = merged_schema(found.plugins)
    text = json.dumps(fragment_schema(schema) if fragment else schema, indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise SettingsError(f"--output {output}: {error.strerror}; name a file that can be written") from error
