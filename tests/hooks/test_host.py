from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Decline, Outcome
from router.clock import Clock
from router.errors import HandoverError, TwilioBusy
from router.hooks.discovery import discover
from router.hooks.host import Figures, PluginFailed, PluginHost
from router.hooks.specs import Kind
from router.model.call import ToolCall
from router.model.routes import Intent, Route, Tool
from router.rehearsal.stage import CONVERSATION, Stage
from tests.hooks.kit import CONTINUE, DESK, FLOW, HANDOVER, LISTED, NIGHT, STOP, TWILIO, Bench, bench, use, write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from router.model.routes import OnError

# How an implementation can go wrong: its body, whether it needs "async def", and what the log says of it.
CRASHES = {
    "crash": ("raise ValueError('no such thing')", "ValueError: no such thing (line 6)"),
    "exit": ("sys.exit(7)", "SystemExit: 7 (line 6)"),
    "interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt (line 6)"),
    "generator exit": ("raise GeneratorExit", "GeneratorExit (line 6)"),
    "cancelled by itself": ("raise asyncio.CancelledError", "CancelledError (line 6)"),
    "stop": ("raise StopAsyncIteration", "StopAsyncIteration (line 6)"),
    "own timeout": ("raise TimeoutError('mine')", "TimeoutError: mine (line 6)"),
    "wrong type": ("return 'yes'", "returned str"),
}
SYNC = {**CRASHES, "hang": ("time.sleep(0.25)", "it held the event loop for 0.")}
ASYNC = {
    **CRASHES,
    "hang": ("await asyncio.sleep(30)", "no answer within 0.2 s"),
    "hang that will not be cancelled": (
        "try:\n        await asyncio.sleep(30)\n    except BaseException:\n        await asyncio.sleep(0.1)",
        "no answer within 0.2 s",
    ),
}
MISBEHAVIOURS = [
    *((f"def {name}", "def", body, reason) for name, (body, reason) in SYNC.items()),
    *((f"async def {name}", "async def", body, reason) for name, (body, reason) in ASYNC.items()),
]
misbehaves = pytest.mark.parametrize(
    ("define", "body", "reason"), [row[1:] for row in MISBEHAVIOURS], ids=[row[0] for row in MISBEHAVIOURS]
)
ARGUMENTS = {"after_swap": "outcome", "swap_failed": "error"}


def implementation(hook: str, body: str, define: str = "def", mark: str = "@hookimpl") -> str:
    extra = ARGUMENTS.get(hook)
    return f"\n{mark}\n{define} {hook}(handover, {extra + ', ' if extra else ''}config):\n    {body}\n"


