"""A client of the Twilio in memory, with the very repeats of the real gateway."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from router.errors import TwilioError, TwilioRefused, TwilioUncertain
from router.model.execution import Execution
from router.model.twilio import NOTHING
from router.twilio.retry import pause_before_repeat

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from router.clock import Clock
    from router.model.call import ConversationRef
    from router.model.gateway import Message
    from router.model.twilio import Fields
    from router.model.webhook import ScopedWebhook, WebhookSpec
    from tests.promise.place import Place, Run
    from tests.promise.twilio import Twilio

Result = TypeVar("Result")


class Client:
    """``Gateway`` and ``Executions`` over ``Twilio``.

    ``ask`` makes a request; whoever wraps it may let a process die meanwhile.
    """

    def __init__(
        self, twilio: Twilio, clock: Clock, ask: Callable[[Awaitable[Any]], Awaitable[Any]], chance: random.Random
    ) -> None:
        self._twilio = twilio
        self._clock = clock
        self._ask = ask
        self._chance = chance

    async def list_webhooks(self, conversation: ConversationRef) -> Sequence[ScopedWebhook]:
        place = self._place(conversation)
        return await self._repeat("list_webhooks", lambda: self._twilio.show(place))

    async def create_webhook(
        self, conversation: ConversationRef, spec: WebhookSpec, replay_after: int | None = None
    ) -> ScopedWebhook:
        place = self._place(conversation)
        return await self._repeat(
            "create_webhook", lambda: self._twilio.create(place, spec, replay_after), is_safe=False
        )

    async def redirect_webhook(self, conversation: ConversationRef, sid: str, flow: str) -> ScopedWebhook:
        place = self._place(conversation)
        return await self._repeat("redirect_webhook", lambda: self._twilio.redirect(place, sid, flow), is_safe=False)

    async def delete_webhook(self, conversation: ConversationRef, sid: str) -> None:
        place = self._place(conversation)
        try:
            await self._repeat("delete_webhook", lambda: self._twilio.delete(place, sid))
        except TwilioRefused as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def newest_message(self, conversation: ConversationRef) -> Message | None:
        place = self._place(conversation)
        return await self._repeat("newest_message", lambda: self._twilio.newest(place))

    async def fetch_attributes(self, conversation: ConversationRef) -> Mapping[str, Any]:
        place = self._place(conversation)
        return await self._repeat("fetch_attributes", lambda: dict(place.attributes))

    async def change_attributes(
        self,
        conversation: ConversationRef,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        read: Mapping[str, Any] | None = None,
    ) -> None:
        place = self._place(conversation)
        known = read

        async def write() -> None:
            nonlocal known
            now, known = known, None
            if now is None:
                now = await self._ask(self._twilio.ask("fetch_attributes", lambda: dict(place.attributes)))
            changed = change(now)
            await self._ask(self._twilio.ask("change_attributes", lambda: self._twilio.write(place, changed)))

        await self._repeating(write, is_safe=True)

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Ask for the target ``people``: nothing else is there."""
        assert form == query == NOTHING
        conversation, _, sid = url.removeprefix("https://people.twilio.com/").partition("/")
        place = self._twilio.places[conversation]
        if method == "POST":
            return await self._repeat("begin", lambda: self._twilio.begin(place), is_safe=False)
        if method == "DELETE":
            return await self._repeat("stop", lambda: self._twilio.stop(place, sid))
        return await self._repeat("find", lambda: {"sids": [*place.begun]})

    async def fetch_execution(self, flow: str, sid: str) -> Execution | None:
        def work() -> Execution | None:
            found = self._run(flow, sid)
            return _shown(found[1]) if found else None

        return await self._repeat("fetch_execution", work)

    async def active_executions(self, flow: str, since: datetime) -> Sequence[Execution]:
        def work() -> Sequence[Execution]:
            runs = [run for place in self._twilio.places.values() for run in place.active if run.flow == flow]
            begin = since.replace(microsecond=0)  # so precise the question is
            found = [run for run in runs if run.began >= begin]
            return [_shown(run) for run in sorted(found, key=lambda run: run.sid, reverse=True)]

        return await self._repeat("active_executions", work)

    async def end_execution(self, flow: str, sid: str) -> None:
        def work() -> None:
            if found := self._run(flow, sid):
                self._twilio.end(*found)

        await self._repeat("end_execution", work)

    def _place(self, conversation: ConversationRef) -> Place:
        return self._twilio.places[conversation.sid]

    def _run(self, flow: str, sid: str) -> tuple[Place, Run] | None:
        for place in self._twilio.places.values():
            for run in place.runs:
                if (run.sid, run.flow) == (sid, flow):
                    return place, run
        return None

    async def _repeat(self, verb: str, work: Callable[[], Result], *, is_safe: bool = True) -> Result:
        return await self._repeating(lambda: self._ask(self._twilio.ask(verb, work)), is_safe=is_safe)

    async def _repeating(self, request: Callable[[], Awaitable[Result]], *, is_safe: bool) -> Result:
        attempt, doubt = 0, None
        while True:
            attempt += 1
            try:
                return await request()
            except TwilioError as error:
                if isinstance(error, TwilioUncertain):
                    doubt = error
                pause = pause_before_repeat(error, attempt, is_safe_to_repeat=is_safe, chance=self._chance.random())
                if pause is None:
                    if doubt and error.status != HTTPStatus.NOT_FOUND:
                        raise doubt from error
                    raise
            await self._clock.sleep(pause)


def _shown(run: Run) -> Execution:
    return Execution(run.sid, run.flow, run.address, run.is_active)
