from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from router.config.breaks import Broken
from router.config.faults import Faults
from router.config.mending import Mending
from router.config.nodes import compose
from router.config.syntax import events_of
from router.model.place import Place
from tests.config.kit import FLOW, HEAD, TOOLS, codes, faults, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.document import Document


def read(text: str) -> tuple[Document | None, list[str]]:
    found = Faults()
    document = compose(text, "routes.yaml", found)
    return document, [f"{each.line}:{each.column} {each.code}: {each.message}" for each in found.diagnostics]


BREAKS = {
    "a:\n  flow:returns\n  b: 1\n": "2:7 yaml-colon: a space is missing behind this colon: 'flow: ...'",
    "a:\n  - flow:returns\n    b: 1\n": "2:9 yaml-colon: a space is missing behind this colon: 'flow: ...'",
    "a:\n  flow\n  b: 1\n": "2:3 yaml-colon: a colon is missing here: expected 'key: value' or 'key:'",
    "a:\n  b: 1\n  name\nc: 1\n": "3:3 yaml-colon: a colon is missing here: expected 'key: value' or 'key:'",
    "a:\n  b: 1\n  flow:x\nc: 1\n": "3:7 yaml-colon: a space is missing behind this colon: 'flow: ...'",
    "a:\n  - b\n  -c\n": "3:3 yaml-colon: a space is missing behind this dash: '- ...'",
    "a: b: c\n": "1:5 yaml-colon: text with a colon and a space in it needs quotes around it",
    "a: b\n  c: d\n": "2:3 yaml-indent: this line is indented as if it went on with the text of line 1; "
    "indent both alike",
    "a:\n  b: 1\n c: 2\n": "3:2 yaml-indent: this line is indented by 1 space, as no other around it is; "
    "indent alike what belongs together",
    "a: b\n- c\n": "2:1 yaml-indent: an entry of a list stands here, where a key is expected",
    "a:\n  - b\n  c: d\n": "3:3 yaml-indent: a key stands here, where '- ' and the next entry of the list are expected",
    'a: "b\nc: 1\n': "1:4 yaml-quote: the quote that opens here is never closed",
    'a: "b\nc: "d"\n': "1:4 yaml-quote: the quote that opens here is closed only in line 2, in the middle of a text",
    "a: 'b' c\n": "1:8 yaml-quote: text stands behind the closing quote; a quote within a text is written '' within "
    "single quotes",
    'a: "b" c\n': '1:8 yaml-quote: text stands behind the closing quote; a quote within a text is written \\" within '
    "double quotes",
    "a: [b, c\nd: 1\n": "1:4 yaml-bracket: no ']' closes the '[' that stands here",
    "a: {b: c\nd: 1\n": "1:4 yaml-bracket: no '}' closes the '{' that stands here",
    "a: {b: c d: e}\n": "1:11 yaml-bracket: ',' or '}' is missing here; text with a colon and a space in it "
    "needs quotes",
    "a: [b,\n": "1:4 yaml-bracket: no bracket closes this one",
    "a: [b]]\n": "1:7 yaml-bracket: no bracket is open that this ']' could close",
    "a: @b\n": "1:4 yaml-syntax: text that begins with '@' needs quotes",
    "a: *.b\n": "1:4 yaml-syntax: text that begins with '*' needs quotes",
    "a: | b\n": "1:4 yaml-syntax: text that begins with '|' needs quotes",
    'a: "\\d"\n': "1:5 yaml-syntax: this is no escape; write '\\\\' for a backslash, or put the text into single "
    "quotes",
    "a:\n\tb: 1\n": "2:1 yaml-tab: a tab stands here; indent with spaces",
    "%a\n": "1:1 yaml-syntax: text that begins with '%' needs quotes",
}


@pytest.mark.parametrize("text", BREAKS)
def test_a_break_is_told_where_it_begins(text: str) -> None:
    """What is no YAML is told at its cause, in words that say how to write it."""
    assert read(text)[1] == [BREAKS[text]]


def test_what_has_no_words_of_its_own_is_told_in_the_parsers() -> None:
    """Whatever else the parser says is passed on, at its place."""
    assert read("a: 1\n... b\n")[1] == ["2:5 yaml-syntax: this is no YAML: did not find expected <document start>"]
    assert read("a: &x &y b\n")[1] == ["1:7 yaml-syntax: this is no YAML: did not find expected key"]