def calls_to(host: PluginHost, *names: str, on_error: OnError = STOP) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Each hook of a host, ready to be called for the plugins ``names``."""
    uses = [use(name, on_error) for name in names]
    return {
        "before_swap": lambda: host.before_swap(HANDOVER, uses, LISTED.get, TWILIO),
        "add_attributes": lambda: host.add_attributes(HANDOVER, uses),
        "after_swap": lambda: host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, TWILIO),
        "swap_failed": lambda: host.swap_failed(HANDOVER, TwilioBusy("create", "busy"), uses, TWILIO),
    }


GOOD = {
    "before_swap": "return handover.replace(message='checked')",
    "add_attributes": "return {'good': 1}",
    "after_swap": "print('told', flush=True)",
    "swap_failed": "print('told', flush=True)",
}
RESULTS = {"before_swap": HANDOVER.replace(message="checked"), "add_attributes": {"good": 1}}


@misbehaves
@pytest.mark.parametrize("hook", ["before_swap", "add_attributes"])
async def test_a_failure_that_should_stop_stops(tmp_path: Path, hook: str, define: str, body: str, reason: str) -> None:
    """Whatever a guard or a contributor does wrong: with on_error stop there is an error and a report that name it."""
    made = bench(tmp_path, bad=implementation(hook, body, define), good=implementation(hook, GOOD[hook]))
    with pytest.raises(PluginFailed, match=f"^plugin 'bad' failed in {hook}: ") as failed:
        await calls_to(made.host, "bad", "good")[hook]()
    assert failed.value.reason.startswith(reason)
    assert (failed.value.plugin, failed.value.hook) == ("bad", hook)
    assert [(each.plugin, each.hook, each.reason) for each in made.reports] == [("bad", hook, failed.value.reason)]
    assert made.host.figures["bad", hook].failures == 1


@misbehaves
@pytest.mark.parametrize("hook", ["before_swap", "add_attributes"])
async def test_a_failure_that_should_not_stop_is_skipped(
    tmp_path: Path, hook: str, define: str, body: str, reason: str
) -> None:
    """With on_error continue the next plugin is called as if the failed one were not there, and the log has it."""
    made = bench(tmp_path, bad=implementation(hook, body, define), good=implementation(hook, GOOD[hook]))
    assert await calls_to(made.host, "bad", "good", on_error=CONTINUE)[hook]() == RESULTS[hook]
    assert made.reasons[0].startswith(f"bad.{hook}: {reason}")
    assert len(made.reports) == 1


@misbehaves
@pytest.mark.parametrize("hook", ["after_swap", "swap_failed"])
async def test_an_observers_failure_is_never_felt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hook: str, define: str, body: str, reason: str
) -> None:
    """Even with on_error stop: the other observers hear what happened, and the failure is logged and counted."""
    made = bench(tmp_path, bad=implementation(hook, body, define), good=implementation(hook, GOOD[hook]))
    await calls_to(made.host, "bad", "good")[hook]()
    assert capsys.readouterr().out == "told\n"
    assert made.reasons[0].startswith(f"bad.{hook}: {reason}")
    assert made.reports[0].kind is Kind.OBSERVER
    assert {key: (value.calls, value.failures) for key, value in made.host.figures.items()} == {
        ("bad", hook): (1, 1),
        ("good", hook): (1, 0),
    }


@pytest.mark.parametrize("define", ["def", "async def"])
async def test_a_guard_may_decline(tmp_path: Path, define: str) -> None:
    """Decline passes with its sentence and its plugin, also with on_error continue; no failure, and the asking ends."""
    made = bench(
        tmp_path,
        no=implementation("before_swap", "raise Decline('We are closed.')", define),
        later=implementation("before_swap", "raise ValueError"),
    )
    with pytest.raises(Decline) as declined:
        await made.host.before_swap(HANDOVER, [use("no", CONTINUE), use("later")], LISTED.get, TWILIO)
    assert (declined.value.sentence, declined.value.plugin) == ("We are closed.", "no")
    assert made.reports == []
    assert set(made.host.figures) == {("no", "before_swap")}


async def test_a_late_decline_still_counts(tmp_path: Path) -> None:
    """A guard that blocked too long but said no is heard: handing over against it would be worse."""
    made = bench(tmp_path, no=implementation("before_swap", "time.sleep(0.25); raise Decline('No.')"))
    with pytest.raises(Decline):
        await made.host.before_swap(HANDOVER, [use("no", CONTINUE)], LISTED.get, TWILIO)


@pytest.mark.parametrize("hook", ["add_attributes", "after_swap", "swap_failed"])
async def test_only_a_guard_may_decline(tmp_path: Path, hook: str) -> None:
    """From every other hook Decline is a failure like any other."""
    made = bench(tmp_path, no=implementation(hook, "raise Decline('No.')"))
    await calls_to(made.host, "no", on_error=CONTINUE)[hook]()
    assert made.reasons == [f"no.{hook}: Decline: No. (line 6)"]


async def test_guards_are_asked_in_the_order_of_the_route(tmp_path: Path) -> None:
    """Each sees what the one before it made of the handover; the files' names say nothing."""
    body = "return handover.replace(message=handover.message + config['mark'])"
    made = bench(tmp_path, **{name: implementation("before_swap", body) for name in ("a", "b", "c")})
    start = HANDOVER.replace(message="")
    uses = [use("c", mark="1"), use("a", mark="2"), use("b", mark="3")]
    assert (await made.host.before_swap(start, uses, LISTED.get, TWILIO)).message == "123"
    assert (await made.host.before_swap(start, uses[::-1], LISTED.get, TWILIO)).message == "321"


