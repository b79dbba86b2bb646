from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from router.config import load
from router.model.outcome import Outcome
from tests.rehearsal.kit import BILLING, REFUNDS, loaded, messages, one_test, rehearse, write

if TYPE_CHECKING:
    from pathlib import Path

REFUND = "{tool: /tools/support, body: {intent: refund}}"
CUSTOMER = "{tool: /tools/support, body: {intent: refund}, identity: 'whatsapp:+15550100'}"
OPENING_HOURS = """
@hookimpl
def before_swap(handover):
    if not 9 <= handover.at.hour < 17:
        raise Decline(f"We are closed at {handover.at:%H:%M}.")
"""
POLITE = """
@hookimpl
def before_swap(handover):
    return handover.replace(message=handover.message + " Please.")
"""
BROKEN = """
@hookimpl
def before_swap(handover):
    raise RuntimeError("no database at " + handover.identity)
"""
HANGING = """
@hookimpl
async def before_swap(handover):
    await asyncio.Event().wait()
"""
NOTES = """
@hookimpl
def add_attributes(handover):
    return {"ours": {"id": handover.id, "intent": handover.intent, "list": [1, True], "from": handover.identity}}
"""


@pytest.mark.parametrize(
    ("call", "expect"),
    [
        (REFUND, "{outcome: handed_over, flow: refunds, says: refunds desk}"),
        ("{tool: /tools/support, body: {intent: Charge-Back}}", f"{{outcome: handed_over, flow: {REFUNDS}}}"),
        ("{tool: /tools/support, body: {intent: sue}}", "{outcome: unknown_intent, says: 'refund, billing'}"),
        ("{tool: /tools/support}", "{outcome: unknown_intent}"),
        ("{tool: /tools/support, method: GET, query: {intent: billing}}", "{flow: billing}"),
        (f"{{tool: /tools/recipe, query: {{FlowSid: {BILLING}, successMessage: 'A & ü'}}}}", "{says: 'A & ü'}"),
        (f"{{tool: /tools/recipe, body: {{flowSid: {BILLING}}}}}", "{flow: refunds}"),
        ("{tool: /tools/recipe, query: {flowSid: FW9}}", "{outcome: declined}"),
        ("{tool: /tools/dry}", "{outcome: dry_run, flow: refunds, attributes: {}}"),
        ("{tool: /tools/recipe, session: 'voice:CA1/1'}", "{outcome: not_a_conversation}"),
        (f"{{tool: /tools/recipe, session: 'conversations__IS{'a' * 32}/CH{'b' * 32}'}}", "{outcome: handed_over}"),
        ("{tool: /tools/recipe, headers: {X-Session-Id: nowhere}}", "{outcome: not_a_conversation}"),
        (CUSTOMER, "{says: 'takes over, whatsapp:+15550100.'}"),
    ],
)
async def test_a_call_takes_the_real_way(tmp_path: Path, call: str, expect: str) -> None:
    """Intents, aliases, queries, sessions and dry runs come out as the server would have them."""
    report = await rehearse(loaded(tmp_path, one_test(call, expect)))
    assert messages(report) == []
    assert len(report.results) == 1


