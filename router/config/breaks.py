"""What breaks YAML off, in words for whoever wrote it: where it begins, which is rarely where a parser notices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from yaml import events

from router.config.remedies import DASHES
from router.model.place import Place

if TYPE_CHECKING:
    import yaml

_TIGHT: Final = re.compile(r"(?:- +)?([\w.-]+):[^\s:/]")
"""A key with its value right behind the colon."""

_LIST: Final = re.compile(r"(?:auth|include|assistant_webhooks|aliases)\s*:\s*(?:#|$)")
"""A key whose value is a list of words, none of which could be meant for a key without its colon."""

_SPACES: Final = "\u00a0\u2002-\u200a\u202f\u205f\u3000"
ODD: Final = re.compile(rf" *(?:- +)*(?:[{_SPACES}]|[{''.join(DASHES)}](?=[ {_SPACES}])|[\w.-]+:[{_SPACES}])")
"""The begin of a line up to a space or a dash, where they give it its form, that is none to YAML."""

DEEPEST: Final = 40
"""So many collections may stand in each other; the grammar itself needs less than ten."""

TOO_DEEP: Final = f"more than {DEEPEST} lists and mappings stand in each other"

_OPENING: Final = {"[": "]", "{": "}"}
_MARKS_OF_YAML: Final = "@`%*&!|>"


class Broken(Exception):
    """The text cannot be read past here; ``place`` is where what is wrong begins."""

    def __init__(self, place: Place, code: str, message: str) -> None:
        super().__init__(message)
        self.place, self.code, self.message = place, code, message


class Unclosed(Broken):
    """The text ends within brackets. Where they opened, whoever puts the events together knows."""


class TooMuch(Broken):
    """The file goes beyond a limit: nothing of it is judged."""


def place_of(text: str, offset: int, file: str) -> Place:
    """Give the place of the character at ``offset``."""
    lines = (text[:offset] + "x").splitlines()
    return Place(file, len(lines), len(lines[-1]))


def explained(error: yaml.MarkedYAMLError, last: yaml.Event | None, text: str, file: str) -> Broken:
    """Say what is wrong where the parser broke off; ``last`` is the event before that."""
    found = _Break(error, last, text.splitlines(), file)
    if found.says("maximum nesting depth"):  # libyaml reads ahead: it comes to its own limit before it tells of ours
        return TooMuch(Place(file, found.mark[0] + 1, found.mark[1] + 1), "file-depth", TOO_DEEP)
    for explain in (_tab, _character, _quote, _bracket, _colon, _indentation, _beginning):
        broken = explain(found)
        if broken is not None:
            return broken
    return found.at(*found.mark, "yaml-syntax", f"this is no YAML: {error.problem}")


@dataclass(frozen=True)
class _Break:
    """Where the parser stood. Lines and columns count from 0 here, as its marks do."""

    error: yaml.MarkedYAMLError
    last: yaml.Event | None
    lines: list[str]
    file: str

    def at(self, line: int, column: int, code: str, message: str) -> Broken:
        return Broken(Place(self.file, line + 1, column + 1), code, message)

    def says(self, *texts: str) -> bool:
        """Whether the parser's own words are about one of ``texts``; libyaml's and PyYAML's differ."""
        return any(text in f"{self.error.problem} {self.error.context}" for text in texts)

    @cached_property
    def mark(self) -> tuple[int, int]:
        mark: Any = self.error.problem_mark or self.error.context_mark
        return (mark.line, mark.column) if mark else (0, 0)

    @cached_property
    def context(self) -> tuple[int, int]:
        mark: Any = self.error.context_mark
        return (mark.line, mark.column) if mark else self.mark

    @cached_property
    def scalar(self) -> tuple[str, tuple[int, int], tuple[int, int]]:
        """The kind of quotes of the text that was read last, its begin and its end; no text at the mark else."""
        if not isinstance(self.last, events.ScalarEvent):
            return "", self.mark, self.mark
        start: Any = self.last.start_mark
        end: Any = self.last.end_mark
        return self.last.style or "", (start.line, start.column), (end.line, end.column)

    def line(self, number: int) -> str:
        return self.lines[number] if number < len(self.lines) else ""

    def character(self, line: int, column: int) -> str:
        return self.line(line)[column : column + 1]

    def stands_first(self, line: int, column: int) -> bool:
        """Whether nothing but the dash of a list stands before it on its line."""
        return not self.line(line)[:column].strip(" -")


def _tab(found: _Break) -> Broken | None:
    line = found.mark[0]
    text = found.line(line)
    indent = text[: len(text) - len(text.lstrip())]
    if "\t" not in indent:
        return None
    return found.at(line, indent.index("\t"), "yaml-tab", "a tab stands here; indent with spaces")


def _character(found: _Break) -> Broken | None:
    """Tell of a space or a dash that is none to YAML, in the line that broke or where its text began."""
    for line in dict.fromkeys((found.context[0], found.scalar[1][0], found.mark[0])):
        odd = ODD.match(found.line(line))
        if odd:
            column = odd.end() - 1
            code, what = f"U+{ord(odd[0][-1]):04X}", "dash" if odd[0][-1] in DASHES else "space"
            message = f"the {what} that stands here is {code}, which YAML takes for a letter; type a plain {what}"
            return found.at(line, column, "yaml-character", message)
    return None


