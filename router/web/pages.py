"""The endpoints that plugins bring along, below ``/plugins/NAME/``: those of the configuration in use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Router

from router.hooks.names import same_name

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from router.web.reload import Reloader

PLACE: Final = "/plugins/{plugin}"

LARGEST: Final = 1024 * 1024
"""Bytes of a body that a plugin may read; of a larger one nobody knows how large it gets."""

_OURS: Final = ("app", "router", "path_params")
"""What Starlette keeps of us in a request: a plugin has routes of its own, and nothing of ours."""


class PluginPages:
    """An ASGI app of whatever the plugins registered; they stay until their last request has ended."""

    def __init__(self, reloader: Reloader) -> None:
        self._reloader = reloader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the plugin's own routes answer: 404 where it has none, 500 without a detail where one breaks."""
        plugins, plugin = self._reloader.live.desk.plugins, same_name(scope["path_params"]["plugin"])
        with plugins.held():
            routes = plugins.endpoints.get(plugin, ())
            inner = {name: value for name, value in scope.items() if name not in _OURS}
            inner["app_root_path"] = scope["root_path"]
            has_begun = False

            async def note(message: Message) -> None:
                nonlocal has_begun
                has_begun = True
                await send(message)

            pages = partial(Router(routes, redirect_slashes=False), inner, _bounded(receive), note)
            if not routes:
                await pages()
            elif not await plugins.serve(plugin, pages) and not has_begun:
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)


def _bounded(receive: Receive) -> Receive:
    """Read at most LARGEST bytes; more raise HTTPException, which answers 413 and closes the connection."""
    left = LARGEST

    async def read() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, headers={"Connection": "close"})
        return message

    return read