@pytest.mark.parametrize(
    ("call", "expect", "told"),
    [
        (REFUND, "{says: billing desk}", "expected says 'billing desk', got 'The refunds desk takes over, .'"),
        (REFUND, "{flow: billing}", "expected flow 'billing', got 'refunds'"),
        (REFUND, f"{{flow: {BILLING}}}", f"expected flow '{BILLING}', got 'refunds'"),
        ("{tool: /tools/support}", "{flow: billing}", "expected flow 'billing', got none"),
        (
            REFUND,
            "{outcome: dry_run}",
            "expected outcome 'dry_run', got 'handed_over': 'The refunds desk takes over, .'",
        ),
        (
            "{tool: /tools/recipe, query: {flowSid: FW9}}",
            "{outcome: handed_over}",
            "expected outcome 'handed_over', got 'declined': flowSid of the URL, which is no Flow SID, is not in",
        ),
        (
            CUSTOMER,
            "{says: 'to whatsapp:+15550100'}",
            "expected says 'to whatsapp:+1…00', got 'The refunds desk takes over, whatsapp:+1…00.'",
        ),
        (
            "{tool: /tools/support, body: {intent: refund}, identity: 'user_id:an'}",
            "{says: 'an', outcome: dry_run}",
            "expected outcome 'dry_run', got 'handed_over': 'The refunds desk takes over, user_id:….'",
        ),
        (
            "{tool: /tools/recipe, query: {successMessage: '${env:NO_TEXT}'}}",
            "{outcome: handed_over}",
            "the call cannot be read: the query cannot be read: expected percent-encoded UTF-8",
        ),
    ],
)
async def test_what_was_got_is_told(tmp_path: Path, call: str, expect: str, told: str) -> None:
    """A failure says what was expected and what was got instead, and why where that is known; addresses are masked."""
    (message,) = messages(await rehearse(loaded(tmp_path, one_test(call, expect))))
    assert message.startswith(told)


async def test_each_failure_has_its_place(tmp_path: Path) -> None:
    """Every expectation that does not hold is told at its own line and column, also deep within attributes."""
    section = """
    tests:
      - name: three mistakes
        call: {tool: /tools/support, body: {intent: refund}}
        expect:
          outcome: declined
          flow: refunds
          attributes:
            ours:
              id: HO00000000000000000000000000000000
              intent: billing
            theirs: {}
          says: bye
    """
    configuration = loaded(tmp_path, section, notes=NOTES)
    report = await rehearse(configuration)
    top = (tmp_path / "routes.yaml").read_text().splitlines().index("tests:") + 1
    assert [(failure.place.line - top, failure.place.column) for failure in report.failures] == [
        (4, 16),
        (9, 19),
        (10, 17),
        (11, 13),
    ]
    assert str(report.diagnostics[0]) == (
        f"{tmp_path}/routes.yaml:{top + 4}:16: error[test-failed]: test 'three mistakes' failed: expected outcome"
        " 'declined', got 'handed_over': 'The refunds desk takes over, .'"
    )
    assert len(report.diagnostics) == 4
    assert report.failed == report.results


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("{ours: {intent: refund}}", ""),
        ("{ours: {}}", ""),
        ("{ours: {list: [1, true]}}", ""),
        ("{ours: {theirs: null}, mine: null}", ""),
        ("{ours: null}", "ours empty, got {"),
        ("{ours: {list: [1, 1]}}", "ours.list [1, 1], got [1, true]"),
        ("{ours: {list: {}}}", "ours.list a mapping, got [1, true]"),
        ("{ours: {list: {a: 1}}}", "ours.list.a 1, got nothing"),
        ("{ours: {intent: {a: 1}}}", "ours.intent.a 1, got nothing"),
        ("{theirs: 1}", "theirs 1, got nothing"),
        ("{ours: {intent: true}}", "ours.intent true, got 'refund'"),
        ("{ours: {from: nobody}}", "ours.from 'nobody', got 'whatsapp:+1…00'"),
    ],
)
async def test_attributes_must_contain_what_is_expected(tmp_path: Path, expect: str, told: str) -> None:
    """Mappings may have other keys too, all else is compared as JSON; null says that a key must not be there."""
    section = one_test(CUSTOMER, f"{{attributes: {expect}}}")
    found = messages(await rehearse(loaded(tmp_path, section, notes=NOTES)))
    assert len(found) == bool(told)
    assert all(message.startswith(f"expected attributes {told}") for message in found)


