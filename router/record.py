"""A handover as its row in the ledger tells it, for what happens when its call is long over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.model.handover import Handover
from router.model.routes import Route

if TYPE_CHECKING:
    from router.ledger.row import Row
    from router.model.routes import Routes


def handover_of(row: Row) -> Handover:
    """Give what is known of it: all but the inputs, and of the person and the sentence no address."""
    return Handover(
        id=row.id,
        tool=row.tool,
        intent=row.intent,
        flow=row.flow,
        message=row.success,
        conversation=row.conversation,
        service=row.service,
        identity=row.identity,
        caller=row.caller,
        at=row.created,
    )


def route_of(row: Row, routes: Routes) -> Route:
    """Give the route that it would take now; one that is gone does as the default, and has no plugins."""
    tool = routes.tools.get(row.tool)
    if tool is None:
        return Route()
    intent = tool.intents.get(row.intent)
    return intent.route if intent else tool.route
