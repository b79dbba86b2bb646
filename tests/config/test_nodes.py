from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from router.config.breaks import Broken
from router.config.faults import Faults
from router.config.nodes import compose
from router.config.syntax import events_of
from router.model.place import Place
from tests.config.kit import FLOW, HEAD, TOOLS, codes, faults, loaded, write

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.document import Document

PIECES = """version: 1|flows:|tools:|  /a:|    flow: x|auth: [twilio_signature]|- |[|]|{|}|&a |*a|<<: |!t |!!str
'|"|?|: |> |---|...|%YAML 1.1|${env:A}|${|$${|#|ü|on|010|1:30|null|~|include: ['*']|plugins: [{use: x, config: *a}]
tests: [{name: 1}]|defaults: {messages: {success: '{x'}}""".replace("\n", "|").split("|")
CONTROLS = ("\n", "\n  ", "\n", "\t", "\x00", "\ufeff", "\u2028", "\r", "\x85", "|\n", "\x7f")


def read(text: str) -> tuple[Document | None, list[str]]:
    found = Faults()
    document = compose(text, "routes.yaml", found)
    return document, [str(fault) for fault in found.diagnostics]


def test_every_key_and_value_has_its_place() -> None:
    """Keys, values, items and what an alias repeats are found at line and column, counted from 1."""
    document, told = read("a: &x {b: [1,\n  ü]}\nc: *x\nd:\n")
    assert document is not None
    assert told == []
    assert document.data == {"a": {"b": [1, "ü"]}, "c": {"b": [1, "ü"]}, "d": None}
    assert document.key(("a",)) == Place("routes.yaml", 1, 1)
    assert document.value(("a",)) == Place("routes.yaml", 1, 4)
    assert document.key(("a", "b")) == Place("routes.yaml", 1, 8)
    assert document.value(("a", "b", 1)) == document.key(("a", "b", 1)) == Place("routes.yaml", 2, 3)
    assert document.value(("c",)) == Place("routes.yaml", 3, 4)
    assert document.value(("c", "b", 1)) == Place("routes.yaml", 2, 3)
    assert document.value(("c", "gone")) == Place("routes.yaml", 3, 4)


def test_an_aliased_value_is_a_value_of_its_own() -> None:
    """Changing what an alias stands for leaves what it repeats as it is."""
    document, _told = read("a: &x [1]\nb: *x\n")
    assert document is not None
    document.data["b"].append(2)
    assert document.data["a"] == [1]


def test_the_first_of_two_keys_stays() -> None:
    """Of two equal keys the first keeps its value and its place; what stands in the second is not looked at."""
    document, told = read("a: 1\nb: 2\na: {a: 3, c: &x 4}\nd: *x\n")
    assert document is not None
    assert document.data == {"a": 1, "b": 2, "d": 4}
    assert document.value(("a",)).line == 1
    assert len(told) == 1


def test_a_fault_that_an_alias_repeats_is_told_once() -> None:
    """A word that is refused is marked as told wherever an alias repeats it."""
    document, told = read("a: &x {b: yes}\nc: *x\n")
    assert document is not None
    assert len(told) == 1
    assert document.is_spoilt(("c", "b"))
    assert not document.is_spoilt(("c",))


def test_a_merge_at_the_top_is_told_too() -> None:
    """``<<`` is refused also where nothing is around it."""
    document, told = read("<<: {a: 1}\nb: 2\n")
    assert document is not None
    assert document.data == {"b": 2}
    assert len(told) == 1


def test_tags_are_refused_wherever_they_stand() -> None:
    """A tag on a key, a text, a list or a mapping is a fault, and the rest is still read."""
    document, told = read("!a b: !c [d]\ne: !f {g: h}\n'i': !!int '3'\n")
    assert document is not None
    assert [line.partition(":")[2].partition(":")[0] for line in told] == ["1", "1", "2", "3"]
    assert all("[yaml-tag]" in line for line in told)