async def test_the_environment_stays_out_of_a_report(tmp_path: Path) -> None:
    """What an expectation has from a variable is told by the variable's name, in a list too."""
    section = """
    tests:
      - name: ${env:WANTED}
        call: {tool: /tools/support, body: {intent: refund}}
        expect: {says: "${env:WANTED}", attributes: {a: ["${env:WANTED}"]}}
    """
    report = await rehearse(loaded(tmp_path, section))
    assert messages(report) == [
        "expected says the value of ${env:WANTED}, got 'The refunds desk takes over, .'",
        "expected attributes a a list, got nothing",
    ]
    assert report.results[0].title == "'1'"


@pytest.mark.parametrize(
    ("at", "expect"),
    [
        ("2026-01-05T18:00:00Z", "{outcome: declined, says: We are closed at 18:00}"),
        ("2026-01-05T18:00+04:00", "{outcome: handed_over}"),
        ("2026-01-05 08:59:59-00:30", "{outcome: handed_over}"),
    ],
)
async def test_a_test_sets_the_clock(tmp_path: Path, at: str, expect: str) -> None:
    """A guard that goes by ``handover.at`` sees the time that the test says, in UTC."""
    report = await rehearse(loaded(tmp_path, one_test(REFUND, expect, at=at), hours=OPENING_HOURS))
    assert messages(report) == []


async def test_without_a_time_it_is_monday_noon(tmp_path: Path) -> None:
    """No test fails because it runs at night."""
    guard = "@hookimpl\ndef before_swap(handover):\n    raise Decline(f'{handover.at:%A %H:%M}')"
    report = await rehearse(loaded(tmp_path, one_test(REFUND, "{says: Monday 12:00}"), guard=guard))
    assert messages(report) == []


async def test_a_decline_names_its_plugin(tmp_path: Path) -> None:
    """Of several guards the one that declined is named, where the test fails and where it passes."""
    section = one_test(REFUND, "{outcome: handed_over, flow: refunds}", at="2026-01-05T18:00:00Z")
    plugins = {"polite": POLITE, "hours": OPENING_HOURS, "later": POLITE}
    report = await rehearse(loaded(tmp_path, section, **plugins))
    assert messages(report) == [
        "expected outcome 'handed_over', got 'declined': the plugin 'hours' says 'We are closed at 18:00.'",
        "expected flow 'refunds', got none",
    ]
    assert report.results[0].declined_by == "hours"
    section = section.replace("handed_over, flow: refunds", "declined")
    report = await rehearse(loaded(tmp_path, section, **plugins))
    assert (messages(report), report.results[0].declined_by) == ([], "hours")


CHOOSER = """
@hookimpl
async def choose_intent(call):
    if call.body_inputs.get("intent") == "crash":
        raise RuntimeError("no model")
    return "billing"
"""
AROUND = """
from contextlib import asynccontextmanager

@hookimpl
@asynccontextmanager
async def around_swap(handover, twilio):
    if handover.intent == "billing":
        raise Decline("No bills today.")
    await twilio.request("POST", "https://conversations.twilio.com/v1/Services/IS0/Conversations/CH0/Messages")
    yield
"""


async def test_plugins_choose_intents_in_a_test_too(tmp_path: Path) -> None:
    """What a chooser says is expected like what a model says, and its failure fails the test."""
    section = one_test(REFUND, "{outcome: handed_over, flow: billing}")
    assert messages(await rehearse(loaded(tmp_path, section, chooser=CHOOSER))) == []
    section = one_test("{tool: /tools/support, body: {intent: crash}}", "{outcome: failed}")
    (message,) = messages(await rehearse(loaded(tmp_path, section, chooser=CHOOSER)))
    assert message.startswith("plugin 'chooser' failed in choose_intent: ")


async def test_plugins_stand_around_a_test_too(tmp_path: Path) -> None:
    """They may ask Twilio, and nothing leaves; one that declines is named."""
    section = one_test(REFUND, "{outcome: handed_over}")
    assert messages(await rehearse(loaded(tmp_path, section, around=AROUND))) == []
    section = one_test("{tool: /tools/support, body: {intent: billing}}", "{outcome: declined}")
    report = await rehearse(loaded(tmp_path, section, around=AROUND))
    assert (messages(report), report.results[0].declined_by) == ([], "around")


