"""Names become addresses: once for all who ask, and never in a thread of others."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from router.twilio.wire.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterator


class Resolver:
    """Takes note of the names that are looked up, and holds them up while ``gate`` is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[bytes] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_down = False
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: Any, port: Any, **how: Any) -> Any:
        if how["flags"] & socket.AI_NUMERICHOST:
            return self._look_up(host, port, **how)
        self.asked.append(host)
        self.gate.wait(5)
        if self.is_down:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._look_up("127.0.0.1", port, type=how["type"])


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    return Resolver(monkeypatch)


@pytest.fixture
def names() -> Iterator[Names]:
    found = Names()
    yield found
    found.close()


async def test_all_who_ask_at_once_have_one_answer(resolver: Resolver, names: Names) -> None:
    """A crowd that connects asks once, and who comes soon after does not ask again."""
    resolver.gate.clear()
    crowd = [asyncio.create_task(names.look_up("a.example", 80)) for _ in range(5)]
    await asyncio.sleep(0)
    resolver.gate.set()
    found = [*await asyncio.gather(*crowd), await names.look_up("a.example", 80)]
    assert [[address[-1] for address in each] for each in found] == [[("127.0.0.1", 80)]] * 6
    assert resolver.asked == [b"a.example"]
    await names.look_up("a.example", 81)
    assert resolver.asked == [b"a.example"] * 2


async def test_an_answer_grows_old(resolver: Resolver) -> None:
    """An address may change."""
    names = Names(fresh=-1)
    for _ in range(2):
        await names.look_up("a.example", 80)
    names.close()
    assert resolver.asked == [b"a.example"] * 2


async def test_a_failure_is_not_kept(resolver: Resolver, names: Names) -> None:
    """The next one asks again."""
    resolver.is_down = True
    for _ in range(2):
        with pytest.raises(OSError, match="Temporary failure"):
            await names.look_up("a.example", 80)
    resolver.is_down = False
    assert len(await names.look_up("a.example", 80)) == 1


async def test_who_leaves_takes_nobody_along(resolver: Resolver, names: Names) -> None:
    """The others wait on for the same look-up."""
    resolver.gate.clear()
    first, second = (asyncio.create_task(names.look_up("a.example", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    resolver.gate.set()
    assert len(await second) == 1
    assert (first.cancelled(), resolver.asked) == (True, [b"a.example"])


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", ("127.0.0.1", 80)), ("::1", ("::1", 80, 0, 0))])
async def test_an_address_needs_no_thread(resolver: Resolver, names: Names, host: str, address: tuple[Any]) -> None:
    """It is its own answer."""
    assert [each[-1] for each in await names.look_up(host, 80)] == [address]
    assert resolver.asked == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "-"])
async def test_what_is_no_name_has_no_address(names: Names, host: str) -> None:
    """Whatever the form, the error is one of the network's."""
    with pytest.raises(OSError, match=r".+"):
        await names.look_up(host, 80)
