"""Runs the tests of ``routes.yaml``: the real resolution, the real swap and the real plugins, on a stage in memory."""

from __future__ import annotations

import io
import json
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from router.callers.assistants import read_call
from router.callers.request import Request
from router.clock import Clock
from router.desk import Desk
from router.errors import BadRequest
from router.handover import hand_over
from router.hooks.host import DEADLINE
from router.hooks.registry import Registry
from router.ledger.memory import MemoryLedger
from router.log import new_log
from router.rehearsal.cast import Cast
from router.rehearsal.coverage import all_routes, unreached
from router.rehearsal.results import Failure, Report, Result
from router.rehearsal.stage import CONVERSATION, set_up
from router.rehearsal.verdict import Verdict, masked
from router.swap.background import Background

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from router.hooks.discovery import FoundPlugin
    from router.model.call import ToolCall
    from router.model.route_test import MadeUpCall, RouteTest
    from router.model.routes import Routes

HANDOVER_ID: Final = "HO" + "0" * 32
"""The id of every handover in a test, so that it can be expected."""

_ALL_USABLE: Final[Mapping[str, str]] = MappingProxyType({})


async def run_tests(
    routes: Routes,
    plugins: Iterable[FoundPlugin],
    tests: Iterable[RouteTest],
    *,
    unusable: Mapping[str, str] = _ALL_USABLE,
    deadline: float = DEADLINE,
) -> Report:
    """Run ``tests`` one after the other, each on a stage of its own; raises nothing that a file or a plugin can cause.

    ``plugins`` are those that are switched on; whoever calls has started them, and says by ``unusable`` which could not
    be, and why. A call of a plugin may take ``deadline`` seconds.
    """
    rehearsal = _Rehearsal(routes, Registry.of(plugins), dict(unusable), deadline)
    results = tuple([await rehearsal.play(test) for test in tests])
    answers = (result.answer for result in results if result.answer)
    return Report(results, unreached(routes, answers), sum(1 for _route in all_routes(routes)))


class _Rehearsal:
    """What the tests of one run share."""

    def __init__(self, routes: Routes, registry: Registry, unusable: dict[str, str], deadline: float) -> None:
        self._routes = routes
        self._registry = registry
        self._unusable = unusable
        self._deadline = deadline
        self._log = new_log(io.StringIO())

    async def play(self, test: RouteTest) -> Result:
        """Play one test."""
        started = time.perf_counter()
        try:
            call = read_call(request_of(test.call))
        except BadRequest as error:
            failure = Failure(test.place, f"the call cannot be read: {error}")
            return Result(test, None, (failure,), time.perf_counter() - started)
        return await self._make(call, test, started)

    async def _make(self, call: ToolCall, test: RouteTest, started: float) -> Result:
        faults: list[BaseException] = []
        cast = Cast(self._registry, test.plugin_faults, self._unusable, faults.append, deadline=self._deadline)
        stage = set_up(call.conversation or CONVERSATION, call.identity, self._routes.agent_webhooks)
        clock = Clock(now=lambda: test.at)
        desk = Desk(
            routes=self._routes,
            plugins=cast,
            gateway=stage,
            ledger=MemoryLedger(clock),
            background=Background(faults.append),
            log=self._log,
            clock=clock,
            new_id=lambda: HANDOVER_ID,
            is_rehearsing=True,
        )
        answer = await hand_over(call, desk)
        await desk.background.drain(desk.deadline)
        verdict = Verdict(answer, stage.attributes, self._routes, call.identity, cast.declined_by)
        failures = [Failure(test.place, masked(str(fault), call.identity)) for fault in faults]
        if not cast.is_broken_off:  # else each expectation would only tell the same fault anew
            failures += verdict.failures(test.expectations)
        return Result(test, answer, tuple(failures), time.perf_counter() - started, cast.declined_by)


def request_of(call: MadeUpCall) -> Request:
    """Write the call as the agent would send it, for the reader of real calls."""
    session = call.session or f"webhook:conversations__{CONVERSATION.service}/{CONVERSATION.sid}"
    headers = {"content-type": "application/json", "x-session-id": session, "x-identity": call.identity}
    headers |= {name.lower(): value for name, value in call.headers.items()}
    return Request(
        method=call.method,
        path=call.tool,
        raw_path=call.tool,
        raw_query=urlencode(call.query, errors="surrogatepass"),
        headers={name: [value] for name, value in headers.items()},
        body=json.dumps(call.body).encode(),
    )