async def test_tryfirst_and_trylast_go_before_the_order_of_the_route(tmp_path: Path) -> None:
    """A plugin may say that it belongs at an end; within that the route decides."""
    made = bench(
        tmp_path,
        **{
            name: implementation("before_swap", f"return handover.replace(message=handover.message + '{name}')", mark=m)
            for name, m in {
                "a": "@hookimpl(trylast=True)",
                "b": "@hookimpl",
                "c": "@hookimpl(tryfirst=True)",
                "d": "@hookimpl",
                "e": "@hookimpl(tryfirst=True)",
            }.items()
        },
    )
    uses = [use(name) for name in "adbec"]
    assert (await made.host.before_swap(HANDOVER.replace(message=""), uses, LISTED.get, TWILIO)).message == "ecdba"


@given(st.permutations("abcd"), st.integers(0, 4))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_order_and_any_choice_is_kept(four: Bench, order: list[str], chosen: int) -> None:
    """Those in ``uses`` are called in that order, and no others."""
    uses = [use(name) for name in order[:chosen]]
    asked = await four.host.before_swap(HANDOVER.replace(message=""), uses, LISTED.get, TWILIO)
    assert asked.message == "".join(order[:chosen])


@pytest.fixture
def four(tmp_path: Path) -> Bench:
    body = "return handover.replace(message=handover.message + {!r})"
    return bench(tmp_path, **{name: implementation("before_swap", body.format(name)) for name in "abcd"})


async def test_a_plugin_out_of_use_is_not_called(tmp_path: Path) -> None:
    """A host knows all plugins that are on, and a route uses some; a use without a plugin calls nothing."""
    made = bench(tmp_path, **{name: implementation("before_swap", "raise ValueError") for name in ("a", "b")})
    assert made.host.names == ("a", "b")
    assert await made.host.before_swap(HANDOVER, [], LISTED.get, TWILIO) == HANDOVER
    assert await made.host.before_swap(HANDOVER, [use("other")], LISTED.get, TWILIO) == HANDOVER
    assert await made.host.add_attributes(HANDOVER, [use("a")]) == {}
    assert made.host.figures == {}


async def test_a_use_may_spell_the_name_with_either_mark(tmp_path: Path) -> None:
    """- and _ are the same: a guard is never left out for its spelling."""
    made = bench(tmp_path, ask_first=implementation("before_swap", "raise Decline('No.')"))
    for name in ("ask-first", "ask_first"):
        with pytest.raises(Decline):
            await made.host.before_swap(HANDOVER, [use(name)], LISTED.get, TWILIO)


async def test_an_implementation_gets_only_what_it_asks_for(tmp_path: Path) -> None:
    """None, some or all, in any order; one with a default gets the value, and one of its own keeps its default."""
    made = bench(
        tmp_path,
        none="@hookimpl\ndef add_attributes(): return {'none': 1}\n",
        config="@hookimpl\nasync def add_attributes(config): return {'config': config['x']}\n",
        both="@hookimpl\ndef add_attributes(config, handover): return {'both': [config['x'], handover.intent]}\n",
        default="@hookimpl\ndef add_attributes(own=7, config=None): return {'default': [own, config['x']]}\n",
        named="@hookimpl(specname='add_attributes')\ndef note(handover, *rest, **more): return {'named': len(rest)}\n",
    )
    uses = [use(name, x=name) for name in ("none", "config", "both", "default", "named")]
    assert await made.host.add_attributes(HANDOVER, uses) == {
        "none": 1,
        "config": "config",
        "both": ["both", "refund"],
        "default": [7, "default"],
        "named": 0,
    }


async def test_observers_are_told_what_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """after_swap gets the outcome and swap_failed the error, each with the plugin's own config."""
    made = bench(
        tmp_path,
        a="""
        @hookimpl
        def after_swap(handover, outcome, config):
            print(handover.intent, outcome is Outcome.HANDED_OVER, config["x"])
        @hookimpl
        async def swap_failed(handover, error, config):
            print(handover.intent, error, config["x"])
        """,
    )
    await made.host.after_swap(HANDOVER, Outcome.HANDED_OVER, [use("a", x=1)], TWILIO)
    await made.host.swap_failed(HANDOVER, TwilioBusy("create", "busy"), [use("a", x=2)], TWILIO)
    assert capsys.readouterr().out == "refund True 1\nrefund create: busy 2\n"
    assert made.reports == []