async def test_a_plugin_that_fails_fails_the_test(tmp_path: Path) -> None:
    """Its name and the reason are told at the test, also where all expectations hold; the address is masked."""
    report = await rehearse(loaded(tmp_path, one_test(CUSTOMER, "{outcome: failed}"), broken=BROKEN))
    where = tmp_path / "plugins" / "broken.py:6"
    assert messages(report) == [
        f"plugin 'broken' failed in before_swap: {where}: RuntimeError: no database at whatsapp:+…"
    ]
    assert report.failures[0].place == report.results[0].test.place


@pytest.mark.parametrize("hook", ["before_swap", "add_attributes"])
async def test_a_crash_is_told_once(tmp_path: Path, hook: str) -> None:
    """What the call then lacks is the crash's doing, and no expectation tells it anew."""
    expect = "{outcome: handed_over, flow: refunds, says: desk, attributes: {handover: {intent: refund}}}"
    broken = BROKEN.replace("before_swap", hook)
    report = await rehearse(loaded(tmp_path, one_test(REFUND, expect), broken=broken))
    (told,) = messages(report)
    assert told.startswith(f"plugin 'broken' failed in {hook}: {tmp_path}/plugins/broken.py:6: RuntimeError")
    assert report.results[0].answer is not None
    assert report.results[0].answer.outcome is Outcome.FAILED


async def test_a_crash_that_ends_nothing_hides_no_expectation(tmp_path: Path) -> None:
    """Where the handover went on, what does not hold is told beside the crash."""
    path = write(tmp_path, one_test(REFUND, "{flow: billing}"), broken=BROKEN)
    path.write_text(path.read_text().replace("{use: broken}", "{use: broken, on_error: continue}"))
    crash, expectation = messages(await rehearse(load(path, environ={})))
    assert crash.startswith("plugin 'broken' failed in before_swap: ")
    assert expectation == "expected flow 'billing', got 'refunds'"


async def test_a_plugin_that_may_fail_fails_the_test_too(tmp_path: Path) -> None:
    """``on_error: continue`` keeps the handover going, and is no reason not to tell."""
    path = write(tmp_path, one_test(REFUND, "{outcome: handed_over}"), broken=BROKEN)
    path.write_text(path.read_text().replace("{use: broken}", "{use: broken, on_error: continue}"))
    report = await rehearse(load(path, environ={}))
    assert [message.partition(":")[0] for message in messages(report)] == ["plugin 'broken' failed in before_swap"]
    assert report.results[0].answer is not None
    assert report.results[0].answer.outcome is Outcome.HANDED_OVER


async def test_faults_of_plugins_can_be_ignored(tmp_path: Path) -> None:
    """The call goes on without the plugin that fails, and with those that do not."""
    section = one_test(
        REFUND, "{outcome: handed_over, says: Please., attributes: {ours: null}}", plugin_faults="ignore"
    )
    crash = BROKEN.replace("before_swap", "add_attributes")
    report = await rehearse(loaded(tmp_path, section, broken=BROKEN, polite=POLITE, notes=crash))
    assert messages(report) == []


async def test_a_decline_is_no_fault(tmp_path: Path) -> None:
    """A guard that declines is heard where faults are ignored."""
    section = one_test(REFUND, "{outcome: declined}", at="2026-01-05T18:00:00Z", plugin_faults="ignore")
    assert messages(await rehearse(loaded(tmp_path, section, hours=OPENING_HOURS))) == []


