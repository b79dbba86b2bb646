"""The handover router: what a plugin author needs, and nothing more."""

from router.hooks.markers import hookimpl
from router.model.handover import Decline, Handover
from router.model.outcome import Outcome

__all__ = ["Decline", "Handover", "Outcome", "__version__", "hookimpl"]

__version__ = "0.1.0"
