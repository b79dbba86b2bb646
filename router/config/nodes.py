"""From text to data: YAML's events put together under stricter rules than YAML's own, each value with its place.

Events instead of PyYAML's node tree: its composer recurses, so a file could choose how deep our stack grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from yaml import events

from router.config.breaks import DEEPEST, TOO_DEEP, Broken, TooMuch, Unclosed
from router.config.conflicts import without_conflicts
from router.config.document import ROOT, Document, Trail
from router.config.expected import remedy_at
from router.config.mending import Mending
from router.config.scalars import AmbiguousScalar, is_date, meaning
from router.config.syntax import events_of, readable
from router.config.wording import is_telling, kind, quoted
from router.model.place import Place

if TYPE_CHECKING:
    from router.config.faults import Faults

MOST_VALUES: Final = 120_000
"""So many values a file may have, counting what its aliases stand for."""

_ASIDE: Final = "what stands here"
"""How a word is called that may be a secret."""

_SHORT: Final = len("+123456")

_INSTEAD_OF_TAG: Final = {
    "!env": "write ${env:NAME}",
    "!env_var": "write ${env:NAME}",
    "!secret": "write ${env:NAME}, or ${file:PATH}",
    "!file": "write ${file:PATH}",
    "!include": "write ${file:PATH} for a text, and 'include:' for further routes",
}


@dataclass(slots=True)
class _Open:
    """A collection that is being read. ``key`` is the one whose value comes next; ``drops`` its value."""

    data: dict[str, Any] | list[Any]
    trail: Trail
    anchor: str | None
    key: str | None = None
    drops: bool = False


@dataclass(slots=True)
class _Composer:
    document: Document
    faults: Faults
    mending: Mending
    skipped: int = 0
    opened: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Trail, Any]] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    count: int = 0
    has_root: bool = False
    has_second: bool = False

    def take(self, event: events.Event) -> None:
        """Take the next event of the file; raises Broken where nothing that follows can be read."""
        if self.skipped:
            self._skip(event)
            return
        match event:
            case events.ScalarEvent():
                if self._awaits_key():
                    self._take_key(event)
                else:
                    self._take_scalar(event)
            case events.MappingStartEvent() | events.SequenceStartEvent():
                self._open(event, {} if isinstance(event, events.MappingStartEvent) else [])
            case events.MappingEndEvent() | events.SequenceEndEvent():
                self._close(event)
            case events.AliasEvent():
                self._take_alias(event)
            case events.DocumentStartEvent() if self.has_root:
                place = self._place(event)
                self.faults.error(place, "yaml-documents", "a second document begins here; a file holds one")
                self.document.unfinished |= self.document.values.keys()  # what follows may belong to any of them
                self.has_second = True
                self.skipped = 1  # to the end of the file, as no event ends what was not begun

    def _awaits_key(self) -> bool:
        return bool(self.opened) and isinstance(self.opened[-1].data, dict) and self.opened[-1].key is None

    def _take_key(self, event: events.ScalarEvent) -> None:
        place, inner, word = self._place(event), self.opened[-1], event.value
        drops = False
        if self._is_plain(event) and word == "<<":
            self.faults.error(place, "yaml-merge", "'<<' merges are not used here: 'defaults' and tools are inherited")
            drops = True
            if inner.trail:
                self.document.spoilt.add(inner.trail)
        elif event.tag is not None:
            self._refuse_tag(place, event.tag)
        elif word not in self.words and self._is_plain(event):
            if isinstance(_guess(word), str):
                self.words.add(word)
            else:
                message = f"the key {word or 'nothing'} is no text to every reader of YAML; put it into quotes"
                self.faults.error(place, "key-type", message)
        trail = (*inner.trail, word)
        if trail in self.document.keys and not drops:
            first = self.document.keys[trail]
            self.faults.error(
                place, "key-duplicate", f"{quoted(word)} stands here a second time; the first is in line {first.line}"
            )
            drops = True
        if not drops:
            self.document.keys[trail] = place
        inner.key, inner.drops = word, drops

    def _skip(self, event: events.Event) -> None:
        """Leave out what stands in a place where nothing can."""
        if isinstance(event, events.CollectionStartEvent):
            self.skipped += 1
        elif isinstance(event, events.CollectionEndEvent):
            self.skipped -= 1

    def _refuse_key(self, place: Place, message: str) -> None:
        """Tell of what cannot be a key, and drop the value that belongs to it."""
        self.faults.error(place, "key-type", message)
        inner = self.opened[-1]
        inner.key, inner.drops = "", True
        self.document.unfinished.add(inner.trail)
        if not inner.data and inner.trail:
            self.document.spoilt.add(inner.trail)  # rather a text without quotes than a mapping

    def _take_scalar(self, event: events.ScalarEvent) -> None:
        place, trail = self._place(event), self._next_trail()
        value: Any = event.value
        if event.tag is not None:
            self._refuse_tag(place, event.tag, trail)
            self.document.spoilt.add(trail)
        elif self._is_plain(event):
            try:
                value = meaning(value)
            except AmbiguousScalar as ambiguous:
                self._refuse_word(place, trail, value, ambiguous)
            if is_date(event.value) and trail[-1:] != ("at",):
                found = _ASIDE if is_telling(trail) else event.value
                message = f"{found} is a date to some readers of YAML and text to others; put it into quotes"
                self.faults.warning(place, "scalar-date", message)
            if value is None and self.mending.gaps and self.mending.is_cut_below(place.line):
                self.document.spoilt.add(trail)
        self._add(place, event.anchor, trail, value)

    def _refuse_word(self, place: Place, trail: Trail, word: str, ambiguous: AmbiguousScalar) -> None:
        """Tell of a word that readers take for different things, with what the grammar wants in its place."""
        found, remedy = ambiguous.shown, remedy_at(trail, word) or ambiguous.remedy
        if is_telling(trail) or (word.startswith("+") and len(word) > _SHORT):  # that may be a telephone number
            found, remedy = _ASIDE, "put it into quotes"
        self.faults.error(place, ambiguous.code, f"{found} {ambiguous.reading}; {remedy}")
        self.document.spoilt.add(trail)

    def _open(self, event: events.CollectionStartEvent, data: dict[str, Any] | list[Any]) -> None:
        place = self._place(event)
        if self._awaits_key():
            self._refuse_key(place, f"a {kind(data)} cannot be a key here; text that begins with {{ or [ needs quotes")
            self.skipped = 1
            return
        trail = self._next_trail()
        self._check_depth(place, trail)
        if event.tag is not None:
            self._refuse_tag(place, event.tag, trail)
            self.document.spoilt.add(trail)
        self._add(place, event.anchor, trail, data)
        self.opened.append(_Open(data, trail, event.anchor))

    def _take_alias(self, event: events.AliasEvent) -> None:
        place, name, trail = self._place(event), event.anchor or "", self._next_trail()
        if self._awaits_key():
            self._refuse_key(place, "an alias cannot be a key here")
        elif any(open_.anchor == name for open_ in self.opened):
            self._refuse_alias(
                place, trail, name, "alias-cycle", "the alias *{} stands within the value that it repeats"
            )
        elif name not in self.anchors:
            unknown = (
                "the alias *{0} repeats nothing: no &{0} stands before it; a text that begins with '*' needs quotes"
            )
            self._refuse_alias(place, trail, name, "alias-unknown", unknown)
        else:
            source, value = self.anchors[name]
            self._add(place, None, trail, self._copy(place, source, trail, value))

    def _refuse_alias(self, place: Place, trail: Trail, name: str, code: str, message: str) -> None:
        """Tell of an alias that stands for nothing; nothing stands in its place."""
        if code != "alias-unknown" or not self.mending.gaps:  # else its anchor may stand in an emptied line
            self.faults.error(place, code, message.format("…" if is_telling(trail) else name))
        self.document.spoilt.add(trail)
        self._add(place, None, trail, None)

    def _close(self, event: events.CollectionEndEvent) -> None:
        """End a collection; one with an emptied line in it may have held more."""
        trail = self.opened.pop().trail
        end: Any = event.end_mark
        if self.mending.gaps and self.mending.touches(self.document.values[trail].line, end.line + 1):
            self.document.unfinished.add(trail)

    def leave_open(self) -> None:
        """End what is still open where the text broke off."""
        self.document.unfinished.add(ROOT)
        self.document.unfinished.update(open_.trail for open_ in self.opened)

    def _copy(self, place: Place, source: Trail, target: Trail, value: Any) -> Any:
        """Copy what an alias stands for, with the places at which it is written; count all of it."""
        self._count(place)
        self._check_depth(place, target)
        if source in self.document.spoilt:
            self.document.spoilt.add(target)
        if not isinstance(value, dict | list):
            return value
        items = value.items() if isinstance(value, dict) else enumerate(value)
        copied: dict[Any, Any] = {}
        for step, inner in items:
            self.document.values[*target, step] = self.document.value((*source, step))
            if isinstance(value, dict):
                self.document.keys[*target, step] = self.document.key((*source, step))
            copied[step] = self._copy(place, (*source, step), (*target, step), inner)
        return copied if isinstance(value, dict) else list(copied.values())

    def _next_trail(self) -> Trail:
        if not self.opened:
            return ROOT
        inner = self.opened[-1]
        if isinstance(inner.data, list):
            return (*inner.trail, len(inner.data))
        # What is dropped gets a trail that no key can have, so that it leaves the first one's places alone.
        return (*inner.trail, f"{inner.key}\0{self.count}" if inner.drops else inner.key or "")

    def _add(self, place: Place, anchor: str | None, trail: Trail, value: Any) -> None:
        """Put a value where it belongs."""
        self._count(place)
        self.document.values[trail] = place
        if anchor is not None:
            self.anchors[anchor] = (trail, value)
        if not self.opened:
            self.document.data = value
            self.has_root = True
        elif isinstance(self.opened[-1].data, list):
            self.opened[-1].data.append(value)
        else:
            inner = self.opened[-1]
            if not inner.drops:
                self.opened[-1].data[inner.key or ""] = value
            inner.key = None

    def _count(self, place: Place) -> None:
        self.count += 1
        if self.count > MOST_VALUES:
            message = f"more than {MOST_VALUES} values, counting what aliases repeat; split the file with 'include'"
            raise TooMuch(place, "file-values", message)

    def _check_depth(self, place: Place, trail: Trail) -> None:
        if len(trail) > DEEPEST:
            raise TooMuch(place, "file-depth", TOO_DEEP)

    def _refuse_tag(self, place: Place, tag: str, trail: Trail = ROOT) -> None:
        name = tag.replace("tag:yaml.org,2002:", "!!")
        remedy = _INSTEAD_OF_TAG.get(name.casefold(), "text is told by quotes alone")
        is_known = name.casefold() in _INSTEAD_OF_TAG
        title = f"the tag {quoted(name)}" if is_known or not is_telling(trail) else "a tag"
        self.faults.error(place, "yaml-tag", f"{title} is not used here; {remedy}")

    def _place(self, event: events.Event) -> Place:
        mark: Any = event.start_mark
        line = mark.line + 1
        return Place(self.document.start.file, line, mark.column + 1 - self.mending.shifts.get(line, 0))

    @staticmethod
    def _is_plain(event: events.ScalarEvent) -> bool:
        return not event.style


def _guess(word: str) -> object:
    """Say what a word means, or that it means several things, which is no text either."""
    try:
        return meaning(word)
    except AmbiguousScalar:
        return None


def compose(text: str, file: str, faults: Faults) -> Document | None:
    """Read ``text`` into a Document; None where nothing of it can be judged, which ``faults`` tell.

    What is no YAML is told, emptied, and the rest read on; what it may have held is marked as ``unfinished``.
    """
    mending = Mending(readable(without_conflicts(text, file, faults), file, faults))
    while True:
        composer = _Composer(Document(None, Place(file, 1, 1)), faults, mending)
        try:
            for event in events_of(mending.text, file):
                composer.take(event)
        except TooMuch as limit:
            faults.error(limit.place, limit.code, limit.message)
            return None
        except Broken as broken:
            if composer.has_second:
                return _checked(composer.document, faults, is_whole=not mending.gaps)
            is_bracket = isinstance(broken, Unclosed) and bool(composer.opened)
            place = composer.document.values[composer.opened[-1].trail] if is_bracket else broken.place
            faults.error(place, broken.code, broken.message)
            if mending.mend(broken):
                continue
            composer.leave_open()
            return composer.document if isinstance(composer.document.data, dict) else None
        return _checked(composer.document, faults, is_whole=not mending.gaps)


def _checked(document: Document, faults: Faults, *, is_whole: bool) -> Document | None:
    """A file must be a mapping; None, and a fault, where it is not."""
    if document.data is None and not document.spoilt:
        if is_whole:
            message = (
                "the file is empty; the least that a routes.yaml needs is 'version: 1', and a fragment needs a tool"
            )
            faults.error(document.start, "file-empty", message)
        return None
    if not isinstance(document.data, dict):
        message = f"the file is a {kind(document.data)}, expected a mapping: keys such as version: and tools:"
        faults.error(document.value(ROOT), "type-wrong", message)
        return None
    return document