@pytest.mark.parametrize("hook", ["add_attributes", "after_swap", "swap_failed"])
async def test_what_may_go_side_by_side_does(tmp_path: Path, hook: str) -> None:
    """Several that hang cost one deadline and not one each."""
    hang = implementation(hook, "await asyncio.sleep(30)", "async def")
    made = bench(tmp_path, a=hang, b=hang, c=hang, d=hang, e=hang)
    async with asyncio.timeout(0.9):
        await calls_to(made.host, *"abcde", on_error=CONTINUE)[hook]()
    assert len(made.reports) == 5


async def test_config_cannot_be_changed(tmp_path: Path) -> None:
    """A plugin that writes into its config would change the route for every later call."""
    made = bench(tmp_path, a=implementation("before_swap", "config['x'] = 2"))
    uses = [use("a", CONTINUE, x=1)]
    await made.host.before_swap(HANDOVER, uses, LISTED.get, TWILIO)
    assert uses[0].config == {"x": 1}
    assert "does not support item assignment" in made.reasons[0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("True", "returned bool, expected None or handover.replace(...)"),
        ("handover.replace(flow='nowhere')", "chose the flow 'nowhere', which is not in 'flows'"),
        ("'FW1'", "returned str, expected None or handover.replace(...)"),
        ("handover.replace(flow=None)", "returned a handover whose flow or message is no text"),
        ("handover.replace(message=7)", "returned a handover whose flow or message is no text"),
        (
            "Handover('HO2', 'x', '', handover.flow, 'm', handover.conversation, handover.service)",
            "returned a handover that differs in more than flow and message",
        ),
        (
            "handover.replace(conversation='CH2')",
            "TypeError: a plugin may replace flow and message of a handover, not conversation (line 6)",
        ),
    ],
)
async def test_a_guard_may_change_flow_and_message_only(tmp_path: Path, answer: str, reason: str) -> None:
    """It may send a customer elsewhere, and never make another customer of them."""
    made = bench(tmp_path, a=implementation("before_swap", f"return {answer}"))
    with pytest.raises(PluginFailed) as failed:
        await made.host.before_swap(HANDOVER, [use("a")], LISTED.get, TWILIO)
    assert failed.value.reason == reason


async def test_a_guard_may_send_a_customer_elsewhere(tmp_path: Path) -> None:
    """Flow and message of what it returns are taken, the flow by its Flow SID."""
    body = "return handover.replace(flow='night', message='We call you tomorrow.')"
    made = bench(tmp_path, a=implementation("before_swap", body))
    changed = await made.host.before_swap(HANDOVER, [use("a")], LISTED.get, TWILIO)
    assert (changed.flow, changed.message) == (NIGHT, "We call you tomorrow.")
    assert changed.replace(flow=FLOW, message=HANDOVER.message) == HANDOVER


