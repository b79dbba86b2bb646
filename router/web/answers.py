"""An answer as the caller wants it: one sentence, or an object for those that ask for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from router.model.outcome import Answer


def respond(answer: Answer, accept: str) -> Response:
    """Make the response: 200 for every outcome, since a model reads sentences and not statuses."""
    if not prefers_json(accept):
        return PlainTextResponse(answer.message)
    told = {"outcome": answer.outcome, "message": answer.message, "handover_id": answer.handover_id}
    return JSONResponse(told | {"tool": answer.tool, "intent": answer.intent, "flow": answer.flow})


def prefers_json(accept: str) -> bool:
    """Say whether an Accept header names JSON, and no less gladly than plain text."""
    if "json" not in accept.lower():
        return False
    weights: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[media_type] = _weight(parameters)
    json = weights.get("application/json", 0.0)
    return json > 0 and json >= max(weights.get("text/plain", 0.0), weights.get("text/*", 0.0))


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _equals, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
