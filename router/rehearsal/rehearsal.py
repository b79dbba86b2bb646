"""A whole rehearsal: the tests of a loaded configuration, on plugins that are started for it and stopped after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.hooks.blame import located
from router.rehearsal.runner import run_tests
from router.rehearsal.stage import CONVERSATION, Stage

if TYPE_CHECKING:
    from router.config import Loaded
    from router.model.twilio import Twilio
    from router.rehearsal.results import Report


async def rehearse(loaded: Loaded) -> Report:
    """Run the tests; a plugin that cannot start fails those that need it. Raises nothing that a plugin can cause."""
    plugins = [loaded.available[name] for name in loaded.plugins.names]
    nobody = Stage(CONVERSATION)
    unusable = await _start(loaded, nobody)
    try:
        return await run_tests(loaded.routes, plugins, loaded.tests, unusable=unusable)
    finally:
        await loaded.plugins.stop(nobody)


async def _start(loaded: Loaded, twilio: Twilio) -> dict[str, str]:
    """Start the plugins; give those that could not start, and why. Where one fails the host stops all, so try anew."""
    unusable: dict[str, str] = {}
    while failures := await loaded.plugins.start(
        [use for use, _place in loaded.switched_on if use.name not in unusable], twilio
    ):
        for each in failures:
            reason = located(each.reason, loaded.available[each.plugin].plugin, each.hook)
            unusable[each.plugin] = f"it did not start [plugin-start]: {reason}"
    return unusable
