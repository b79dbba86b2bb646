"""A plugin's target as the router asks it: what it answers, raises, or lets wait for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from tests.hooks.kit import HANDOVER, TWILIO, bench, use

if TYPE_CHECKING:
    from pathlib import Path

    from router.model.target import Target
    from tests.hooks.kit import Bench

PLUGIN = """
import router
from router.errors import TwilioBusy, TwilioUncertain

class Mute(TwilioBusy):
    def __str__(self):
        sys.exit(7)

class Desk(router.Target):
    async def start(self, handover, twilio):
        {start}
    async def find(self, reference, handover, twilio):
        {find}
    async def stop(self, reference, handover, twilio):
        {stop}

@hookimpl
def register_targets():
    return {{"desk": Desk()}}
"""


def registered(tmp_path: Path, **bodies: str) -> tuple[Bench, Target]:
    """Write a plugin with one target, and register it."""
    source = PLUGIN.format(**{"start": "return 'R1'", "find": "return reference", "stop": "return None"} | bodies)
    made = bench(tmp_path, front=source)
    found, failures = made.host.targets((use("front"),))
    assert not failures
    assert [(name, plugin) for name, (plugin, _target) in found.items()] == [("desk", "front")]
    return made, made.host.registered["desk"]


async def test_what_it_answers_is_passed_on(tmp_path: Path) -> None:
    """A reference, nothing where nothing goes on, and nothing for a stop; each call is counted."""
    made, target = registered(tmp_path)
    assert await target.start(HANDOVER, TWILIO) == "R1"
    assert await target.find("R1", HANDOVER, TWILIO) == "R1"
    await target.stop("R1", HANDOVER, TWILIO)
    assert made.host.figures["front", "register_targets"].calls == 4
    assert await registered(tmp_path, find="return None")[1].find("", HANDOVER, TWILIO) is None


async def test_a_plain_function_answers_too(tmp_path: Path) -> None:
    """A target need not be asynchronous where it has nothing to wait for."""
    source = PLUGIN.replace("async def", "def").format(start="return 'R1'", find="return None", stop="return None")
    made = bench(tmp_path, front=source)
    made.host.targets((use("front"),))
    assert await made.host.registered["desk"].start(HANDOVER, TWILIO) == "R1"


@pytest.mark.parametrize(
    ("verb", "body", "kind", "reason"),
    [
        ("start", "raise RuntimeError('boom')", TwilioUncertain, "RuntimeError: boom (line"),
        ("start", "sys.exit(1)", TwilioUncertain, "SystemExit: 1"),
        ("start", "return ''", TwilioUncertain, "returned str, expected a reference"),
        ("start", "return 17", TwilioUncertain, "returned int, expected a reference"),
        ("start", "return 'x' * 201", TwilioUncertain, "expected a reference: 1 to 200"),
        ("find", "raise RuntimeError('boom')", TwilioBusy, "RuntimeError: boom"),
        ("find", "return 17", TwilioBusy, "returned int, expected a reference"),
        ("stop", "raise RuntimeError('boom')", TwilioUncertain, "RuntimeError: boom"),
        ("stop", "return 1", TwilioUncertain, "returned int, but nobody reads what it returns"),
    ],
)
async def test_a_failure_is_told_and_decides_nothing(
    tmp_path: Path, verb: str, body: str, kind: type[TwilioError], reason: str
) -> None:
    """After a crash, or a wrong answer, nobody knows what came of a start or a stop; a find is asked again later."""
    made, target = registered(tmp_path, **{verb: body})
    arguments = (HANDOVER, TWILIO) if verb == "start" else ("R1", HANDOVER, TWILIO)
    with pytest.raises(kind) as failed:
        await getattr(target, verb)(*arguments)
    assert type(failed.value) is kind
    assert str(failed.value).startswith(f"{verb}: the target 'desk' of the plugin 'front': ")
    assert reason in str(failed.value)
    assert [report.handover for report in made.reports] == [HANDOVER.id]


async def test_one_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ten seconds; what came of a start is not known then."""
    monkeypatch.setattr("router.hooks.life.PATIENCE", 0.05)
    _made, target = registered(tmp_path, start="await asyncio.sleep(60)")
    with pytest.raises(TwilioUncertain, match="no answer within"):
        await target.start(HANDOVER, TWILIO)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("raise router.TwilioRefused('start', 'no number +15550100', status=404, code=20404)", TwilioRefused),
        ("raise TwilioBusy('plugin', 'later', status=429, code=20429)", TwilioBusy),
        ("raise TwilioUncertain('plugin', 'lost')", TwilioUncertain),
        ("raise Mute('plugin', 'later')", TwilioBusy),
        ("raise router.TwilioError('plugin', 'whatever that is')", TwilioUncertain),
    ],
)
async def test_what_twilio_said_stays_what_it_is(tmp_path: Path, body: str, kind: type[TwilioError]) -> None:
    """A refusal is one, but its code says nothing of the conversation, and no address gets out; it is no failure."""
    made, target = registered(tmp_path, start=body)
    with pytest.raises(kind) as told:
        await target.start(HANDOVER, TWILIO)
    assert (type(told.value), told.value.code, told.value.status) == (kind, 0, 0)
    assert "+15550100" not in str(told.value)
    assert not made.reports


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("{'desk': 1}", "returned int for 'desk', expected an object whose class is a router.Target"),
        ("{'a:b': Desk()}", "returned a target whose name is no name of a flow: 'a:b'"),
        ("{'FW' + '0' * 32: Desk()}", "returned a target whose name is no name of a flow"),
        ("{'desk': Wrong()}", "returned a target 'desk' whose flow is 'FW1', no Flow SID"),
    ],
)
def test_what_is_no_target_is_a_failure(tmp_path: Path, answer: str, reason: str) -> None:
    """A name must be one that a flow could have, and a target a Target; what starts a flow names its SID."""
    source = PLUGIN.format(start="return ''", find="return None", stop="return None")
    source = source.replace("@hookimpl", "class Wrong(Desk):\n    flow = 'FW1'\n\n@hookimpl")
    made = bench(tmp_path, front=source.replace('{"desk": Desk()}', answer))
    found, (failure,) = made.host.targets((use("front"),))
    assert (found, made.host.registered) == ({}, {})
    assert reason in failure.reason
