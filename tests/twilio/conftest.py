from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from router.clock import Clock
from router.model.call import ConversationRef
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.twilio.stub import AC, CH, IS, Stub, serving_stub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.twilio.transport import RequestRecord

NOW = datetime(2026, 10, 5, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's own environment says of proxies is not part of a test."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving_stub() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def clock(pauses: list[float]) -> Clock:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    return Clock(now=lambda: NOW, monotonic=time.monotonic, sleep=sleep)


@pytest.fixture
def records() -> list[RequestRecord]:
    return []


@pytest.fixture
def where() -> ConversationRef:
    return ConversationRef(service=IS, sid=CH)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(AC, auth_token="token-secret")


@pytest.fixture
async def gateway(
    stub: Stub, clock: Clock, records: list[RequestRecord], credentials: Credentials
) -> AsyncIterator[TwilioGateway]:
    async with TwilioGateway(
        credentials, base_url=stub.url, clock=clock, chance=lambda: 0.5, on_request=records.append
    ) as opened:
        yield opened
