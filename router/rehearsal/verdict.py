"""What was got held against what was expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from router.model.call import SHORTEST_SHOWN
from router.model.masking import fit
from router.model.outcome import Answer, Outcome
from router.model.route_test import Expectation, Subject
from router.rehearsal.results import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.model.call import Identity
    from router.model.routes import Routes

_LEADS_SOMEWHERE: Final = frozenset(
    {Outcome.HANDED_OVER, Outcome.ALREADY_HANDED_OVER, Outcome.PENDING, Outcome.DRY_RUN}
)


class Verdict:
    """What one call came to: the answer, the ``attributes`` that are there now, and the plugin that declined, if any.

    ``identity`` is the made-up customer's; it is masked in what is told.
    """

    def __init__(
        self,
        answer: Answer,
        attributes: Mapping[str, Any],
        routes: Routes,
        identity: Identity | None,
        declined_by: str = "",
    ) -> None:
        self._answer = answer
        self._attributes = attributes
        self._routes = routes
        self._identity = identity
        self._declined_by = declined_by

    def failures(self, expectations: Iterable[Expectation]) -> Iterator[Failure]:
        """Yield a failure for each expectation that does not hold."""
        for expected in expectations:
            holds, got = self._judge(expected)
            if not holds:
                subject = " ".join(filter(None, (expected.subject, ".".join(expected.path))))
                wanted = masked(expected.shown, self._identity)
                yield Failure(expected.place, f"expected {subject} {wanted}, got {masked(got, self._identity)}")

    def _judge(self, expected: Expectation) -> tuple[bool, str]:
        """Say whether it holds, and what was got."""
        answer = self._answer
        match expected.subject:
            case Subject.OUTCOME:
                return answer.outcome == expected.wanted, f"'{answer.outcome}': {self._reason}"
            case Subject.FLOW:
                flow = answer.flow if answer.outcome in _LEADS_SOMEWHERE else ""
                wanted = self._routes.flow_sid(expected.wanted) or expected.wanted
                return flow == wanted, f"'{self._routes.flow_alias(flow)}'" if flow else "none"
            case Subject.SAYS:
                return expected.wanted in answer.message, f"'{answer.message}'"
            case _:
                return _attribute(self._attributes, expected)

    @property
    def _reason(self) -> str:
        """Why the call ended as it did: who declined, what went wrong, or at least the sentence."""
        said = f"'{self._answer.message}'"
        if self._declined_by:
            return f"the plugin '{self._declined_by}' says {said}"
        return self._answer.detail or said


def masked(text: str, identity: Identity | None) -> str:
    """Make ``text`` fit for a report, with the customer's address masked in both of its forms."""
    if identity is not None:
        text = text.replace(str(identity), identity.masked)
        if len(identity.value) > SHORTEST_SHOWN:
            text = text.replace(identity.value, identity.masked.partition(":")[2])
    return fit(text)


def _attribute(attributes: Mapping[str, Any], expected: Expectation) -> tuple[bool, str]:
    found: Any = attributes
    for step in expected.path:
        found = found.get(step) if isinstance(found, Mapping) else None
    got = f"'{found}'" if isinstance(found, str) else json.dumps(found, ensure_ascii=False, sort_keys=True)
    return _holds(expected.wanted, found), "nothing" if found is None else got


def _holds(wanted: Any, found: Any) -> bool:
    """Compare as JSON does: true is not 1. An empty mapping is contained in every mapping."""
    if wanted == {}:
        return isinstance(found, Mapping)
    return json.dumps(wanted, sort_keys=True) == json.dumps(found, sort_keys=True)
