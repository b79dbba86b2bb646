"""The start of the plugins: the last that is tried before a configuration goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.errors import ConfigError
from router.hooks.blame import located
from router.model.diagnostic import Diagnostic

if TYPE_CHECKING:
    from router.config import Loaded
    from router.hooks.failure import PluginFailed
    from router.model.place import Place
    from router.model.twilio import Twilio


async def start_plugins(loaded: Loaded, twilio: Twilio) -> None:
    """Let the plugins get ready; raises ConfigError, placed at their entries, where one cannot."""
    places = {use.name: place for use, place in loaded.switched_on}
    failures = await loaded.plugins.start([use for use, _place in loaded.switched_on], twilio)
    if failures:
        available = loaded.available
        raise ConfigError([_placed(each, available[each.plugin].plugin, places[each.plugin]) for each in failures])


def _placed(failure: PluginFailed, plugin: object, place: Place) -> Diagnostic:
    where = "" if failure.hook == "started" else f"{failure.hook}: "
    reason = where + located(failure.reason, plugin, failure.hook)
    return Diagnostic(*place, "plugin-start", f"the plugin '{failure.plugin}' did not start: {reason}")
