"""Names become addresses: once for all who ask, and never in a thread of others."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from router.twilio.wire.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator


class System:
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
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    found = Resolver()
    yield found
    found.close()


async def test_all_who_ask_at_once_have_one_answer(system: System, resolver: Resolver) -> None:
    """A crowd that connects asks once, and who comes soon after does not ask again."""
    system.gate.clear()
    crowd = [asyncio.create_task(resolver.look_up("a.example", 80)) for _ in range(5)]
    await asyncio.sleep(0)
    system.gate.set()
    found = [*await asyncio.gather(*crowd), await resolver.look_up("a.example", 80)]
    assert [[address[-1] for address in each] for each in found] == [[("127.0.0.1", 80)]] * 6
    assert system.asked == [b"a.example"]
    await resolver.look_up("a.example", 81)
    assert system.asked == [b"a.example"] * 2


async def test_an_answer_grows_old(system: System) -> None:
    """An address may change."""
    resolver = Resolver(fresh=-1)
    for _ in range(2):
        await resolver.look_up("a.example", 80)
    resolver.close()
    assert system.asked == [b"a.example"] * 2


async def test_a_failure_is_not_kept(system: System, resolver: Resolver) -> None:
    """The next one asks again."""
    system.is_down = True
    for _ in range(2):
        with pytest.raises(OSError, match="Temporary failure"):
            await resolver.look_up("a.example", 80)
    system.is_down = False
    assert len(await resolver.look_up("a.example", 80)) == 1


async def test_who_leaves_takes_nobody_along(system: System, resolver: Resolver) -> None:
    """The others wait on for the same look-up."""
    system.gate.clear()
    first, second = (asyncio.create_task(resolver.look_up("a.example", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    system.gate.set()
    assert len(await second) == 1
    assert (first.cancelled(), system.asked) == (True, [b"a.example"])


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", ("127.0.0.1", 80)), ("::1", ("::1", 80, 0, 0))])
async def test_an_address_needs_no_thread(system: System, resolver: Resolver, host: str, address: tuple[Any]) -> None:
    """It is its own answer."""
    assert [each[-1] for each in await resolver.look_up(host, 80)] == [address]
    assert system.asked == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "-"])
async def test_what_is_no_name_has_no_address(resolver: Resolver, host: str) -> None:
    """Whatever the form, the error is one of the network's."""
    with pytest.raises(OSError, match=r".+"):
        await resolver.look_up(host, 80)
