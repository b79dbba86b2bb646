"""What came of the tests: for each what was got and what failed, and which routes none of them reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from router.model.diagnostic import Diagnostic
from router.model.masking import fit

if TYPE_CHECKING:
    from router.model.outcome import Answer
    from router.model.place import Place
    from router.model.route_test import RouteTest

CODE: Final = "test-failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test failed, at the expectation that did not hold; nobody's address is in ``message``."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went. ``answer`` is None where the call could not be read; ``declined_by`` names a plugin."""

    test: RouteTest
    answer: Answer | None
    failures: tuple[Failure, ...]
    seconds: float
    declined_by: str = ""

    @property
    def title(self) -> str:
        """The test's name in quotes, fit for a report."""
        return f"'{fit(self.test.name)}'"


@dataclass(frozen=True, slots=True)
class Report:
    """How all of them went. ``unreached`` are the routes that no test reached, of ``routes`` in all.

    A route is a path and an intent; the intent is empty where the tool has none.
    """

    results: tuple[Result, ...]
    unreached: tuple[tuple[str, str], ...]
    routes: int

    @property
    def failed(self) -> tuple[Result, ...]:
        """The tests that failed."""
        return tuple(result for result in self.results if result.failures)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All that failed, test by test."""
        return tuple(failure for result in self.results for failure in result.failures)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The failures as a refused reload tells them."""
        return tuple(
            Diagnostic(*failure.place, CODE, f"test {result.title} failed: {failure.message}")
            for result in self.results
            for failure in result.failures
        )
