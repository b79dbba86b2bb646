from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click import unstyle
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.cli.check import command
from router.cli.excerpt import Excerpts
from router.cli.veil import LONGEST, secret_lines, veiled
from router.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def excerpt(directory: Path, text: str | bytes, line: int = 1, column: int = 1) -> list[str]:
    path = directory / "routes.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return plain(Excerpts().of(Diagnostic(str(path), line, column, "code", "message")))


def plain(lines: Iterable[str]) -> list[str]:
    return [unstyle(line) for line in lines]


def shown(text: str) -> list[str]:
    """Give the lines of a file as an excerpt shows them."""
    lines = text.splitlines()
    return [veiled(line, is_secret=secret) for line, secret in zip(lines, secret_lines(lines), strict=True)]


@pytest.mark.parametrize(
    ("line", "column", "span"),
    [
        ("flow: refnds", 7, "^^^^^^"),
        ("flow: refnds", 1, "^^^^"),
        ("flow: money back  # why", 7, "^^^^^^^^^^"),
        ("x: {a: 'it''s', b: c}", 8, "^^^^^^^"),
        ('x: ["a \\" b", c]', 5, "^^^^^^^^"),
        ("x: [a, b]", 4, "^"),
        ("x: ${env:A:-b c}", 4, "^^^^^^^^^^^^^"),
        ("x: 'open", 4, "^^^^^"),
        ("x: ", 4, "^"),
        ("x:", 99, "^"),
    ],
)
def test_the_caret_spans_what_is_meant(line: str, column: int, span: str, tmp_path: Path) -> None:
    """The line stands with its number, and below it carets under the word, the text in quotes or the reference."""
    at = min(column - 1, len(line))
    assert excerpt(tmp_path, f"\n{line}\n", 2, column) == [f"    2 | {line}", "      | " + " " * at + span]


def test_a_long_line_is_cut_around_the_caret(tmp_path: Path) -> None:
    """At most a hundred columns are shown, and the caret is below the word wherever it stands."""
    line = "x" * 500 + " here " + "y" * 500
    for column in (1, 502, 1000):
        text, caret = excerpt(tmp_path, line, 1, column)
        assert len(text) <= 8 + 102
        assert caret.index("^") < len(text)
    text, caret = excerpt(tmp_path, line, 1, 502)
    assert text[caret.index("^") :].startswith("here ")
    assert text[8] == text[-1] == "…"


def test_wide_and_invisible_characters_keep_the_caret_in_place(tmp_path: Path) -> None:
    """A wide character counts two columns, an accent none, and what has no form is shown by its escape."""
    text, caret = excerpt(tmp_path, "返é\u0301\x1b[31m\t: wrong", 1, 12)
    assert text == "    1 | 返é\u0301\\x1b[31m\\t: wrong"
    assert caret == "      | " + " " * (2 + 1 + 4 + 4 + 2 + 2) + "^^^^^"
    assert excerpt(tmp_path, "a: 返金", 1, 4)[1] == "      |    ^^^^"


@pytest.mark.parametrize("text", ["", "\n\n", "a: 1\n", "a: 1\n   \n"])
def test_where_there_is_no_line_there_is_no_excerpt(text: str, tmp_path: Path) -> None:
    """An empty line, and one behind the end of the file, are not shown."""
    assert excerpt(tmp_path, text, 2) == []