@pytest.mark.parametrize("prefix", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n", "# comment\r\n"])
def test_beginnings_that_mean_nothing(prefix: str, tmp_path: Path) -> None:
    """A byte order mark, a document's start, a directive and comments with Windows line ends change nothing."""
    assert loaded(tmp_path, prefix + HEAD + TOOLS).routes.tools.keys() == {"/refunds", "/billing"}


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    """A file with CRLF has the same places as one with LF."""
    text = HEAD + "tools:\n  /refunds: {flow: refnds}\n"
    ends = [faults(write(tmp_path, each)) for each in (text, text.replace("\n", "\r\n"))]
    assert ends[0] == ends[1]
    assert ends[0][0].line == 5


@pytest.mark.parametrize(
    "text",
    ["a: {b: [1, *x]}\nc: &x 'd'\n", "a:\n\t- b\n", "a: [1\nb: 2\n", "a: b: c\n", "@a", "a: |\n  b\n c: d\n", "%a\n"],
)
def test_the_slow_parser_finds_the_same_faults(text: str) -> None:
    """Where PyYAML came without libyaml, its own parser yields the same events, or breaks off as well."""

    def outcome(loader: type[Any]) -> list[str]:
        try:
            return [type(event).__name__ for event in events_of(text, "routes.yaml", loader)]
        except Broken as broken:
            return [broken.code]

    assert outcome(yaml.SafeLoader)[-1] == outcome(yaml.CSafeLoader)[-1]


def test_a_break_without_a_place_is_told_at_the_top() -> None:
    """A parser that names no place for what is wrong still leads to a placed fault."""

    class Placeless:
        def __init__(self, _stream: str) -> None:
            raise yaml.MarkedYAMLError(problem="something is wrong")

    with pytest.raises(Broken) as broken:
        list(events_of("a", "routes.yaml", Placeless))
    assert broken.value.place == Place("routes.yaml", 1, 1)


HOSTILE = {
    "deep": "[" * 1_000_000,
    "deep mappings": "{a: " * 500_000,
    "deep indents": "- " * 1_000_000,
    "bomb": "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(f"{n}: &{n} [*{m}, *{m}, *{m}]\n" for m, n in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)),  # noqa: E501 - one bomb, one line
    "deep aliases": "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 20 + "*a" + "]" * 20,
    "many": "- a\n" * 2_000_000,
    "long": "a" * 9_999_999,
    "too long": "a" * 10_000_001,
    "references": HEAD + f"tools: {{/a: {{flow: refunds, name: '{'${env:X}' * 200_000}'}}}}",
    "braces": HEAD + f"tools: {{/a: {{flow: refunds, messages: {{success: '{'{x}' * 1_000_000}'}}}}}}",
    "unknown keys": HEAD + TOOLS + "".join(f"key{number}: 1\n" for number in range(20_000)),
    "unknown flows": HEAD + "tools:\n" + "".join(f"  /{number}: {{flow: f{number}}}\n" for number in range(5_000)),
    "bytes": "\x80\xff" * 1_000_000,
    "noughts": "\0" * 9_000_000,
    "two-byte text": "".join(f"{character}\0" for character in HEAD + TOOLS) * 10_000,
    "anchors": HEAD + "".join(f"k{number}: &a{number} x\n" for number in range(100_000)),
    "one key": HEAD + "'" + "k" * 9_000_000 + "': 1\n",
    "brackets": HEAD + "x: " + "[]" * 4_000_000,
    "flat": HEAD + "x: [" + "a," * 4_900_000 + "]",
    "comments": "#\n" * 4_900_000,
    "quotes": HEAD + "'" * 9_000_001,
    "colons": "a: " * 3_000_000,
    "merges": HEAD + "".join(f"  k{number}: {{<<: {{a: 1}}}}\n" for number in range(10_000)),
    "tabs": HEAD + TOOLS + "".join(f"\t/t{number}: {{flow: nowhere}}\n" for number in range(25_000)),
    "open brackets": HEAD + TOOLS + "".join(f"  /t{number}: {{flow: refunds\n" for number in range(30_000)),
    "no colons": HEAD + TOOLS + "".join(f"  /t{number}\n" for number in range(30_000)),
    "all wrong": HEAD + "tools:\n" + "".join(f"  /t{number}: {{flow: 1, nmae: x}}\n" for number in range(35_000)),
    "plugins that are off": HEAD + "tools:\n" + "".join(f"  /t{number}: {{flow: refunds, plugins: {{audit: {{}}}}}}\n" for number in range(25_000)),  # noqa: E501 - one monster, one line
    "configs that are wrong": HEAD + "plugins: [{use: conversation-attributes}]\ntools:\n" + "".join(f"  /t{number}: {{flow: refunds, plugins: {{conversation-attributes: {{include: 1}}}}}}\n" for number in range(18_000)),  # noqa: E501 - one monster, one line
    "includes itself": HEAD + TOOLS + "include: [" + "routes.yaml, ../x.yaml, '**/*', " * 3_000 + "]",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_takes_long(name: str, tmp_path: Path) -> None:
    """Whatever is thrown at it, the loader ends with a fault, in a time that a server can bear."""
    text = HOSTILE[name]
    path = write(tmp_path, text.encode("latin-1") if name == "bytes" else text)
    begun = time.perf_counter()
    assert faults(path)
    assert (
        time.perf_counter() - begun < 20
    )  # each takes less than two by itself; this is under coverage, on a busy machine


@pytest.mark.parametrize("line", ["key{}: 1\n", "  /t{}: 1\n", "  /t{}: {{flow: nowhere}}\n", "  /t{}: yes\n"])
def test_very_many_faults_are_cut_off(line: str, tmp_path: Path) -> None:
    """After 500 faults the loader says that there are more, and stops."""
    told = faults(write(tmp_path, HEAD + TOOLS + "".join(map(line.format, range(2_000)))))
    assert len(told) == 501
    assert told[-1].code == "faults-many"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from((*PIECES, *CONTROLS)), max_size=25).map("".join))
