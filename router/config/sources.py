"""Where each value of a loaded configuration was written, for those who ask why it is as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.config.document import Trail
    from router.config.review import Review
    from router.model.place import Place


@dataclass(frozen=True, slots=True)
class Sources:
    """Answers from the reviewed document; it holds the whole of it, so a server lets go of it."""

    review: Review

    def value(self, trail: Trail) -> Place:
        """Give the place of what stands at ``trail``."""
        return self.review.document.value(trail)