def _quote(found: _Break) -> Broken | None:
    if found.says("end of stream") and found.says("quoted scalar"):
        return found.at(*found.context, "yaml-quote", "the quote that opens here is never closed")
    style, start, end = found.scalar
    if style not in ("'", '"') or not style or end[0] != found.mark[0] or found.says("flow", "quoted scalar"):
        return None
    if start[0] == end[0]:
        within = "'' within single quotes" if style == "'" else '\\" within double quotes'
        message = f"text stands behind the closing quote; a quote within a text is written {within}"
        return found.at(*found.mark, "yaml-quote", message)
    message = f"the quote that opens here is closed only in line {end[0] + 1}, in the middle of a text"
    return found.at(*start, "yaml-quote", message)


def _bracket(found: _Break) -> Broken | None:
    character = found.character(*found.mark)
    if character and character in "]}" and not found.says("flow"):
        return found.at(*found.mark, "yaml-bracket", f"no bracket is open that this '{character}' could close")
    opening = found.character(*found.context)
    if not opening and found.says("flow node"):
        return Unclosed(Place(found.file, found.mark[0] + 1, 1), "yaml-bracket", "no bracket closes this one")
    if not found.says("flow sequence", "flow mapping") or opening not in _OPENING or not opening:
        return None
    style, _start, end = found.scalar
    if style == "'" and end == found.mark:
        message = "text stands behind the closing quote; a quote within a text is written '' within single quotes"
        return found.at(*found.mark, "yaml-quote", message)
    if found.context[0] == found.mark[0]:
        needy = "text with a colon and a space" if character == ":" else "text with one of , [ ] { }"
        message = f"',' or '{_OPENING[opening]}' is missing here; {needy} in it needs quotes"
        return found.at(*found.mark, "yaml-bracket", message)
    return found.at(*found.context, "yaml-bracket", f"no '{_OPENING[opening]}' closes the '{opening}' that stands here")


def _colon(found: _Break) -> Broken | None:
    if found.says("expected ':'"):
        return _missing_colon(found, *found.context)
    if not found.says("mapping values are not allowed"):
        return None
    _style, (line, column), _end = found.scalar
    if line == found.mark[0]:
        return found.at(*found.mark, "yaml-colon", "text with a colon and a space in it needs quotes around it")
    if found.stands_first(line, column):
        return _missing_colon(found, line, column)
    here = found.line(found.mark[0])
    message = f"this line is indented as if it went on with the text of line {line + 1}; indent both alike"
    return found.at(found.mark[0], len(here) - len(here.lstrip()), "yaml-indent", message)


def _missing_colon(found: _Break, line: int, column: int) -> Broken:
    """Tell of a line that is no key with a value."""
    rest = found.line(line)[column:]
    tight = _TIGHT.match(rest)
    if tight:
        message = f"a space is missing behind this colon: '{tight[1]}: ...'"
        return found.at(line, column + tight.end(1), "yaml-colon", message)
    if rest.startswith("-"):
        return found.at(line, column, "yaml-colon", "a space is missing behind this dash: '- ...'")
    if _stands_in_list(found, line, column):
        message = "a dash and a space are missing before this entry of the list: '- ...'"
        return found.at(line, column, "yaml-colon", message)
    return found.at(line, column, "yaml-colon", "a colon is missing here: expected 'key: value' or 'key:'")


def _stands_in_list(found: _Break, line: int, column: int) -> bool:
    """Say whether the key above, which what stands here belongs to, is one whose entries have dashes."""
    for text in reversed(found.lines[:line]):
        bare = text.lstrip()
        if bare and not bare.startswith("#") and len(text) - len(bare) < column:
            return bool(_LIST.match(bare))
    return False


def _indentation(found: _Break) -> Broken | None:
    line, column = found.mark
    if found.says("<document start>") and column == 0:
        above = ((number, found.line(number)) for number in range(line))
        first, text = next(
            ((number, each) for number, each in above if each.strip() and each.lstrip()[0] != "#"), (0, "")
        )
        if text.startswith(" "):
            message = "this line is indented, and those below it, which belong beside it, are not; indent all alike"
            return found.at(first, 0, "yaml-indent", message)
    if not found.says("expected key", "expected '-'", "expected <block end>") or not found.stands_first(line, column):
        return None
    text = found.line(line)
    if text[column:].startswith("- "):
        return found.at(line, column, "yaml-indent", "an entry of a list stands here, where a key is expected")
    if found.says("expected '-'", "block collection", "block sequence"):
        message = "a key stands here, where '- ' and the next entry of the list are expected"
        return found.at(line, column, "yaml-indent", message)
    spaces = f"{column} space{'' if column == 1 else 's'}"
    message = f"this line is indented by {spaces}, as no other around it is; indent alike what belongs together"
    return found.at(line, column, "yaml-indent", message)


def _beginning(found: _Break) -> Broken | None:
    """Tell of a text that begins with what has a meaning in YAML, or has an escape that there is not."""
    if found.says("quoted scalar"):
        message = "this is no escape; write '\\\\' for a backslash, or put the text into single quotes"
        return found.at(*found.mark, "yaml-syntax", message)
    character = found.character(*found.context)
    if not character or character not in _MARKS_OF_YAML:
        return None
    return found.at(*found.context, "yaml-syntax", f"text that begins with '{character}' needs quotes")
