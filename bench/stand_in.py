"""The stand-in for Twilio under load: scoped webhooks of conversations and nothing else, after a set delay.

The sandbox plays all of Twilio and costs more than the router does; what is measured here is the router. A conversation
exists as soon as it is asked about, with the agent's webhook. Tests hold the answers to Twilio's description.

Run as ``python -m bench.stand_in --port P --delay SECONDS``. ``/figures`` tells what it has seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qs

import uvloop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AGENT: Final = "https://bench.twil.io/channels/conversations/messageAdded"
ACCOUNT: Final = "AC" + "0" * 32
TOKEN: Final = "of-the-benchmark"
SERVICE: Final = "IS" + "0" * 32

MOST: Final = 50_000
"""So many conversations are remembered: a soak has more of them, and none comes back."""

_PATH: Final = re.compile(rb"/v1/Services/(IS\w{32})/Conversations/(CH\w{32})/Webhooks(?:/(WH\w{32}))?(?:\?.*)?")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
FIGURES: Final = b"/figures"
_WHEN: Final = "2026-11-27T12:00:00Z"


@dataclass(slots=True)
class Seen:
    """What was asked: requests by method, connections that were opened and that are open, and the most at a time.

    The connections of those who ask for these figures do not count.
    """

    requests: dict[str, int] = field(default_factory=lambda: {"GET": 0, "POST": 0, "DELETE": 0})
    opened: int = 0
    open: int = 0
    most: int = 0

    def told(self) -> bytes:
        """Write it as JSON."""
        return json.dumps({**self.requests, "opened": self.opened, "open": self.open, "most": self.most}).encode()


class Twilio:
    """The webhooks of each conversation, as the JSON that shows them."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._there: OrderedDict[bytes, dict[bytes, bytes]] = OrderedDict()
        self._number = 0

    def answer(self, method: bytes, target: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Answer one request: the status line's end, and the body."""
        if target == FIGURES:
            return b"200 OK", self.seen.told()
        match = _PATH.fullmatch(target)
        if match is None:
            return b"404 Not Found", b'{"code": 20404, "message": "not found", "status": 404}'
        service, conversation, sid = match.groups()
        self.seen.requests[method.decode()] += 1
        webhooks = self._webhooks(service, conversation)
        if method == b"GET":
            return b"200 OK", self._page(service, conversation, webhooks)
        if method == b"DELETE":
            webhooks.pop(sid, None)
            return b"204 No Content", b""
        given = {name: value[-1] for name, value in parse_qs(body.decode()).items()}
        made = self._make(service, conversation, given["Target"], _configuration(given, body.decode()))
        webhooks[made[0]] = made[1]
        return b"201 Created", made[1]

    def _webhooks(self, service: bytes, conversation: bytes) -> dict[bytes, bytes]:
        found = self._there.get(conversation)
        if found is None:
            agent = {"url": AGENT, "method": "POST", "filters": ["onMessageAdded"]}
            found = self._there[conversation] = dict([self._make(service, conversation, "webhook", agent)])
            if len(self._there) > MOST:
                self._there.popitem(last=False)
        return found

    def _make(
        self, service: bytes, conversation: bytes, target: str, configuration: Mapping[str, object]
    ) -> tuple[bytes, bytes]:
        self._number += 1
        sid = f"WH{self._number:032x}"
        shown = {
            "sid": sid,
            "account_sid": ACCOUNT,
            "chat_service_sid": service.decode(),
            "conversation_sid": conversation.decode(),
            "target": target,
            "configuration": configuration,
            "date_created": _WHEN,
            "date_updated": _WHEN,
            "url": f"{_base(service, conversation)}/{sid}",
        }
        return sid.encode(), json.dumps(shown).encode()

    def _page(self, service: bytes, conversation: bytes, webhooks: dict[bytes, bytes]) -> bytes:
        url = f"{_base(service, conversation)}?PageSize=50&Page=0"
        meta = {
            "page": 0,
            "page_size": 50,
            "first_page_url": url,
            "previous_page_url": None,
            "url": url,
            "next_page_url": None,
            "key": "webhooks",
        }
        return b'{"meta": %b, "webhooks": [%b]}' % (json.dumps(meta).encode(), b", ".join(webhooks.values()))


class Connection(asyncio.Protocol):
    """One client: its requests are answered in their order, each ``delay`` seconds after it came."""

    def __init__(self, twilio: Twilio, delay: float) -> None:
        self._twilio = twilio
        self._delay = delay
        self._received = b""
        self._is_counted = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take requests from now on."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Count it no more."""
        self._twilio.seen.open -= self._is_counted

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = int(found[1]) if (found := _LENGTH.search(head)) else 0
            whole = end + 4 + length
            if len(self._received) < whole:
                return
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            method, target, _ = head.partition(b"\r\n")[0].split(b" ")
            self._count(target)
            status, shown = self._twilio.answer(method, target, body)
            answer = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nTwilio-Request-Id: RQ%032x\r\n" % (status, 1)
            self._write(answer + b"Content-Length: %d\r\n\r\n%b" % (len(shown), shown))

    def _count(self, target: bytes) -> None:
        if not self._is_counted and target != FIGURES:
            self._is_counted, seen = True, self._twilio.seen
            seen.opened, seen.open = seen.opened + 1, seen.open + 1
            seen.most = max(seen.most, seen.open)

    def _write(self, answer: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _base(service: bytes, conversation: bytes) -> str:
    path = f"/v1/Services/{service.decode()}/Conversations/{conversation.decode()}/Webhooks"
    return f"https://conversations.twilio.com{path}"


def _configuration(given: Mapping[str, str], body: str) -> Mapping[str, object]:
    filters = parse_qs(body).get("Configuration.Filters", [])
    if given["Target"] == "studio":
        return {"flow_sid": given["Configuration.FlowSid"], "filters": filters}
    return {"url": given["Configuration.Url"], "method": given["Configuration.Method"].upper(), "filters": filters}


async def serve(port: int, delay: float) -> None:
    """Serve until the process ends."""
    twilio = Twilio()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(twilio, delay), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.stand_in", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    given = parser.parse_args(arguments)
    uvloop.run(serve(given.port, given.delay))


if __name__ == "__main__":
    main()