async def test_one_hanging_plugin_does_not_hang_the_run(tmp_path: Path) -> None:
    """A plugin without an answer is waited for once: after that, tests fail at once, or go on without it."""
    section = "tests:\n" + "".join(
        f"  - {{name: t{number}, call: {REFUND}, expect: {{says: Please}}, plugin_faults: {faults}}}\n"
        for number, faults in enumerate(["fail", "ignore"] * 20)
    )
    started = time.perf_counter()
    report = await rehearse(loaded(tmp_path, section, hanging=HANGING, polite=POLITE), deadline=0.3)
    assert time.perf_counter() - started < 3
    assert [result.test.name for result in report.failed] == [f"t{number}" for number in range(0, 40, 2)]
    first, second = (result.failures[0].message for result in report.failed[:2])
    assert first == "plugin 'hanging' failed in before_swap: no answer within 0.3 s"
    assert second == (
        "plugin 'hanging' failed in before_swap: it gave no answer in time in an earlier test, and is not asked again"
    )


async def test_a_plugin_that_could_not_start_fails_the_tests_that_use_it(tmp_path: Path) -> None:
    """Whoever starts the plugins says which could not be; in other tests they are left out."""
    section = one_test(REFUND, "{outcome: handed_over}") + "    plugin_faults: ignore\n"
    section += "  - name: another\n    call: {tool: /tools/recipe}\n    expect: {attributes: {ours: {intent: ''}}}\n"
    report = await rehearse(loaded(tmp_path, section, notes=NOTES), unusable={"notes": "it did not start"})
    assert messages(report) == [
        "plugin 'notes' failed in before_swap: it did not start",
    ]
    assert [result.test.name for result in report.failed] == ["another"]


async def test_observers_hear_nothing(tmp_path: Path) -> None:
    """Whatever comes of a test, no observer is told: it might tell others of a customer who is none."""
    observer = f"""
    def note(word):
        with open({str(tmp_path / "heard.txt")!r}, "a") as file:
            file.write(word)

    @hookimpl
    def before_swap(handover):
        note("asked ")
        assert handover.intent != "billing"

    @hookimpl
    def after_swap():
        note("after_swap ")

    @hookimpl
    def swap_failed():
        note("swap_failed ")
    """
    section = one_test(REFUND, "{outcome: handed_over}")
    section += "  - {name: b, call: {tool: /tools/support, body: {intent: billing}}, expect: {outcome: failed}}\n"
    report = await rehearse(loaded(tmp_path, section, observer=observer))
    assert [len(result.failures) for result in report.results] == [0, 1]
    assert (tmp_path / "heard.txt").read_text() == "asked asked "


async def test_tests_are_apart_from_each_other(tmp_path: Path) -> None:
    """Each has a conversation of its own: the second call of a tool is no repeat of the first."""
    section = "tests:\n" + f"  - {{name: t, call: {REFUND}, expect: {{outcome: handed_over}}}}\n" * 3
    report = await rehearse(loaded(tmp_path, section))
    assert (len(report.results), report.failures) == (3, ())


async def test_routes_that_no_test_reaches_are_found(tmp_path: Path) -> None:
    """A route is reached by a call that a plugin declined too, and not by one that was refused before."""
    section = one_test(REFUND, "{outcome: declined}", at="2026-01-05T18:00:00Z")
    section += "  - {name: u, call: {tool: /tools/recipe, query: {flowSid: FW9}}, expect: {outcome: declined}}\n"
    section += "  - {name: v, call: {tool: /tools/dry, session: x}, expect: {outcome: not_a_conversation}}\n"
    report = await rehearse(loaded(tmp_path, section, hours=OPENING_HOURS))
    assert messages(report) == []
    assert report.unreached == (("/tools/support", "billing"), ("/tools/recipe", ""), ("/tools/dry", ""))
    assert report.routes == 4
    section += "  - {name: w, call: {tool: /tools/dry}, expect: {outcome: dry_run}}\n"
    assert ("/tools/dry", "") not in (await rehearse(loaded(tmp_path, section, hours=OPENING_HOURS))).unreached


async def test_without_tests_nothing_is_run(tmp_path: Path) -> None:
    """An empty report is no failure; every route is unreached."""
    report = await rehearse(loaded(tmp_path))
    assert (report.results, report.failures, report.diagnostics) == ((), (), ())
    assert len(report.unreached) == report.routes == 4