def test_what_cannot_be_read_has_no_excerpt(tmp_path: Path) -> None:
    """A file that is missing, or is a plugin's code, is not shown; bytes that are no text are shown as such."""
    assert plain(Excerpts().of(Diagnostic(str(tmp_path / "none.yaml"), 1, 1, "c", "m"))) == []
    (tmp_path / "audit.py").write_text("KEY = 'hunter2'\n")
    assert plain(Excerpts().of(Diagnostic(str(tmp_path / "audit.py"), 1, 1, "c", "m"))) == []
    assert excerpt(tmp_path, b"\xef\xbb\xbfa: \xff", 1, 4) == ["    1 | a: \ufffd", "      |    ^"]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """Many diagnostics of one file cost one reading: what stands there later is not looked at."""
    path = tmp_path / "routes.yaml"
    path.write_text("a: 1\nb: 2\n")
    excerpts = Excerpts()
    assert plain(excerpts.of(Diagnostic(str(path), 2, 1, "c", "m")))[0] == "    2 | b: 2"
    path.write_text("changed\n")
    assert plain(excerpts.of(Diagnostic(str(path), 1, 1, "c", "m")))[0] == "    1 | a: 1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: Refunds", ["name: Refunds"]),
        ("secret: hunter2", ["secret: *******"]),
        ("{api_key: hunter2, name: x}", ["{api_key: *******, ****: *}"]),
        ("api-key: 'a b'", ["api-key: ** **"]),
        ("'X-Api-Token': hunter2", ["'X-Api-Token': *******"]),
        ("url: https://a/?secret=hunter2&b=c", ["url: https://a/?secret=***********"]),
        ("identity: whatsapp:+15550100", ["identity: ********:*********"]),
        ("secret: ${env:SECRET}", ["secret: ${env:SECRET}"]),
        ("secret: ${env:SECRET:-hunter2}", ["secret: ${env:SECRET:-*******}"]),
        ("secret: ${file:/run/secrets/a}", ["secret: ${file:/run/secrets/a}"]),
        ("secret: a: b", ["secret: *: *"]),
        ("auth: hunter2", ["auth: *******"]),
        ("auth:\n  - hunter2\n  - twilio_signature\n", ["auth:", "  - *******", "  - twilio_signature"]),
        ("auth:\n- hunter2\nname: x\n", ["auth:", "- *******", "name: x"]),
        ("auth: [\nhunter2\n]\nname: x\n", ["auth: [", "*******", "]", "name: x"]),
        ("auth:\n  # why\n\n  - secret: hunter2\n", ["auth:", "  * ***", "", "  - secret: *******"]),
        ("token: >\n  correct\n  horse: b\nb: c\n", ["token: *", "  *******", "  *****: *", "b: c"]),
        ("password: 'correct\nhorse'\nb: c\n", ["password: ********", "******", "b: c"]),
        ("name: x\n# secret: hunter2\nb: c\n", ["name: x", "# secret: *******", "b: c"]),
        ("tools:\n  auth:\n    name: x\n", ["tools:", "  auth:", "    name: x"]),
        ("\n- a\n", ["", "- a"]),
        ("loose\nauth:\n", ["loose", "auth:"]),
    ],
)  # fmt: skip
def test_what_may_be_secret_is_hidden(text: str, expected: list[str]) -> None:
    """What follows a telling key, and all below it or below ``auth``, becomes stars; references and structure stay."""
    assert shown(text) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.booleans())
def test_hiding_moves_nothing(line: str, secret: bool) -> None:
    """Whatever stands in a line, its characters keep their places."""
    (flat,) = line.splitlines()[:1] or [""]
    assert len(veiled(flat, is_secret=secret)) == len(flat)


@given(
    st.sampled_from(["auth:\n  - ", "auth: [", "x:\n  secret: ", "a: {token: ", "auth:\n- secret: >\n    "]), st.data()
)
def test_no_secret_is_shown(before: str, data: st.DataObject) -> None:
    """A word below ``auth`` or behind a telling key is in no line that is shown, however the rest is broken."""
    around = st.text(st.sampled_from(" \n,[]{}'\"&*!|>-#@`%"), max_size=6)
    text = before + data.draw(around) + "hunter2" + data.draw(around)
    lead = text[: text.index("hunter2")]
    # A line that a person, too, would take for a new key at the left margin is one: nothing tells that it is not.
    if "\n" not in lead[len(before) :]:
        assert "hunter2" not in "\n".join(shown(text))


def test_in_a_very_long_line_every_word_but_those_of_its_begin_is_hidden() -> None:
    """It would take too long to tell where a secret begins; the structure is shown, also where all is secret."""
    line = "{a: b, " * LONGEST
    text = veiled(line, is_secret=False)
    assert len(text) == len(line)
    assert text.startswith("{a: b, " * 200)
    assert set(text[LONGEST - 400 :]) == set("{*: ,")
    assert set(veiled(line, is_secret=True)) == set("{*: ,")


@pytest.mark.parametrize(
    "words",
    [
        "a: {secret: hunter2, hunter2: ",
        "hunter2@hunter2.example, ",
        "{b: ${HANDOVER:-hunter2 ",
        "a: +49 30 901820, +4930901820 x ",
    ],
)
@pytest.mark.parametrize("before", [0, LONGEST - 420, LONGEST - 20])
def test_what_is_hidden_in_a_line_is_hidden_in_a_very_long_one(words: str, before: int) -> None:
    """Neither a secret nor an address is shown where it is cut off, or where it is told only by what follows."""
    line = "x " * (before // 2) + words + "y" * LONGEST * 2
    text = veiled(line, is_secret=False)
    assert len(text) == len(line)
    assert "hunter2" not in text
    assert "901820" not in text


WORDS = ["auth:", "  - ", "secret: ", "tools:", "  /a:", "    flow: ", "hunter2", ": ", "- ", "# ", "返"]
MARKS = ["[", "]", "{", "}", "'", '"', "\n", "\n  ", "\t", "\r", "\x00", "\u2028", "\x1b[2J"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*WORDS, *MARKS]), max_size=30).map("".join))
def test_no_file_breaks_what_is_printed(tmp_path: Path, text: str) -> None:
    """Whatever stands in a file, ``check`` ends with 0 or 1, and prints no control character of it."""
    path = tmp_path / "routes.yaml"
    path.write_bytes(text.encode())
    told = CliRunner().invoke(command, [str(path)])
    assert told.exit_code in (0, 1)
    assert told.exception is None or isinstance(told.exception, SystemExit)
    assert not set(told.output) & {"\x1b", "\x00", "\t", "\r", "\u2028"}
