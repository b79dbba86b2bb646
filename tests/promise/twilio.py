"""Twilio in memory, in the loop's time: conversations, webhooks and executions.

It does what the sandbox does, as ``test_twins.py`` shows, only quicker, and whatever is done takes its time.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from router.errors import TwilioError, TwilioRefused, TwilioUncertain
from router.model.call import ConversationRef
from router.model.gateway import Message
from router.model.webhook import ROOM, ScopedWebhook, WebhookSpec
from tests.promise.place import Moment, Place, Run
from tests.promise.promises import OTHERS
from tests.promise.weather import LATEST, PATIENCE, REFUSALS, Trouble, Weather

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

Result = TypeVar("Result")

STUDIO: Final = "Studio"
"""Who a flow's messages are by."""


class Twilio:
    """The account. What clients ask goes through ``ask``; the rest happens of itself. All chance is ``chance``'s."""

    def __init__(self, chance: random.Random, now: Callable[[], datetime], note: Callable[[str], None]) -> None:
        self._chance = chance
        self._now = now
        self._note = note
        self.weather = Weather(chance)
        self.places: dict[str, Place] = {}
        self.under_way = 0
        self.requests = 0
        self._made = 0
        self._cause = ""

    def sid(self, prefix: str) -> str:
        """Make up a SID."""
        self._made += 1
        return f"{prefix}{self._made:032x}"

    def open(self, customer: str, agent_url: str, specs: Sequence[WebhookSpec], *, is_served: bool = False) -> Place:
        """Open a conversation with these webhooks in it."""
        ref = ConversationRef(service=self.sid("IS"), sid=self.sid("CH"))
        place = Place(ref, customer, agent_url, is_served)
        place.webhooks = [ScopedWebhook(self.sid("WH"), spec) for spec in specs]
        place.attributes = {"theirs": 1}
        self.places[ref.sid] = place
        self._changed(place, "opened", len(place.webhooks))
        return place

    async def ask(self, verb: str, work: Callable[[], Result]) -> Result:
        """Make one request: ``work`` is done at Twilio's, at its own time, whatever becomes of whoever asked."""
        self.requests += 1
        loop = asyncio.get_running_loop()
        trouble = self.weather.strike(verb)
        there, back = self._chance.uniform(0.01, 0.1), self._chance.uniform(0.01, 0.1)
        if trouble:
            self._note(f"{verb}: {trouble}")
        if trouble in REFUSALS:
            await asyncio.sleep(there + back)
            raise REFUSALS[trouble](verb)
        if trouble is Trouble.NEVER:
            await asyncio.sleep(PATIENCE)
            raise TwilioUncertain(verb, "no answer in time")
        if trouble is Trouble.LATE:
            there = PATIENCE + self._chance.choice((0.01, 0.5, 5.0, LATEST)) * self._chance.random()
        if trouble is Trouble.SLOW:
            back = self._chance.uniform(0.5, 1.5)
        answer: asyncio.Future[Result] = loop.create_future()
        self.under_way += 1
        suffix = f" (late by {there - PATIENCE:.2f} s)" if trouble is Trouble.LATE else ""
        loop.call_later(there, self._work, f"{verb}{suffix}", work, answer)
        if trouble is Trouble.LATE:
            await asyncio.sleep(PATIENCE)
            raise TwilioUncertain(verb, "no answer in time")
        await asyncio.sleep(there + back)
        if trouble is Trouble.LOST:
            raise TwilioUncertain(verb, "the answer was lost")
        return await answer

    def _work(self, verb: str, work: Callable[[], Result], answer: asyncio.Future[Result]) -> None:
        self.under_way -= 1
        self._cause = verb
        try:
            answer.set_result(work())
        except TwilioError as error:
            answer.set_exception(error)
            answer.exception()  # nobody may be left to ask

    def show(self, place: Place) -> Sequence[ScopedWebhook]:
        return tuple(place.webhooks)

    def newest(self, place: Place) -> Message | None:
        if not place.authors:
            return None
        author = place.authors[-1]
        return Message(len(place.authors) - 1, author, "MB1" if author == place.customer else "")

    def create(self, place: Place, spec: WebhookSpec, replay_after: int | None = None) -> ScopedWebhook:
        """Attach; what is replayed starts a run at once, which has the conversation for its address."""
        _check_open(place)
        if len(place.webhooks) >= ROOM:
            raise TwilioRefused("create_webhook", "no room", status=400, code=50361)
        made = ScopedWebhook(self.sid("WH"), spec)
        self._put(place, made, self._cause)
        if replay_after is not None and made.is_studio:
            for author in place.authors[replay_after:]:
                if author == place.customer:
                    self._deliver(place, made, place.ref.sid)
        return made

    def redirect(self, place: Place, sid: str, flow: str) -> ScopedWebhook:
        at = _find(place, sid)
        made = replace(place.webhooks[at], spec=WebhookSpec.studio(flow))
        place.webhooks[at] = made
        self._changed(place, self._cause, len(place.webhooks))
        return made

    def delete(self, place: Place, sid: str) -> None:
        at = _find(place, sid)
        del place.webhooks[at]
        self._changed(place, self._cause, len(place.webhooks) + 1)

    def begin(self, place: Place) -> dict[str, str]:
        """Begin the target ``people``."""
        _check_open(place)
        place.begun.append(self.sid("KD"))
        self._changed(place, self._cause, len(place.webhooks))
        return {"sid": place.begun[-1]}

    def stop(self, place: Place, sid: str) -> None:
        """Stop it; that it is over already is success."""
        if sid in place.begun:
            place.begun.remove(sid)
            self._changed(place, self._cause, len(place.webhooks))

    def write(self, place: Place, attributes: Mapping[str, Any]) -> None:
        _check_open(place)
        place.attributes = dict(attributes)

    def say(self, place: Place) -> None:
        """The customer says something."""
        place.authors.append(place.customer)
        for webhook in [webhook for webhook in place.webhooks if webhook.is_studio]:
            self._deliver(place, webhook, place.customer)

    def close(self, place: Place) -> None:
        """Close a conversation for good: whoever writes to it is refused."""
        place.is_closed = True
        self._note(f"{place.ref.sid[-2:]} is closed")

    def come(self, place: Place, spec: WebhookSpec) -> None:
        """Somebody else attaches a webhook, where there is room."""
        if len(place.webhooks) < ROOM:
            self._put(place, ScopedWebhook(self.sid("WH"), spec), OTHERS)

    def go(self, place: Place, webhook: ScopedWebhook) -> None:
        """Somebody else removes a webhook."""
        place.webhooks.remove(webhook)
        self._changed(place, OTHERS, len(place.webhooks) + 1)

    def end(self, place: Place, run: Run, cause: str = "Studio's removal") -> None:
        """A run ends: Studio removes its webhook; where it is gone, it is put back, at once or a little later."""
        if not run.is_active:
            return
        run.is_active = False
        self._note(f"{place.ref.sid[-2:]} run {run.sid[-2:]} of {run.flow[-2:]} ends")
        there = next((webhook for webhook in place.webhooks if webhook.sid == run.webhook.sid), None)
        if there is None:
            self.under_way += 1
            delay = self._chance.choice((0.0, 0.5, 5.0)) * self._chance.random()
            asyncio.get_running_loop().call_later(delay, self._put_back, place, run)
        elif there.spec.flow == run.flow:
            place.webhooks.remove(there)
            self._changed(place, cause, len(place.webhooks) + 1)

    def _put_back(self, place: Place, run: Run) -> None:
        self.under_way -= 1
        if len(place.webhooks) < ROOM:
            self._put(place, ScopedWebhook(self.sid("WH"), run.webhook.spec), "Studio's put-back")

    def _deliver(self, place: Place, webhook: ScopedWebhook, address: str) -> None:
        """Bring a message to a flow, which says something to it."""
        flow = webhook.spec.flow
        if not any(run.is_active and run.flow == flow for run in place.runs):
            place.runs.append(Run(self.sid("FN"), flow, address, webhook, self._now()))
        place.authors.append(STUDIO)

    def _put(self, place: Place, webhook: ScopedWebhook, cause: str) -> None:
        place.webhooks.append(webhook)
        self._changed(place, cause, len(place.webhooks) - 1)

    def _changed(self, place: Place, cause: str, places: int) -> None:
        at = asyncio.get_running_loop().time()
        moment = Moment(at, place.agents, place.studios, places, cause)
        place.history.append(moment)
        flows = ",".join(flow[-2:] for flow in place.studios)
        self._note(f"{place.ref.sid[-2:]} has {place.agents} agents, flows [{flows}] by {cause}")


def _check_open(place: Place) -> None:
    if place.is_closed:
        raise TwilioRefused("write", "closed", status=400, code=50377)


def _find(place: Place, sid: str) -> int:
    _check_open(place)
    at = place.at(sid)
    if at is None:
        raise TwilioRefused("webhook", "not found", status=404, code=50360)
    return at