async def test_a_guard_may_keep_a_flow_that_is_its_routes_alone(tmp_path: Path) -> None:
    """Who changes the message alone chooses no flow, so that none needs to be listed."""
    made = bench(tmp_path, a=implementation("before_swap", "return handover.replace(message='Soon.')"))
    alone = HANDOVER.replace(flow="FW" + "9" * 32)
    assert await made.host.before_swap(alone, [use("a")], LISTED.get, TWILIO) == alone.replace(message="Soon.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("[('a', 1)]", "returned list, expected a dict of names and JSON values"),
        ("{1: 'a'}", "returned dict, expected a dict of names and JSON values"),
        ("{'a': handover}", "returned what is not JSON: Object of type Handover is not JSON serializable"),
        ("{'a': {1, 2}}", "returned what is not JSON: Object of type set is not JSON serializable"),
        ("{'a': float('nan')}", "returned what is not JSON: Out of range float values are not JSON compliant"),
        ("{'a': b'x'}", "returned what is not JSON: Object of type bytes is not JSON serializable"),
        ("endless()", "returned what is not JSON: Circular reference detected"),
        ("deep()", "returned what is not JSON: "),
    ],
)
async def test_attributes_are_names_and_json_values(tmp_path: Path, answer: str, reason: str) -> None:
    """What cannot be written as JSON is the plugin's failure and not the swap's."""
    helpers = """
def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return {"a": value}
def endless():
    value = {}
    value["a"] = value
    return value
"""
    made = bench(tmp_path, 5, a=helpers + implementation("add_attributes", f"return {answer}"))
    with pytest.raises(PluginFailed) as failed:
        await made.host.add_attributes(HANDOVER, [use("a")])
    assert failed.value.reason.startswith(reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_json_value_gets_through(giver: Bench, values: dict[str, Any]) -> None:
    """What a contributor gives arrives unchanged, as a copy."""
    given_back = await giver.host.add_attributes(HANDOVER, [use("giver", values=values)])
    assert given_back == values
    assert all(given_back[name] is not value for name, value in values.items() if isinstance(value, dict | list))


@pytest.fixture
def giver(tmp_path: Path) -> Bench:
    return bench(tmp_path, 1.0, giver=implementation("add_attributes", "return config['values']"))


async def test_attributes_of_several_plugins_are_merged(tmp_path: Path) -> None:
    """In the order of the route; None gives nothing."""
    made = bench(
        tmp_path,
        a=implementation("add_attributes", "return {'a': 1}"),
        b=implementation("add_attributes", "return None"),
        c=implementation("add_attributes", "return {'c': (1, 2)}", "async def"),
    )
    merged = await made.host.add_attributes(HANDOVER, [use("c"), use("b"), use("a")])
    assert list(merged.items()) == [("c", [1, 2]), ("a", 1)]


async def test_two_plugins_that_give_one_name_are_both_named(tmp_path: Path) -> None:
    """The later one fails by its own on_error: it stops the handover, or its data is left out as a whole."""
    made = bench(
        tmp_path,
        a=implementation("add_attributes", "return {'x': 1, 'y': 1}"),
        b=implementation("add_attributes", "return {'z': 2, 'x': 2, 'y': 2}"),
    )
    with pytest.raises(PluginFailed) as failed:
        await made.host.add_attributes(HANDOVER, [use("a"), use("b")])
    assert failed.value.plugin == "b"
    assert failed.value.reason == "gives 'x', which 'a' gives too and 'y', which 'a' gives too"
    assert await made.host.add_attributes(HANDOVER, [use("a"), use("b", CONTINUE)]) == {"x": 1, "y": 1}
    assert made.reasons == [f"b.add_attributes: {failed.value.reason}"] * 2
    assert [report.handover for report in made.reports] == [HANDOVER.id] * 2
    assert made.host.figures["b", "add_attributes"].failures == 2


async def test_contributors_say_whether_attributes_are_worth_reading(tmp_path: Path) -> None:
    """Only a plugin in use that implements add_attributes is one."""
    made = bench(
        tmp_path, giver=implementation("add_attributes", "return {}"), guard=implementation("before_swap", "pass")
    )
    assert [each.name for each in made.host.contributors([use("guard"), use("giver")])] == ["giver"]
    assert made.host.contributors([use("guard")]) == ()
    assert made.host.contributors([]) == ()


REFUND = Tool(
    "/tools/support",
    Route(),
    intents={"refund": Intent("refund", Route(), aliases=("money back",)), "billing": Intent("billing", Route())},
)
CALL = ToolCall(REFUND.path, "ai_assistants", body_inputs={"note": "I want my money back"})


@pytest.mark.parametrize(
    ("answers", "intent"),
    [
        (("None", "None"), ""),
        (("None", "'billing'"), "billing"),
        (("'Money-Back'", "1 / 0"), "refund"),
        (("'refund' if 'money' in call.body_inputs['note'] else None", "'billing'"), "refund"),
    ],
)
async def test_the_first_choice_of_an_intent_wins(tmp_path: Path, answers: tuple[str, str], intent: str) -> None:
    """By its name or an alias, as callers may spell it; who comes after it is not asked."""
    sources = {
        name: f"@hookimpl\ndef choose_intent(call, tool, config): return {answer}\n"
        for name, answer in zip("ab", answers, strict=True)
    }
    made = bench(tmp_path, **sources)
    assert await made.host.choose_intent(CALL, REFUND, (use("a"), use("b"))) == intent
    assert made.reports == []


async def test_an_intent_that_the_tool_does_not_have_is_a_failure(tmp_path: Path) -> None:
    """The reason says which ones it has; with on_error continue the next one is asked."""
    made = bench(
        tmp_path,
        a="@hookimpl\ndef choose_intent(): return 'refnd'\n",
        b="@hookimpl\ndef choose_intent(): return 'billing'\n",
    )
    with pytest.raises(PluginFailed) as failed:
        await made.host.choose_intent(CALL, REFUND, (use("a"), use("b")))
    assert failed.value.reason == "chose the intent 'refnd', which the tool does not have (it has: refund, billing)"
    assert await made.host.choose_intent(CALL, REFUND, (use("a", CONTINUE), use("b"))) == "billing"


async def test_a_guard_of_the_way_back_may_decline(tmp_path: Path) -> None:
    """It is heard whatever its on_error is, and nobody is asked after it."""
    made = bench(
        tmp_path,
        no=implementation("before_hand_back", "raise Decline('It stays with us.')"),
        later=implementation("before_hand_back", "raise ValueError"),
    )
    with pytest.raises(Decline, match=r"^It stays with us\.$"):
        await made.host.before_hand_back(HANDOVER, (use("no", CONTINUE), use("later")), TWILIO)
    assert made.reports == []


async def test_what_runs_in_the_background_is_told_by_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The host says who that is; a plugin that is gone meanwhile hears nothing."""
    made = bench(
        tmp_path,
        a="@hookimpl\ndef plugin_info(): return {'background': ['after_swap']}\n"
        "@hookimpl\ndef after_swap(handover, config): print('a', handover.intent, config['x'])\n"
        "@hookimpl\ndef swap_failed(): print('a failed')\n",
        b="@hookimpl\ndef after_swap(): print('b')\n",
    )
    uses = (use("a", x=1), use("b"))
    await made.host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, TWILIO)
    await made.host.swap_failed(HANDOVER, TwilioBusy("create", "busy"), uses, TWILIO)
    assert capsys.readouterr().out == "b\na failed\n"
    assert made.host.background("after_swap", uses) == ("a",)
    assert made.host.background("swap_failed", uses) == ()
    assert await made.host.tell_one("a", "after_swap", {"handover": HANDOVER}, uses) == ""
    assert await made.host.tell_one("gone", "after_swap", {"handover": HANDOVER}, uses) == ""
    assert capsys.readouterr().out == "a refund 1\n"


async def test_every_hook_about_a_handover_can_ask_twilio(tmp_path: Path) -> None:
    """What they get makes requests in the name of the account."""
    body = "await twilio.request('POST', 'https://conversations.twilio.com/v1/Services')"
    hooks = ("before_swap", "after_swap", "swap_failed", "before_hand_back", "after_hand_back")
    source = "".join(f"@hookimpl\nasync def {hook}(twilio):\n    {body}\n" for hook in hooks)
    made = bench(tmp_path, a=source)
    stage, uses = Stage(CONVERSATION), (use("a"),)
    await made.host.before_swap(HANDOVER, uses, LISTED.get, stage)
    await made.host.after_swap(HANDOVER, Outcome.HANDED_OVER, uses, stage)
    await made.host.swap_failed(HANDOVER, TwilioBusy("create", "busy"), uses, stage)
    await made.host.before_hand_back(HANDOVER, uses, stage)
    await made.host.after_hand_back(HANDOVER, uses, stage)
    assert len(stage.asked) == len(hooks)
    assert made.reports == []


async def test_a_target_that_two_plugins_give_is_a_fault_of_the_later_one(tmp_path: Path) -> None:
    """The reason names both; what the first one gives is there, and nothing of the second."""
    give = DESK + "@hookimpl\ndef register_targets(): return {}\n"
    made = bench(
        tmp_path,
        a=give.format("{'desk': Desk(), 'queue': Desk()}"),
        b=give.format("{'desk': Desk(), 'other': Desk()}"),
        c=give.format("None"),
    )
    targets, (failure,) = made.host.targets((use("a"), use("b"), use("c")))
    assert {name: plugin for name, (plugin, _target) in targets.items()} == {"desk": "a", "queue": "a"}
    assert (failure.plugin, failure.reason) == ("b", "gives 'desk', which 'a' gives too")
    assert [report.handover for report in made.reports] == [""]


@pytest.mark.parametrize("answer", ["{'': 1}", "{7: 1}", "{'x' * 101: 1}"])
async def test_a_target_has_a_name(tmp_path: Path, answer: str) -> None:
    """It is to stand in routes.yaml."""
    made = bench(tmp_path, a=f"@hookimpl\nasync def register_targets(): return {answer}\n")
    targets, (failure,) = made.host.targets((use("a"),))
    assert targets == {}
    assert failure.reason.startswith("returned a target whose name is no name of a flow: ")


@pytest.mark.parametrize("answer", ["[print]", "[object()]", "'GET'", "{}"])
async def test_endpoints_are_routes(tmp_path: Path, answer: str) -> None:
    """What cannot match a request and handle it is none; None gives none."""
    made = bench(
        tmp_path,
        a=f"@hookimpl\ndef register_endpoints(): return {answer}\n",
        b="@hookimpl\ndef register_endpoints(): return None\n",
    )
    (failure,) = await made.host.start((use("a"), use("b")), TWILIO)
    assert failure.reason.endswith("expected a list of Starlette routes")
    assert await made.host.start((use("b"),), TWILIO) == []
    assert made.host.endpoints == {"b": ()}


async def test_the_calls_of_a_route_are_worked_out_once(tmp_path: Path) -> None:
    """As long as its plugins are the same tuple; each route pays for its own plugins alone."""
    made = bench(tmp_path, a=implementation("before_swap", "pass"))
    uses, others = (use("a", x=1),), (use("a", x=1),)
    assert made.host.calls("before_swap", uses) is made.host.calls("before_swap", uses)
    assert made.host.calls("before_swap", others) is not made.host.calls("before_swap", uses)
    assert made.host.calls("before_swap", list(uses)) == made.host.calls("before_swap", uses)
    assert made.host.calls("after_swap", uses) == ()
    assert (made.host.implements("before_swap"), made.host.implements("after_swap")) == (True, False)


async def test_what_a_guard_says_is_taken_as_a_copy(tmp_path: Path) -> None:
    """A text with a mind of its own becomes a plain one."""
    text = "type('Text', (str,), {'strip': lambda self: 1 / 0})"
    made = bench(
        tmp_path,
        a=implementation("before_swap", f"return handover.replace(message={text}('hello'))"),
        b=implementation("before_swap", f"error = Decline('no'); error.sentence = {text}('never'); raise error"),
    )
    changed = await made.host.before_swap(HANDOVER, (use("a"),), LISTED.get, TWILIO)
    assert type(changed.message) is str
    with pytest.raises(Decline) as declined:
        await made.host.before_swap(HANDOVER, (use("b"),), LISTED.get, TWILIO)
    assert (type(declined.value.sentence), declined.value.sentence) == (str, "never")


async def test_a_no_in_a_wrong_way_is_still_a_no(tmp_path: Path) -> None:
    """With on_error continue too: to hand over against the word of a guard would be worse than not to."""
    made = bench(tmp_path, a=implementation("before_swap", "raise Decline('x' * 70_000)"))
    with pytest.raises(PluginFailed, match="gave a sentence of 70000 characters"):
        await made.host.before_swap(HANDOVER, (use("a", CONTINUE),), LISTED.get, TWILIO)


async def test_two_hosts_share_nothing(tmp_path: Path) -> None:
    """Two apps in one process, from the same file: state in the module and figures are each its own."""
    write(tmp_path, "a", "seen = []\n" + implementation("add_attributes", "seen.append(1); return {'n': len(seen)}"))
    first, second = (PluginHost.of(discover([tmp_path]).plugins.values()) for _ in range(2))
    assert await first.add_attributes(HANDOVER, [use("a")]) == {"n": 1}
    assert await first.add_attributes(HANDOVER, [use("a")]) == {"n": 2}
    assert await second.add_attributes(HANDOVER, [use("a")]) == {"n": 1}
    assert (first.figures["a", "add_attributes"].calls, second.figures["a", "add_attributes"].calls) == (2, 1)


async def test_calls_and_seconds_are_counted(tmp_path: Path) -> None:
    """By plugin and hook, by the clock that the host was given; what was handed out does not change later."""
    write(tmp_path, "a", implementation("before_swap", "pass"))
    ticks: Iterator[float] = (tick / 8 for tick in count())
    host = PluginHost.of(discover([tmp_path]).plugins.values(), Clock(monotonic=lambda: next(ticks)))
    await host.before_swap(HANDOVER, [use("a")], LISTED.get, TWILIO)
    before = host.figures
    await host.before_swap(HANDOVER, [use("a")], LISTED.get, TWILIO)
    assert before == {("a", "before_swap"): Figures(calls=1, seconds=0.25, p95=0.25, blocked=1)}
    assert host.figures == {("a", "before_swap"): Figures(calls=2, seconds=0.5, p95=0.25, blocked=2)}


async def test_a_host_that_nobody_listens_to_reports_to_nobody(tmp_path: Path) -> None:
    """The report is optional; the figures are there anyway."""
    write(tmp_path, "a", implementation("after_swap", "raise ValueError"))
    host = PluginHost.of(discover([tmp_path]).plugins.values())
    await host.after_swap(HANDOVER, Outcome.HANDED_OVER, [use("a")], TWILIO)
    assert host.figures["a", "after_swap"].failures == 1


@pytest.mark.parametrize("hook", ["before_swap", "add_attributes", "after_swap", "swap_failed"])
async def test_our_own_cancellation_is_never_swallowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hook: str
) -> None:
    """When the server ends the call, the plugin is cancelled with it, and no failure is laid at its door."""
    body = "try:\n        await asyncio.sleep(30)\n    finally:\n        print('cleaned up')"
    made = bench(tmp_path, 30, a=implementation(hook, body, "async def"))
    work = asyncio.ensure_future(calls_to(made.host, "a")[hook]())
    await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.sleep(0.01)
    assert capsys.readouterr().out == "cleaned up\n"
    assert made.reports == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('x' * 5000)", "ValueError: " + "x" * 187 + "… (line 6)"),
        (r"raise ValueError('two\nlines\x1b[31m and \u2028 more')", "ValueError: two lines [31m and more (line 6)"),
        (
            "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
            "Odd: its text cannot be read (line 6)",
        ),
        ("raise ValueError", "ValueError (line 6)"),
    ],
)
async def test_a_reason_is_one_short_line(tmp_path: Path, body: str, reason: str) -> None:
    """Whatever an exception's text is, the log gets a bounded, printable line that says where it was raised."""
    made = bench(tmp_path, a=implementation("after_swap", body))
    await made.host.after_swap(HANDOVER, Outcome.HANDED_OVER, [use("a")], TWILIO)
    assert made.reasons == [f"a.after_swap: {reason}"]


async def test_an_awaitable_from_a_plain_function_is_awaited(tmp_path: Path) -> None:
    """A def may return a future or a coroutine: it is treated as an async def."""
    body = "return asyncio.get_running_loop().run_in_executor(None, lambda: {'thread': 1})"
    made = bench(tmp_path, 5, a=implementation("add_attributes", body))
    assert await made.host.add_attributes(HANDOVER, [use("a")]) == {"thread": 1}


def test_a_plugins_failure_can_be_caught_as_ours() -> None:
    """It is in the one error tree, and says so also where it is not known which plugin failed."""
    error = PluginFailed("before_swap", "chose a flow that is not listed")
    assert isinstance(error, HandoverError)
    assert str(error) == "a plugin failed in before_swap: chose a flow that is not listed"
