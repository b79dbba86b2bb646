"""What a plugin's failure is: in words, as an error that stops a handover, and as a report for the log."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from router.errors import HandoverError
from router.hooks.markers import misuse_in
from router.model.handover import Decline
from router.model.masking import fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.hooks.specs import Kind


class PluginFailed(HandoverError):
    """A plugin that may stop a handover gave nothing that can be used: nothing was changed.

    ``plugin`` is empty where it is not known which one did.
    """

    def __init__(self, hook: str, reason: str, plugin: str = "") -> None:
        self.hook = hook
        self.reason = reason
        self.plugin = plugin
        super().__init__(hook, reason, plugin)

    def __str__(self) -> str:
        who = f"plugin '{self.plugin}' failed in" if self.plugin else "a plugin failed in"
        return f"{who} {self.hook}: {self.reason}"


class NoAnswer(Exception):
    """A call ended without an answer that the hook can use: too late, or of a wrong kind. Its text is ours."""


@dataclass(frozen=True, slots=True)
class PluginReport:
    """One failed call, for the log: the reason is bounded and on one line; ``seconds`` is how long the call took.

    ``handover`` is the id of the one that the call was about, empty where it was about none.
    """

    plugin: str
    hook: str
    kind: Kind
    reason: str
    seconds: float
    handover: str = ""


class CallRecord(NamedTuple):
    """One call, for the figures of the app: its ``seconds``, and for how many it held the event loop too long."""

    plugin: str
    hook: str
    seconds: float
    blocked: float


def reason_of(error: BaseException, file: str = "") -> str:
    """Say what ``error`` is, on one line, bounded and with nobody's address in it, and at which line of ``file``."""
    text = misuse_in(text_of(error))
    if not issubclass(type(error), NoAnswer):
        kind = _read(lambda: type(error).__name__, "an exception without a name")
        text = f"{kind}: {text}" if text else kind
    line = deepest_line(error, file)
    return fit(text) + (f" (line {line})" if line else "")


def text_of(error: BaseException) -> str:
    """Read the text of a plugin's exception."""
    return _read(lambda: str(error), "its text cannot be read")


def deepest_line(error: BaseException, file: str) -> int:
    """Find the last line of ``file`` that ran on the way to ``error``; 0 where it never was in that file."""
    try:
        steps = list(traceback.walk_tb(error.__traceback__))
    except BaseException:  # noqa: BLE001 - as for its text
        return 0
    lines = [line or 0 for frame, line in steps if frame.f_code.co_filename == file]
    return lines[-1] if lines else 0


def decline_within(error: BaseException) -> Decline | None:
    """Find the Decline that ``error`` is, or the first in a group of exceptions, as a task group raises them."""
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if issubclass(type(each), Decline):
            return cast("Decline", each)
        if issubclass(type(each), BaseExceptionGroup):
            # The base class's own tuple, which no subclass can make endless.
            waiting = [*vars(BaseExceptionGroup)["exceptions"].__get__(each), *waiting]
    return None


def _read(words: Callable[[], str], unreadable: str) -> str:
    """Read words of an exception as plain text: that is a call into the plugin, which may raise anything."""
    try:
        return str.__str__(words())
    except BaseException:  # noqa: BLE001 - a SystemExit in here must not end the server
        return unreadable