@example("a: &a\n  b: *a\n")
@example("? [a]\n: b\n")
@example("? *a\n: b\n")
@example("plugins: [{use: x, config: 1}]\n")
def test_no_text_gives_a_traceback(tmp_path: Path, text: str) -> None:
    """Whatever text stands in the file, loading gives routes or placed faults, and nothing else."""
    path = write(tmp_path, text.encode())
    for fault in faults(path):
        assert fault.file == str(path)
        assert fault.line >= 1
        assert fault.column >= 1
        assert "\n" not in str(fault)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_give_a_traceback(tmp_path: Path, noise: bytes) -> None:
    """Bytes of any kind, alone or behind a good file, are told as faults or read as YAML."""
    for content in (noise, (HEAD + TOOLS).encode() + noise):
        told = faults(write(tmp_path, content))
        assert all(fault.line >= 1 for fault in told)


WORDS = """flows auth tools tests plugins include defaults assistant_webhooks /a intents flow messages success query
fallback aliases use config secret call tool expect replay"""
KEYS = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "refunds", "x", FLOW, "{", "last_message"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_structure_gives_a_traceback(tmp_path: Path, structure: dict[str, object]) -> None:
    """Whatever is put under the keys of the grammar, the checks meet nothing that they cannot judge."""
    text = "version: 1\n" + (yaml.safe_dump(structure, width=10_000) if structure else "")
    assert "auth-missing" in codes(tmp_path, text) or "auth" in structure


SECTIONS = st.sampled_from(
    ["include", "fragments", "flows", "auth", "assistant_webhooks", "defaults", "plugins", "tools", "tests"]
)
SOUND = f"""version: 1
flows: {{refunds: {FLOW}}}
auth: [twilio_signature]
defaults: {{messages: {{success: Ok}}}}
plugins: [{{use: conversation-attributes, config: {{key: a}}}}]
tools: {{/a: {{intents: {{x: {{flow: refunds, aliases: [y]}}}}, fallback: x}}}}
tests: [{{name: n, call: {{tool: /a, body: {{intent: x}}}}, expect: {{outcome: handed_over, flow: refunds}}}}]
"""


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SECTIONS, JSON)
@example("tools", None)
@example("tools", [{"x": 1}])
@example("tools", False)
@example("tools", "/b")
def test_no_section_upsets_the_checks_of_the_others(tmp_path: Path, section: str, value: object) -> None:
    """Whatever stands in the place of one section, the others of a good file are judged without a traceback."""
    whole = {**yaml.safe_load(SOUND), section: value}
    told = faults(write(tmp_path, yaml.safe_dump(whole, width=10_000)))
    assert value is not None or section == "fragments" or told


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SOUND)), st.integers(0, 12), st.sampled_from((*PIECES, *CONTROLS, "\u00a0", "\u2013 ")))
def test_no_slip_gives_a_traceback(tmp_path: Path, start: int, length: int, instead: str) -> None:
    """A good file with something cut out and something put in loads, or has placed faults."""
    told = faults(write(tmp_path, SOUND[:start] + instead + SOUND[start + length :]))
    assert all(fault.line >= 1 and fault.column >= 1 for fault in told)


@pytest.mark.parametrize(
    ("old", "new", "code", "column"),
    [
        ("    flow:", " \u00a0\u2003 flow:", "yaml-character", 2),
        ("    flow:", "\tflow:", "yaml-tab", 1),
        ("    flow:", "  \t  flow:", "yaml-tab", 3),
        ("version: 1", "\n# why\n version: 1", "yaml-indent", 1),
        ("flow: refunds", "flow: refunds\n---\n\tx: y\nz: @", "yaml-documents", 1),
    ],
)
def test_one_slip_is_one_fault(old: str, new: str, code: str, column: int, tmp_path: Path) -> None:
    """A space, a tab or a mark that stands where it should not is told once, and nothing else because of it."""
    text = f"version: 1\nflows: {{refunds: {FLOW}}}\nauth: [twilio_signature]\ntools:\n  /a:\n    flow: refunds\n"
    (told,) = faults(write(tmp_path, text.replace(old, new)))
    assert (told.code, told.column) == (code, column)


@pytest.mark.parametrize(
    "slip",
    [
        "0123456",
        "*hunter2",
        "!hunter2 x",
        "2026-01-31",
        "${S:-hunter2}",
        "${env:X-hunter2}",
        "${env:-hunter2}",
        "${ hunter2}",
    ],
)
def test_no_slip_tells_a_secret(slip: str, tmp_path: Path) -> None:
    """However a secret is mistaken for YAML or for a reference, what is told of it has no part of its value."""
    text = HEAD.replace("[twilio_signature]", f"[twilio_signature, {{secret: {slip!r}}}]") + TOOLS
    for each in (text, text.replace(f"'{slip}'", slip)):
        told = "\n".join(map(str, faults(write(tmp_path, each))))
        assert not any(word in told for word in ("hunter2", "0123456", "2026-01"))