@pytest.mark.parametrize("text", BREAKS)
def test_the_slow_parser_breaks_off_too(text: str) -> None:
    """Where PyYAML came without libyaml, its own parser refuses the same texts, with a code of the same kind."""
    with pytest.raises(Broken) as broken:
        list(events_of(text, "routes.yaml", yaml.SafeLoader))
    assert broken.value.code.startswith("yaml-")


def test_what_stands_around_a_break_is_judged(tmp_path: Path) -> None:
    """Faults before and after several breaks are told; what may stand in the broken lines is not missed."""
    text = (
        "version: 2\nflows:\n  refunds: " + FLOW + "\n  billing: FW: 1\n"
        "tools:\n  /a:\n    name: b: c\n  /b:\n    flow: billing\n    intents:\n      x: 'a\n    fallback: x\n"
        "  /c: {flow: refunds, dry_run: yes}\nplugins:\n  - use: b: c\ndefaults: {plugins: {audit: true}}\n"
        "tests:\n  - name: x: y\n    call: {tool: /d}\n"
    )
    told = faults(write(tmp_path, text))
    assert [(fault.line, fault.code) for fault in told] == [
        (1, "value-wrong"),
        (4, "yaml-colon"),
        (7, "yaml-colon"),
        (11, "yaml-quote"),
        (13, "scalar-boolean"),
        (15, "yaml-colon"),
        (18, "yaml-colon"),
    ]


def test_a_warning_about_what_is_not_there_wants_a_whole_file(tmp_path: Path) -> None:
    """Of a file with a broken line it is not said that a flow of a tool leads nowhere: the line may be an intent."""
    tool = "tools:\n  /a:\n    flow: refunds\n    intents:\n      x: {flow: billing}\n"
    assert codes(tmp_path, HEAD + tool) == ["flow-idle"]
    assert codes(tmp_path, HEAD + tool + "      y: b: c\n") == ["yaml-colon"]


def test_what_is_whole_is_held_to_be_whole(tmp_path: Path) -> None:
    """A part that could be read to its end is judged as ever, with what it lacks.

    Of a flow that a plugin's target may be, it is not said that there is none: one of the plugins is at fault.
    """
    tools, broken = "tools:\n  /a: {query: []}\n  /b: {flow: nowhere}\n", "defaults:\n  messages: x: y\n"
    assert codes(tmp_path, HEAD + tools + broken) == ["flow-missing", "flow-unknown", "yaml-colon"]
    assert codes(tmp_path, HEAD + tools + "plugins: [{}]\n" + broken) == ["flow-missing", "key-missing", "yaml-colon"]


@pytest.mark.parametrize(
    "line",
    ["auth: [", "auth: [{secret: '${env:A:-}'}]\nx: [", "flows: [", "tools: [", "plugins: [{use: x}, {"],
)
def test_an_end_that_is_cut_off_is_one_fault(line: str, tmp_path: Path) -> None:
    """Where the file breaks off for good, nothing that could have followed is called missing."""
    text = "version: 1\n" + line + "\n"
    told = codes(tmp_path, text)
    assert "yaml-bracket" in told
    assert {"auth-missing", "tools-missing", "flow-unknown", "flow-unused", "auth-empty"}.isdisjoint(told)


def test_a_mapping_that_was_emptied_has_no_fault_of_its_own(tmp_path: Path) -> None:
    """A key whose only line is broken is not called empty, nor too few, nor a plugin's config incomplete."""
    schema = '{"required": ["limit"]}'
    text = HEAD + TOOLS + "plugins:\n  - use: audit\n    config:\n      # why\n\n      limit: b: c\n"
    assert codes(tmp_path, text, audit=schema) == ["yaml-colon"]
    text = HEAD + TOOLS + "plugins:\n  - use: audit\n    config:\n      limit: b: c\n      more: 1\n"
    assert codes(tmp_path, text, audit=schema) == ["yaml-colon"]


def test_an_anchor_in_a_broken_line_is_not_missed() -> None:
    """An alias whose anchor may have been emptied is no second fault."""
    assert [line.split()[1] for line in read("a: &x b: c\nd: *x\n")[1]] == ["yaml-colon:"]


def test_tabs_are_taken_for_levels() -> None:
    """A file that is indented with tabs is one fault, and its places are those of the file as it is."""
    document, told = read("a:\n\tb: 1\n\tc:\n\t\td: yes\n\n \t\ne: 1\n")
    assert document is not None
    assert document.data == {"a": {"b": 1, "c": {"d": "yes"}}, "e": 1}
    assert [line.split(": ")[0] for line in told] == ["2:1 yaml-tab", "4:6 scalar-boolean"]
    assert document.key(("a", "c", "d")) == Place("routes.yaml", 4, 3)


