"""The fixtures that pytest finds as soon as the router is installed; they are made of ``router.testing``.

A suite that uses none of them pays for none: the kit is imported when the first is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.testing import CallTool, HookCalls, Kit, LeapingClock, NewApp, TwilioStandIn


@pytest.fixture
def handover_kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """All of the below as one object, a ``router.testing.Kit``; whatever it started stops when the test ends."""
    from router.testing import open_kit  # noqa: PLC0415 - a suite without plugins' tests need not wait for it

    with open_kit(tmp_path_factory.mktemp("handover")) as kit:
        yield kit


@pytest.fixture
def handover_app(handover_kit: Kit) -> NewApp:
    """Start a router: give routes.yaml as text, the plugins, and settings; see ``router.testing.Kit.new_app``."""
    return handover_kit.new_app


@pytest.fixture
def call_tool(handover_kit: Kit) -> CallTool:
    """Call a tool as the agent does: give the path, the conversation and the inputs; see ``HandoverApp.call_tool``."""
    return handover_kit.call_tool


@pytest.fixture
def sandbox(handover_kit: Kit) -> TwilioStandIn:
    """Stand in for Twilio: ``open_conversation()``, ``customer_says(...)``, ``responders(...)``, ``fail(...)``."""
    return handover_kit.sandbox


@pytest.fixture
def hook_calls(handover_kit: Kit) -> HookCalls:
    """List which hook of which plugin was called with what, in order."""
    return handover_kit.hook_calls


@pytest.fixture
def handover_clock(handover_kit: Kit) -> LeapingClock:
    """Tell the router's time of day, and set it forward: ``handover_clock.leap(timedelta(hours=2))``."""
    return handover_kit.clock
