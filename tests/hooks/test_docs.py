from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from router import Decline, Outcome
from router.errors import TwilioBusy
from router.hooks.discovery import discover
from router.hooks.host import PluginHost, PluginReport
from router.model.routes import PluginUse
from tests.hooks.kit import HANDOVER, LISTED, TWILIO

PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "index.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROUTES = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])


def hosted(directory: Path, example: str) -> tuple[PluginHost, list[PluginReport]]:
    """Do what the page says: put the example into the file, and switch it on."""
    (directory / "ask_first.py").write_text(example, encoding="utf-8")
    found = discover([directory])
    assert found.faults == ()
    reports: list[PluginReport] = []
    return PluginHost.of(found.plugins.values(), report=reports.append), reports


async def test_the_plugin_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    """It has ten lines at the most, asks for what is missing, and lets a complete handover pass."""
    assert len(EXAMPLES[0].splitlines()) <= 10
    host, _reports = hosted(tmp_path, EXAMPLES[0])
    switch = ROUTES["plugins"][0]
    uses = [PluginUse(name=switch["use"], config=switch["config"])]
    assert await host.before_swap(HANDOVER, uses, LISTED.get, TWILIO) == HANDOVER
    with pytest.raises(Decline, match=r"^Ask the customer for order_id, then call this tool again\.$"):
        await host.before_swap(dataclasses.replace(HANDOVER, inputs={}), uses, LISTED.get, TWILIO)


@pytest.mark.parametrize("example", EXAMPLES)
async def test_every_example_of_the_page_runs(tmp_path: Path, example: str) -> None:
    """Each loads without a fault, is called with everything there is, and fails nowhere."""
    host, reports = hosted(tmp_path, example)
    uses = [PluginUse(name="ask-first", config=MappingProxyType({"inputs": [], "german_flow": "german"}))]
    for language in ("de", "en"):
        handover = dataclasses.replace(HANDOVER, inputs={"language": language})
        await host.before_swap(handover, uses, LISTED.get, TWILIO)
        await host.add_attributes(handover, uses)
        await host.after_swap(handover, Outcome.HANDED_OVER, uses, TWILIO)
        await host.swap_failed(handover, TwilioBusy("create", "busy"), uses, TWILIO)
    assert reports == []
    assert host.names == ("ask-first",)
