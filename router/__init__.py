"""The handover router: what a plugin author needs, and nothing more."""

from router.errors import TwilioError, TwilioRefused
from router.hooks.markers import hookimpl
from router.model.handover import Decline, Handover
from router.model.outcome import Outcome
from router.model.target import Target
from router.model.twilio import Twilio

__all__ = [
    "Decline",
    "Handover",
    "Outcome",
    "Target",
    "Twilio",
    "TwilioError",
    "TwilioRefused",
    "__version__",
    "hookimpl",
]

__version__ = "0.1.0"
