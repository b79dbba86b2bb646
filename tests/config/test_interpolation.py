from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.config.kit import HEAD, codes, faults, loaded, write

if TYPE_CHECKING:
    from pathlib import Path


def described(directory: Path, text: str, **environ: str) -> str:
    """Load a tool with this description and give back what became of it."""
    tools = loaded(
        directory, f"{HEAD}tools: {{/a: {{flow: refunds, description: '{text}'}}, /b: {{flow: billing}}}}\n", environ
    )
    return tools.routes.tools["/a"].description


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:A}", "one"),
        ("before ${env:A}, ${env:B} after", "before one, two after"),
        ("${env:NONE:-three}", "three"),
        ("${env:EMPTY:-three}", "three"),
        ("${env:A:-three}", "one"),
        ("x${env:NONE:-}", "x"),
        ("x${env:EMPTY}", "x"),
        ("$${env:A}", "${env:A}"),
        ("$$${env:A}", "$${env:A}"),
        ("$${", "${"),
        ("$A $ {env:A} $", "$A $ {env:A} $"),
        ("${env:NONE:-a:-b}", "a:-b"),
        ("${env:NEST}", "${env:A}"),
    ],
)
def test_references_are_put_in(text: str, value: str, tmp_path: Path) -> None:
    """Variables and defaults stand where their references stood; what they hold is not looked through again."""
    assert described(tmp_path, text, A="one", B="two", EMPTY="", NEST="${env:A}") == value


@pytest.mark.parametrize(
    ("content", "value"), [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("\ufeffü", "ü")]
)
def test_a_file_stands_in_without_its_last_line_end(content: str, value: str, tmp_path: Path) -> None:
    """``${file:PATH}`` is the file's text, found from the directory of the file that refers to it."""
    (tmp_path / "name.txt").write_bytes(content.encode())
    assert described(tmp_path, "${file:name.txt}") == value
    assert described(tmp_path, f"${{file:{tmp_path}/name.txt}}") == value


def test_a_file_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    """A file that is not UTF-8 cannot stand in a text."""
    (tmp_path / "name.txt").write_bytes(b"\xff\xfe")
    assert codes(tmp_path, HEAD + "tools: {/a: {flow: refunds, name: '${file:name.txt}'}}\n") == ["reference-file"]


@pytest.mark.parametrize("name", ["a\\0b", "x" * 300, "pipe"])
def test_a_file_of_no_regular_kind_is_a_fault(name: str, tmp_path: Path) -> None:
    """A pipe would block for ever, and some names are no file's at all: they are told, not tried."""
    os.mkfifo(tmp_path / "pipe")
    assert codes(tmp_path, HEAD + f'tools: {{/a: {{flow: refunds, name: "${{file:{name}}}"}}}}\n') == ["reference-file"]


def test_what_was_put_in_is_never_shown(tmp_path: Path) -> None:
    """No diagnostic about a value from the environment or a file shows it, in whatever way it is wrong."""
    (tmp_path / "secret.txt").write_text("hunter2 {hunter2}")
    reference = "'${env:SECRET}'", "'${file:secret.txt}'"
    told = [
        str(fault)
        for value in reference
        for key in ("flow", "replay", "dry_run", "query", "fallback", "messages: {success", "intents", "plugins")
        for fault in faults(
            write(tmp_path, f"{HEAD}tools:\n  /a:\n    {key}: {value}{'}' if '{' in key else ''}\n"),
            {"SECRET": "hunter2 {hunter2}"},
        )
    ]
    plugins = "plugins: [{use: '${env:A}', config: []}, {use: '${env:A}'}]\n"
    tests = "tests: [{name: '${env:A}', call: {tool: '${env:A}'}}]\n"
    told += map(str, faults(write(tmp_path, HEAD + plugins + tests), {"A": "hunter2"}))
    tools = "tools: {/a: {intents: {a: {flow: refunds, aliases: ['${env:A}', '${env:B}']}}}}\n"
    told += map(str, faults(write(tmp_path, HEAD + tools), {"A": "hunter2", "B": "hunter2{"}))
    assert len(told) >= 20
    assert [line for line in told if "hunter2" in line] == []


def test_a_literal_secret_is_not_shown_either(tmp_path: Path) -> None:
    """What stands under a key such as ``secret`` or ``api_token`` is not repeated, even if it is wrong."""
    text = "version: 1\nauth: [{secret: 4711}, {secret: {a: 4711}}, {secret: true}]\n"
    text += "plugins: [{use: x, config: {api_token: 4711}}]\n"
    told = faults(
        write(
            tmp_path, text + "tools: {/a: {query: [flowSid]}}\n", x='{"properties": {"api_token": {"type": "string"}}}'
        )
    )
    assert [fault.code for fault in told] == ["type-wrong"] * 3 + ["plugin-config"]
    assert not any("4711" in fault.message or "true" in fault.message for fault in told)


@pytest.mark.parametrize(
    "secret",
    ["pa55${w0rd}xx", "${w0rd}", "${env:w0rd xx}", "a${env.W0RD}", "A${W0RD:-xx}", "${W0RD}${pa55}", "a${W0RD"],
)
def test_a_secret_with_something_like_a_reference_in_it_is_not_shown(secret: str, tmp_path: Path) -> None:
    """Neither the name nor a guess stands in the message: both may be a part of what is secret."""
    for key in (f"auth: [secret: '{secret}']", f"plugins: [{{use: x, config: {{api_token: '{secret}'}}}}]"):
        told = [each for each in faults(write(tmp_path, f"version: 1\n{key}\n")) if each.code == "reference-unknown"]
        assert told
        assert not any(part in each.message.lower() for part in ("w0rd", "pa55", "xx") for each in told)


@pytest.mark.parametrize("slip", ["${THE_SECRET}", "${ENV:THE_SECRET}", "${THE_SECRET:-xx}"])
def test_a_secret_that_is_a_slip_for_a_variable_is_told_what_was_meant(slip: str, tmp_path: Path) -> None:
    """A text that is such a reference and nothing else is no secret; a default in it still may be."""
    found = faults(write(tmp_path, f"version: 1\nauth: [secret: '{slip}']\n"))
    (told,) = (each for each in found if each.code == "reference-unknown")
    assert "did you mean ${env:THE_SECRET" in told.message
    assert "xx" not in told.message


def test_references_may_stand_for_so_much_and_no_more(tmp_path: Path) -> None:
    """A large file that is referred to again and again is a fault where the sum gets too large, not a full memory."""
    (tmp_path / "large.txt").write_text("x" * 4_000_000)
    tools = "".join(f"  /t{number}: {{flow: refunds, name: '${{file:large.txt}}'}}\n" for number in range(100))
    told = faults(write(tmp_path, HEAD + "tools:\n" + tools))
    assert [fault.code for fault in told if fault.code != "flow-unused"] == ["reference-large"] * 98


def test_a_missing_file_is_named_as_it_was_looked_for(tmp_path: Path) -> None:
    """Both places are told: the reference in the file, and the whole path, unless that is no help."""
    text = HEAD + "tools: {/a: {flow: refunds, name: '${file:%s}'}}\n"
    (told, *_) = faults(write(tmp_path, text % "name.txt"))
    assert told.message == f"the file 'name.txt' ({tmp_path}/name.txt) does not exist"
    (told, *_) = faults(write(tmp_path, text % "/gone.txt"))
    assert told.message == "the file '/gone.txt' does not exist"
    (told, *_) = faults(write(tmp_path, text % ("x" * 500)))
    assert len(told.message) < 200
