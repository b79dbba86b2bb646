"""``include``: further files of a team each, merged into the one that names them."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from router.config.document import Document, Trail, trails_in
from router.config.files import matching
from router.config.wording import kind, named, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.config.faults import Faults
    from router.config.reading import Reader
    from router.model.place import Place

MOST: Final = 1000
"""So many fragments a file may include."""

MOST_PATTERNS: Final = 100
"""The grammar refuses more entries of ``include``; looking for their files would take its time before that."""

_SECTIONS: Final[dict[str, type[Any]]] = {"flows": dict, "tools": dict, "tests": list}
"""What a fragment may hold."""


def about_fragment(data: Mapping[str, Any]) -> str:
    """Say what to do with a file that has nothing but what a fragment may hold; nothing where it has more."""
    is_fragment = bool(data) and data.keys() <= _SECTIONS.keys()
    return "; this looks like a fragment of another file: check that one, which includes it" if is_fragment else ""


class Inclusion:
    """Merges the fragments that ``document``, which stands at ``path``, names into it, as ``reader`` reads them."""

    def __init__(self, path: Path, document: Document, reader: Reader, faults: Faults) -> None:
        self._path = path
        self._document = document
        self._reader = reader
        self._faults = faults
        self._named: dict[Path, Trail] = {}

    def apply(self, fragments: Sequence[Path]) -> None:
        """Merge the fragments in their order."""
        for fragment in fragments:
            found = self._reader.read(fragment, self._whence(fragment))
            if found is not None:
                self._merge(found)

    def find(self) -> list[Path]:
        """Find the files, by name; a pattern that finds none is no fault, a plain name without a file is."""
        patterns = self._document.data.get("include")
        for index, pattern in enumerate(patterns[:MOST_PATTERNS] if isinstance(patterns, list) else []):
            trail: Trail = ("include", index)
            if isinstance(pattern, str) and pattern and not self._document.is_spoilt(trail):
                self._named = dict.fromkeys(self._matching(pattern, trail), trail) | self._named
        return sorted(self._named)

    def _whence(self, fragment: Path) -> str:
        """Say where a file is named that may turn out to be missing, and which was meant."""
        if fragment not in self._named or fragment.exists():
            return ""
        place = self._document.value(self._named[fragment])
        beside = [path.name for path in matching(fragment.parent, "*", MOST)]
        guess = self._faults.near(fragment.name, beside)
        return f"; 'include' names it in {place.file}:{place.line}{guess}"

    def _matching(self, pattern: str, trail: Trail) -> list[Path]:
        directory, place = self._path.parent, self._document.value(trail)
        if "**" in pattern:
            message = f"{quoted(pattern)} goes down into every directory; name the directory, with '*' for its files"
            self._faults.error(place, "include-pattern", message)
            return []
        if PurePath(pattern).is_absolute() or ".." in PurePath(pattern).parts:
            message = f"{quoted(pattern)} leaves the directory of this file; fragments stand below it"
            self._faults.error(place, "include-outside", message)
            return []
        if not any(character in pattern for character in "*?["):
            found = [directory / pattern]
        else:
            found = matching(directory, pattern, MOST + 1)
        if not found:
            self._tell_nothing(pattern, place)
        if len(found) > MOST:
            message = f"{quoted(pattern)} finds more than {MOST} files; name a directory that holds fragments only"
            self._faults.error(place, "include-many", message)
            return []
        return [path for path in found if self._may_stand(path, trail)]

    def _tell_nothing(self, pattern: str, place: Place) -> None:
        """Tell of a pattern that finds nothing; where it had found what is in use, that may be a directory gone."""
        whole = str(self._path.parent / pattern)
        lost = sum(fnmatch(str(path), whole) for path in self._reader.running.contents)
        message = f"{quoted(pattern)} finds no file"
        if not lost:
            self._faults.warning(place, "include-nothing", message)
            return
        remedy = "if they are meant to be gone, reload with POST /-/reload?shorter=accept, or start anew"
        message = f"{message}, and {lost} that it found are in use; {remedy}"
        self._faults.tell(place, "include-nothing", message, self._reader.running.severity)

    def _may_stand(self, path: Path, trail: Trail) -> bool:
        try:
            real, root = path.resolve(), self._path.resolve()
        except (OSError, RuntimeError, ValueError):
            return True  # reading it tells what is wrong with it
        if real == root:
            self._faults.error(self._document.value(trail), "include-self", f"{quoted(str(path))} is this file itself")
        elif not real.is_relative_to(root.parent):
            message = f"{quoted(str(path))} links to a file outside the directory of this file"
            self._faults.error(self._document.value(trail), "include-outside", message)
        else:
            return True
        return False

    def _merge(self, fragment: Document) -> None:
        self._document.unfinished |= fragment.unfinished
        for section, value in fragment.data.items():
            trail: Trail = (section,)
            if section not in _SECTIONS:
                message = f"a fragment has no key {quoted(section)}; it may have: {', '.join(_SECTIONS)}"
                self._faults.error(fragment.key(trail), "include-key", message)
            elif not isinstance(value, _SECTIONS[section]) and fragment.is_spoilt(trail):
                self._document.unfinished.add(trail)  # what stood there is emptied, and that is told
            elif not isinstance(value, _SECTIONS[section]):
                message = f"{named(trail)} is a {kind(value)}, expected a {kind(_SECTIONS[section]())}"
                self._faults.error(fragment.value(trail), "type-wrong", message)
            elif isinstance(value, dict):
                self._add(fragment, section, value)
            else:
                self._append(fragment, section, value)

    def _append(self, fragment: Document, section: str, items: Sequence[Any]) -> None:
        there = self._document.data.setdefault(section, [])
        if isinstance(there, list):
            for index, item in enumerate(items):
                self._adopt(fragment, (section, index), (section, len(there)), item)
                there.append(item)

    def _add(self, fragment: Document, section: str, items: dict[str, Any]) -> None:
        there = self._document.data.setdefault(section, {})
        if not isinstance(there, dict):
            return
        for name, item in items.items():
            trail: Trail = (section, name)
            if name in there:
                first = self._document.key(trail)
                message = f"{named(trail)} is already defined in {first.file}:{first.line}; keep one of the two"
                self._faults.error(fragment.key(trail), "defined-twice", message)
                continue
            self._adopt(fragment, trail, trail, item)
            there[name] = item

    def _adopt(self, fragment: Document, source: Trail, target: Trail, item: Any) -> None:
        """Take over the places, origins and known faults of a fragment's value."""
        for inner in ((), *trails_in(item)):
            old, new = (*source, *inner), (*target, *inner)
            self._document.keys[new] = fragment.key(old)
            self._document.values[new] = fragment.value(old)
            if old in fragment.origins:
                self._document.origins[new] = fragment.origins[old]
            if old in fragment.spoilt:
                self._document.spoilt.add(new)


def patterns(document: Document) -> tuple[str, ...]:
    """Give what stands under ``include`` and could be a pattern."""
    named = document.data.get("include")
    return tuple(each for each in named if isinstance(each, str)) if isinstance(named, list) else ()
