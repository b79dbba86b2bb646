"""The kit for the tests of plugins: the real router in process, against a stand-in for Twilio.

pytest has it as fixtures, which ``router/pytest_plugin.py`` lists; without pytest ``open_kit`` gives the same. All of
it is called plainly and waits until it is done: a test needs no ``async``, and one that is ``async def`` may use it.
"""

from router.errors import ConfigError
from router.testing.app import Answer, CallRefused, HandoverApp, Reply
from router.testing.clock import LeapingClock
from router.testing.hook_calls import HookCall, HookCalls
from router.testing.kit import CallTool, Kit, NewApp, open_kit
from router.testing.twilio import TwilioStandIn

__all__ = [
    "Answer",
    "CallRefused",
    "CallTool",
    "ConfigError",
    "HandoverApp",
    "HookCall",
    "HookCalls",
    "Kit",
    "LeapingClock",
    "NewApp",
    "Reply",
    "TwilioStandIn",
    "open_kit",
]
