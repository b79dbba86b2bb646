"""Let the model ask for what the flow needs before it hands over; docs/plugins/index.md explains it line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from router import Decline, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router import Handover


@hookimpl
def before_swap(handover: Handover, config: Mapping[str, Any]) -> None:
    """Decline while an input is missing, with a sentence that says which."""
    missing = [name for name in config.get("inputs", []) if not handover.inputs.get(name)]
    if missing:
        raise Decline(f"Ask the customer for {' and '.join(missing)}, then call this tool again.")
