from __future__ import annotations

from pathlib import Path

import pytest

from router.config import load
from router.explanation.explanation import Ending, Explanation, FoundIntent, OtherIntent
from router.explanation.text import as_text
from router.model.place import Place
from tests.config.kit import FLOW, HEAD, OTHER, write
from tests.explanation.kit import SECRET, configured, explained

EXPECTED = Path(__file__).parent / "expected"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("case", "url", "parts"),
    [
        ("reached", "/support", {"json": '{"intent": "money back"}', "headers": ["X-Identity: sms:+15550100"]}),
        ("by-url", f"/recipe?secret={SECRET}&flowSid={OTHER}&successMessage=Bye.", {"json": '{"flowSid": 1}'}),
        ("refused", f"/recipe?flowSid={OTHER}&FlowSid={FLOW}&flowSid=x", {"headers": ["X-Twilio-Signature: abc"]}),
        ("unknown-intent", "/support?secret=wrong", {"json": '{"intent": "zzz"}'}),
        ("unknown-path", "/suport", {}),
        ("unreadable", "/support", {"json": "{"}),
    ],
)
def test_an_explanation_reads_as_recorded(case: str, url: str, parts: dict[str, str], tmp_path: Path) -> None:
    """Three columns: what it is, where it was written, how it stands there; the ending comes last."""
    configured(tmp_path)
    config = load(Path("routes.yaml"), environ={"SECRET": SECRET})
    text = as_text(explained(config, "POST", url, **parts))
    assert SECRET not in text
    assert text == (EXPECTED / f"{case}.txt").read_text("utf-8").rstrip("\n")


def test_a_null_that_removed_something_is_told(tmp_path: Path) -> None:
    """What is built in again says which null made it so."""
    write(tmp_path, HEAD + "defaults: {replay: last_message}\ntools: {/a: {flow: refunds, replay: null}}\n")
    text = as_text(explained(load(Path("routes.yaml"), environ={}), "POST", "/a"))
    assert "none (null in routes.yaml:5:37 removed what was inherited)" in text


def test_limits_and_the_hand_back_are_told_value_by_value(tmp_path: Path) -> None:
    """Each of their values comes from the level that has the last word on it, and is told with its place there."""
    text = """\
defaults: {limits: {repeat_window: 5}, hand_back: {within: 300, end_execution: true}}
tools:
  /a: {flow: refunds, limits: {handovers_per_hour: 3}, hand_back: {end_execution: null}}
"""
    write(tmp_path, HEAD + text)
    told = as_text(explained(load(Path("routes.yaml"), environ={}), "POST", "/a")).splitlines()
    rows = [" ".join(line.split()) for line in told if line.startswith(("limits", "hand_back"))]
    assert rows == [
        "limits.handovers_per_hour routes.yaml:6:52 3",
        "limits.repeat_window routes.yaml:4:36 5",
        "hand_back.within routes.yaml:4:60 300",
        "hand_back.end_execution built in false (null in routes.yaml:6:83 removed what was inherited)",
    ]


def test_a_flow_that_no_list_has_is_told_once(tmp_path: Path) -> None:
    """A route that spells out a flow of its own has one line for it."""
    write(tmp_path, f"version: 1\nauth: [twilio_signature]\ntools: {{/a: {{flow: {FLOW}}}}}\n")
    text = as_text(explained(load(Path("routes.yaml"), environ={}), "POST", "/a"))
    assert text.count(FLOW) == 1
    assert f"routes.yaml:3:20  {FLOW}\n" in text


def test_of_many_other_intents_only_some_are_told() -> None:
    """The reasons of a tool with very many intents do not bury the rest."""
    place = Place("routes.yaml", 1, 1)
    others = tuple(OtherIntent(f"i{number}", place, "why") for number in range(12))
    text = as_text(Explanation("POST", "/a", Ending(200), intent=FoundIntent("", "none", "none", others=others)))
    assert "not i9 " in text
    assert "not i10" not in text
    assert "2 more" in text


def test_a_text_cannot_break_its_line(tmp_path: Path) -> None:
    """Control characters of a file or of a call reach no terminal, and one fact stays one line."""
    messages = r'{success: "a\nb\e[31mc", closed: "x\ny"}'
    write(tmp_path, HEAD + f'tools: {{/a: {{flow: refunds, name: "x\\e\\ny", messages: {messages}}}}}\n')
    text = as_text(explained(load(Path("routes.yaml"), environ={}), "POST", "/a", json='{"a": "\\u001b"}'))
    assert "\x1b" not in text
    assert "a b [31mc" in text
    assert "'x y'" in text
