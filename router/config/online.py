"""The flows that a configuration names, held against what Twilio said of them: a fault at the line of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from router.config.faults import Faults
from router.config.inheritance import levels
from router.config.review import Review
from router.errors import TwilioError
from router.model.flow import CONVERSATION_EVENT, DENIED, FlowRevision
from router.model.sids import is_sid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.config.document import Trail
    from router.config.sources import Sources
    from router.model.diagnostic import Diagnostic
    from router.model.flow import FlowAnswer

_MOST_COMPLAINTS: Final = 3


def named_flows(sources: Sources) -> dict[str, list[Trail]]:
    """List the Flow SIDs that stand under ``flows`` or are spelled out in a route, each with where it stands."""
    places: dict[str, list[Trail]] = {}
    for trail, sid in _flows(sources.review.data):
        places.setdefault(sid, []).append(trail)
    return places


def _flows(data: Mapping[str, object]) -> Iterator[tuple[Trail, str]]:
    listed = data.get("flows")
    if isinstance(listed, dict):
        yield from ((("flows", alias), sid) for alias, sid in listed.items())
    for layers in levels(data):
        trail, layer = layers[-1]
        flow = layer.get("flow")
        if is_sid("FW", flow):
            yield (*trail, "flow"), str(flow)


def check_online(sources: Sources, answers: Mapping[str, FlowAnswer], account: str) -> tuple[Diagnostic, ...]:
    """Give the faults of the flows, from top to bottom; ``account`` is the ``AC…`` that we are.

    Why Twilio could not be asked is told once, at the first flow that it concerns.
    """
    review = Review(sources.review.document, sources.review.data, Faults())
    unanswered: list[tuple[Trail, TwilioError]] = []
    for sid, trails in named_flows(sources).items():
        answer = answers[sid]
        for trail in trails:
            if isinstance(answer, TwilioError):
                unanswered.append((trail, answer))
            elif answer is None:
                _tell_absent(review, trail, sid)
            else:
                _check_revision(review, trail, answer, account)
    if unanswered:
        _tell_unanswered(review, unanswered)
    return review.faults.diagnostics


def _tell_absent(review: Review, trail: Trail, sid: str) -> None:
    message = (
        f"{review.name(trail)} is {review.shown(trail, sid)}, which the account of TWILIO_ACCOUNT_SID does not have"
    )
    review.error(trail, "flow-absent", f"{message}; correct the SID, or use the account that has the flow")


def _check_revision(review: Review, trail: Trail, flow: FlowRevision, account: str) -> None:
    name = review.name(trail)
    if flow.account != account:
        message = f"{name} belongs to the account {flow.account}, which is not that of TWILIO_ACCOUNT_SID"
        review.error(trail, "flow-foreign", f"{message}; use the one that has the conversations")
    if not flow.is_published:
        message = f"{name} was never published, so it would leave the customer alone; publish it in Studio"
        review.error(trail, "flow-draft", message)
    if not flow.is_valid:
        shown = "; ".join(flow.errors[:_MOST_COMPLAINTS]) or "it does not say why"
        message = f"Studio says that {name} is not valid: {shown}; mend and publish it in Studio"
        review.error(trail, "flow-invalid", message)
    if CONVERSATION_EVENT not in flow.starts:
        found = f"starts only from {', '.join(flow.starts)}" if flow.starts else "starts from nothing"
        remedy = "lead its trigger 'Incoming Conversation' to a widget, and publish it"
        review.error(trail, "flow-trigger", f"{name} {found}, so it would leave the customer alone; {remedy}")


def _tell_unanswered(review: Review, unanswered: list[tuple[Trail, TwilioError]]) -> None:
    for trail, error in unanswered:
        if error.status in DENIED:
            review.error(trail, "online-refused", f"the flows could not be checked online: {error.message}")
            return
    trail, error = unanswered[0]
    others = f", nor could {len(unanswered) - 1} more" if len(unanswered) > 1 else ""
    message = f"{review.name(trail)} could not be checked online{others}: {error.message}"
    review.error(trail, "online-unreachable", message)
