from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.model.flow import FlowRevision
from router.online import AT_ONCE, ask

PUBLISHED = FlowRevision("AC", is_published=True, is_valid=True, errors=(), starts={})
DRAFT = FlowRevision("AC", is_published=False, is_valid=True, errors=(), starts={})
REFUSED = TwilioRefused("newest_revision", "no", status=403)


@dataclass(slots=True)
class Studio:
    """Answers as it is told, by flow: the newest revision, and what is published under a draft."""

    newest: dict[str, FlowRevision | TwilioError | None] = field(default_factory=dict)
    published: dict[str, FlowRevision | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    pause: float = 0.0

    async def newest_revision(self, flow: str) -> FlowRevision | None:
        self.asked.append(flow)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.pause)
        self.at_once -= 1
        found = self.newest.get(flow, PUBLISHED)
        if isinstance(found, TwilioError):
            raise found
        return found

    async def published_revision(self, flow: str) -> FlowRevision | None:
        return self.published.get(flow)


def ignore(_done: int) -> None:
    """Tell nobody."""


@pytest.mark.parametrize(
    ("newest", "published", "expected"),
    [
        (PUBLISHED, None, PUBLISHED),
        (DRAFT, PUBLISHED, PUBLISHED),
        (DRAFT, None, DRAFT),
        (None, PUBLISHED, None),
        (TwilioUncertain("newest_revision", "?"), None, TwilioUncertain),
    ],
)
async def test_the_answer_is_what_customers_meet(
    newest: FlowRevision | TwilioError | None, published: FlowRevision | None, expected: object
) -> None:
    """The published revision, the draft where there is none, nothing where there is no flow; or why nobody knows."""
    answers = await ask(Studio({"a": newest}, {"a": published}), ["a"], tell=ignore)
    assert answers["a"] == expected or type(answers["a"]) is expected


async def test_many_are_asked_side_by_side_within_bounds() -> None:
    """No more than eight at a time, each once, answered in the order of the question, with the progress told."""
    studio = Studio(pause=0.01)
    told: list[int] = []
    flows = [f"{number}" for number in range(30)]
    answers = await ask(studio, [*flows, "3"], tell=told.append)
    assert studio.most == AT_ONCE
    assert sorted(studio.asked) == sorted(flows)
    assert list(answers) == flows
    assert told == list(range(1, 31))


async def test_no_flow_is_no_question() -> None:
    """Nothing is asked where nothing is named."""
    assert await ask(Studio(), [], tell=ignore) == {}


async def test_a_refusal_of_the_credentials_ends_it() -> None:
    """What was not asked about then gets no answer, and Twilio no further request."""
    studio = Studio({"0": REFUSED}, pause=0.01)
    answers = await ask(studio, [f"{number}" for number in range(100)], tell=ignore)
    assert answers["0"] is REFUSED
    assert len(studio.asked) == AT_ONCE
    assert isinstance(answers["99"], TwilioBusy)


async def test_another_refusal_concerns_its_flow_alone() -> None:
    """The others are asked about."""
    studio = Studio({"0": TwilioRefused("newest_revision", "no", status=400)})
    answers = await ask(studio, [f"{number}" for number in range(20)], tell=ignore)
    assert [answer for answer in answers.values() if answer is not PUBLISHED] == [studio.newest["0"]]


async def test_the_whole_has_a_time() -> None:
    """What is not answered by then is told as such; what was answered counts."""
    studio = Studio(pause=0.05)
    answers = await ask(studio, [f"{number}" for number in range(AT_ONCE * 3)], tell=ignore, patience=0.08)
    assert answers["0"] is PUBLISHED
    late = answers[f"{AT_ONCE * 3 - 1}"]
    assert isinstance(late, TwilioBusy)
    assert late.message == "there was no answer within 0.08 s"
