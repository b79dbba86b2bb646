"""A document under review: what is sound of it, and where to tell what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from router.config.document import without
from router.config.wording import named, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from router.config.document import Document, Trail
    from router.config.faults import Faults


@dataclass(frozen=True, slots=True)
class Review:
    """``data`` is what is left of the document without what is faulty by itself; items of lists are None there."""

    document: Document
    data: Mapping[str, Any]
    faults: Faults

    @classmethod
    def of(cls, document: Document, faults: Faults) -> Self:
        """Leave out what is spoilt, so that the checks meet only what the schema allows."""
        return cls(document, without(document.data, document.spoilt), faults)

    def error(self, trail: Trail, code: str, message: str) -> None:
        """Tell a fault of the value at ``trail``."""
        self.faults.error(self.document.value(trail), code, message)

    def key_error(self, trail: Trail, code: str, message: str) -> None:
        """Tell a fault of the key that ``trail`` ends in, or of what is missing below it."""
        self.faults.error(self.document.key(trail), code, message)

    def key_warning(self, trail: Trail, code: str, message: str) -> None:
        """Tell what is odd about the key that ``trail`` ends in."""
        self.faults.warning(self.document.key(trail), code, message)

    def name(self, trail: Trail) -> str:
        """Call what stands at ``trail`` by its name."""
        return named(trail, self.document)

    def shown(self, trail: Trail, text: str) -> str:
        """Quote ``text``, which stands at ``trail``; of what came from elsewhere only say where from."""
        return shown(self.document, trail, text)

    def near(self, trail: Trail, text: str, known: Iterable[str]) -> str:
        """Guess what was meant by ``text``, unless it came from elsewhere."""
        return "" if trail in self.document.origins else self.faults.near(text, known)

    def entries(self, section: str) -> Iterator[tuple[int, Any]]:
        """Yield the sound entries of a list at the top of the file, with their indices."""
        return ((index, entry) for index, entry in enumerate(self.data.get(section, [])) if entry is not None)

    def is_told(self, trail: Trail) -> bool:
        """Say whether a fault of what stands at ``trail`` is told already."""
        return self.document.is_spoilt(trail)

    def may_lack(self, trail: Trail) -> bool:
        """Say whether something may stand at ``trail`` in a part of the file that could not be read."""
        return self.document.may_lack(trail)
