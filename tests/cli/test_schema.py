from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from router.bundled import PLUGINS
from router.cli import group, main
from tests.config.kit import HEAD, TOOLS, write

BUNDLED = sorted(path.stem.replace("_", "-") for path in PLUGINS.glob("*.py"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HANDOVER_CONFIG", raising=False)


def names(*arguments: str, **environ: str) -> list[str]:
    """Give the plugins that the printed schema knows."""
    ran = CliRunner().invoke(group, ["schema", *arguments], env=environ)
    assert ran.exit_code == 0, ran.output
    schema = json.loads(ran.stdout)
    Draft202012Validator.check_schema(schema)
    found: list[str] = schema["properties"]["plugins"]["items"]["properties"]["use"]["anyOf"][0]["enum"]
    return found


def test_it_knows_the_plugins_of_the_file(tmp_path: Path) -> None:
    """Those beside the file and the bundled ones; the file itself need not be there."""
    write(tmp_path, HEAD + TOOLS, my_desk="{'type': 'object'}")
    assert names() == ["my-desk", *BUNDLED]
    (tmp_path / "routes.yaml").unlink()
    assert names() == ["my-desk", *BUNDLED]


def test_the_file_is_named_or_taken_from_the_settings(tmp_path: Path) -> None:
    """An argument wins over HANDOVER_CONFIG, which may stand in .env; ``--plugins-dir`` wins over the file's place."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, HEAD + TOOLS, **{name: "None"})
    assert names("one/routes.yaml", HANDOVER_CONFIG="two/routes.yaml")[0] == "one"
    assert names(HANDOVER_CONFIG="two/routes.yaml")[0] == "two"
    (tmp_path / ".env").write_text("HANDOVER_CONFIG=three/routes.yaml\n")
    assert names()[0] == "three"
    assert names("--plugins-dir", "one/plugins", "--plugins-dir", "two/plugins")[:2] == ["one", "two"]


def test_a_plugin_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    """It is said on stderr, with its place, and the schema is good without it."""
    write(tmp_path, HEAD + TOOLS, broken="{'type': 'mapping'}")
    ran = CliRunner().invoke(group, ["schema"])
    assert ran.exit_code == 0
    assert "broken" not in ran.stdout
    assert ran.stderr.startswith("handover: left out, as it cannot be used: plugins/broken.py:5: ")
    assert ran.stderr.count("\n") == 1


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    """``--output`` writes what else is printed, over what was there, and prints nothing."""
    (tmp_path / "schema.json").write_text("old")
    printed = CliRunner().invoke(group, ["schema"]).stdout
    ran = CliRunner().invoke(group, ["schema", "--output", "schema.json"])
    assert (ran.exit_code, ran.output) == (0, "")
    assert (tmp_path / "schema.json").read_text("utf-8") == printed


def test_a_file_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What was given, why not, and 1; a directory is wrong usage."""
    with pytest.raises(SystemExit) as end:
        main(["schema", "--output", "nowhere/schema.json"])
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "handover: --output nowhere/schema.json: No such file or directory; name a file that can be written\n"
    )
    assert CliRunner().invoke(group, ["schema", "--output", "."]).exit_code == 2


def test_fragments_have_a_schema_of_their_own() -> None:
    """``--fragment`` prints one that demands no version."""
    schema = json.loads(CliRunner().invoke(group, ["schema", "--fragment"]).stdout)
    assert list(schema["properties"]) == ["flows", "tools", "tests"]
    assert "required" not in schema


def test_help_says_how_an_editor_takes_it() -> None:
    """The line for VS Code and the way to PyCharm's mapping stand in ``--help``, as they do in the README."""
    told = CliRunner().invoke(group, ["schema", "--help"]).output
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    for line in (
        "handover schema --output .routes.schema.json",
        "# yaml-language-server: $schema=.routes.schema.json",
        "JSON Schema Mappings",
    ):
        assert line in told
        assert line in readme


def test_it_needs_neither_the_sdk_nor_the_web() -> None:
    """Whoever asks for a schema must not wait for imports that it has no use for."""
    heavy = "twilio starlette uvicorn aiohttp prometheus_client requests structlog"
    script = (
        "import sys\nfrom router.cli import main\n"
        "try:\n    main(['schema', '--output', 'x.json'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({heavy.split()}) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