def test_a_document_behind_the_first_is_left_out() -> None:
    """What stands in a second document is not read, whatever it is."""
    document, told = read("a: 1\n--- {a: [2], b: *c}\n---\n- d\n")
    assert document is not None
    assert document.data == {"a": 1}
    assert [line.split()[1] for line in told] == ["yaml-documents:", "yaml-documents:"][: len(told)]


@pytest.mark.parametrize("key", ["[x, {y: z}]", "{x: [y]}", "*x"])
def test_what_cannot_be_a_key_is_left_out_with_its_value(key: str) -> None:
    """A list, a mapping or an alias as a key is a fault, and what stands around it is read."""
    document, told = read(f"a: &x 1\nb:\n  c: 2\n  ? {key}\n  : {{d: [3]}}\n  e: 4\n")
    assert document is not None
    assert document.data == {"a": 1, "b": {"c": 2, "e": 4}}
    assert [line.split()[1] for line in told] == ["key-type:"]
    assert document.unfinished == {("b",)}


def test_brackets_that_were_meant_as_text_are_one_fault(tmp_path: Path) -> None:
    """``{{ name }}`` without quotes is told at its braces, and not as a mapping where text belongs."""
    assert codes(tmp_path, HEAD + "tools:\n  /a: {flow: {{ refunds }}}\n  /b: {flow: billing}\n")[0] == "key-type"


def test_a_large_file_is_not_read_again_and_again() -> None:
    """A file with very many breaks is read a bounded number of times, and what was read of it is judged."""
    reads = 0

    class Counting(Mending):
        @property
        def text(self) -> str:
            nonlocal reads
            reads += 1
            return super().text

    for lines, most in ((100, 21), (60_000, 2)):
        reads, mending = 0, Counting("".join(f"k{number}: a: b\n" for number in range(lines)))
        while mending.text and mending.mend(Broken(Place("f", reads, 1), "yaml-colon", "")):
            pass
        assert reads <= most
    document, told = read("a: 1\n" + "".join(f"k{number}: a: b\n" for number in range(100)))
    assert document is not None
    assert document.data["a"] == 1
    assert len(told) == 21
    assert document.may_lack(("z",))


def test_what_was_cut_off_at_last_is_not_too_few(tmp_path: Path) -> None:
    """Where the file is not mended any more, a mapping that was just opened is not called empty."""
    text = HEAD + "".join(f"k{number}: a: b\n" for number in range(20)) + "tools:\n  /a:\n    intents: {"
    assert codes(tmp_path, text) == ["yaml-colon"] * 20 + ["yaml-bracket"]


def test_a_break_that_cannot_be_mended_ends_the_reading() -> None:
    """Where nothing is left to be emptied, what was read up to there is what there is."""
    mending = Mending("a: 1\n\n# comment\n")
    assert not mending.mend(Broken(Place("f", 2, 1), "yaml-syntax", ""))
    assert not mending.mend(Broken(Place("f", 3, 1), "yaml-syntax", ""))
    assert not mending.mend(Broken(Place("f", 9, 1), "yaml-syntax", ""))
    assert mending.text == "a: 1\n\n# comment\n"


def test_a_break_before_anything_leaves_nothing() -> None:
    """A file whose only line is broken is told once and not judged."""
    document, told = read("- [a\n")
    assert document is None
    assert len(told) == 1
    assert read("@\n") == (None, ["1:1 yaml-syntax: text that begins with '@' needs quotes"])


def test_a_forbidden_character_hides_nothing() -> None:
    """The first character that YAML cannot have is told, counted by lines of any kind, and the rest is read."""
    document, told = read("a: 1\rb: \x07 \x07\u2028c: yes\n")
    assert document is not None
    assert document.data == {"a": 1, "b": "\ufffd \ufffd", "c": "yes"}
    assert [line.split(": ")[0] for line in told] == ["2:4 yaml-character", "3:4 scalar-boolean"]


def test_a_break_without_a_mark_is_told_at_the_top() -> None:
    """A parser that names no place for what is wrong still leads to a placed fault."""

    class Placeless:
        def __init__(self, _stream: Any) -> None:
            raise yaml.MarkedYAMLError(problem="something is wrong")

    with pytest.raises(Broken) as broken:
        list(events_of("a", "routes.yaml", Placeless))
    assert broken.value.place == Place("routes.yaml", 1, 1)
