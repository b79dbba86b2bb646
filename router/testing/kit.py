"""All that a test needs, opened as one: the stand-in for Twilio, a clock, what was called, and routers to make."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from anyio.from_thread import start_blocking_portal

from router.sandbox.flows import ROUTER
from router.sandbox.sandbox import Sandbox
from router.settings import Settings
from router.testing.app import HandoverApp, running
from router.testing.clock import LeapingClock
from router.testing.given import given
from router.testing.hook_calls import HookCalls
from router.testing.twilio import TwilioStandIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from anyio.from_thread import BlockingPortal

    from router.sandbox.world import Conversation
    from router.testing.app import Answer

_SECRETS: Final = {"HANDOVER_SECRET": "secret-of-the-test", "HANDOVER_ADMIN_TOKEN": "admin-of-the-test"}


class NewApp(Protocol):
    """``handover_app``: see ``Kit.new_app``."""

    def __call__(
        self,
        routes: str | Path,
        plugins: Iterable[Any] = (),
        *,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> HandoverApp:
        """Start a router."""


class CallTool(Protocol):
    """``call_tool``: see ``HandoverApp.call_tool``."""

    def __call__(
        self,
        path: str,
        conversation: Conversation | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        identity: str = "",
    ) -> Answer:
        """Call a tool of the router that was started last."""


class Kit:
    """One test's own: nothing of it is shared with another test."""

    def __init__(self, directory: Path, portal: BlockingPortal, stack: contextlib.ExitStack) -> None:
        self.clock = LeapingClock.starting()
        self.hook_calls = HookCalls()
        self._directory = directory
        self._portal = portal
        self._stack = stack
        self._apps: list[HandoverApp] = []
        sandbox = Sandbox(clock=self.clock)
        stack.enter_context(portal.wrap_async_context_manager(sandbox.served()))
        self.sandbox = TwilioStandIn(sandbox, portal)

    def new_app(
        self,
        routes: str | Path,
        plugins: Iterable[Any] = (),
        *,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> HandoverApp:
        """Start a router with ``routes``, the text of a routes.yaml or the path of one; it stops when the test ends.

        ``plugins`` are found besides those that are installed, bundled, or beside the file: each a path, a module, a
        class or an object (``router/testing/given.py`` says under which name). The file must switch them on.
        ``${env:NAME}`` is filled in from ``environ``, in which HANDOVER_SECRET is set; ``settings`` are fields of
        ``Settings``, such as ``deadline``. Raises ConfigError and SettingsError where a server would not start.
        """
        home = Path(mkdtemp(prefix="app-", dir=self._directory))
        (home / "plugins").mkdir()
        config = routes if isinstance(routes, Path) else home / "routes.yaml"
        if isinstance(routes, str):
            config.write_text(routes, encoding="utf-8")
        for plugin in plugins:
            self._stack.enter_context(given(plugin, home / "plugins"))
        chosen = Settings(**{**self._settings(home, config), **settings})
        log = io.StringIO()
        started = running(chosen, {**_SECRETS, **(environ or {})}, self.clock, self.hook_calls, log)
        app, url = self._stack.enter_context(self._portal.wrap_async_context_manager(started))
        self.sandbox.sandbox.hosts[urlsplit(ROUTER).netloc] = url
        self._apps.append(HandoverApp(app, url, chosen, self._portal, self.clock, log))
        return self._apps[-1]

    def call_tool(
        self,
        path: str,
        conversation: Conversation | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        identity: str = "",
    ) -> Answer:
        """Call a tool of the router that was started last; see ``HandoverApp.call_tool``."""
        if not self._apps:
            raise LookupError("there is no router to call yet: start one first, handover_app(routes)")
        return self._apps[-1].call_tool(path, conversation, inputs, identity=identity)

    def _settings(self, home: Path, config: Path) -> dict[str, Any]:
        sandbox = self.sandbox.sandbox
        return {
            "account_sid": sandbox.account_sid,
            "auth_token": sandbox.auth_token,
            "twilio_url": sandbox.url,
            "public_url": ROUTER,
            "config": config,
            "plugins_dirs": (home / "plugins", config.parent / "plugins"),
            "admin_token": _SECRETS["HANDOVER_ADMIN_TOKEN"],
            "database_url": f"sqlite:///{home / 'handovers.db'}",
            "state": None,
            "poll": 0.0,
        }


@contextlib.contextmanager
def open_kit(directory: Path) -> Iterator[Kit]:
    """Open a kit that keeps its files in ``directory``, which is there; at the end all of it is stopped."""
    with start_blocking_portal() as portal, contextlib.ExitStack() as stack:
        yield Kit(directory, portal, stack)
