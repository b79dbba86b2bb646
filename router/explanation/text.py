"""An explanation for people: what it is, where it was written, how it stands there; one line a fact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from router.explanation.userinfo import without_userinfo
from router.model.messages import one_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.config.sources import Setting, Written, WrittenPlugin
    from router.explanation.explanation import Explanation, FoundFlow, FoundIntent
    from router.model.place import Place

_BUILT_IN: Final = "built in"
_BY_URL: Final = "the URL"
_PROOF_COMES_FIRST: Final = (200, 400)
_MOST: Final = 10
"""So many of the other intents are told."""


class _Row(NamedTuple):
    label: str
    where: str = ""
    text: str = ""


def as_text(told: Explanation) -> str:
    """Write the explanation in three columns, the places in the middle, the ending last."""
    rows = [*_call(told), *_route(told)]
    rows += [*([_Row("")] if rows else []), *_ending(told)]
    first = max(len(row.label) for row in rows)
    second = max(len(row.where) for row in rows)
    lines = (f"{row.label:{first}}  {row.where:{second}}  {_shown(row.text)}".rstrip() for row in rows)
    return "\n".join((_shown(f"{told.method} {told.url}"), "", *lines))


def _call(told: Explanation) -> Iterator[_Row]:
    if told.tool is not None:
        yield _Row("tool", _at(told.tool.place), " ".join(filter(None, (told.tool.path, _quoted(told.tool.name)))))
    for label, proof in zip(_labels("proof", told.proofs), told.proofs, strict=True):
        yield _Row(label, _at(proof.place), proof.told)
    if told.session:
        yield _Row("conversation", "", told.session)
    if told.person:
        yield _Row("person", "", told.person)
    for name, value in told.set_by_url.items():
        yield _Row(name, _BY_URL, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    for label, note in zip(_labels("note", told.notes), told.notes, strict=True):
        yield _Row(label, "", note)


def _route(told: Explanation) -> Iterator[_Row]:
    if told.intent is not None:
        yield from _intent(told.intent)
    if told.flow is not None:
        yield from _flow(told.flow)
    for setting in told.settings:
        yield _setting(setting.key, setting)
    if told.messages:
        yield _Row("messages")
    for message in told.messages:
        yield _setting(f"  {message.key}", message)
    for number, plugin in enumerate(told.plugins, 1):
        yield from _plugin(number, plugin)


def _intent(intent: FoundIntent) -> Iterator[_Row]:
    yield _Row("intent", str(intent.place or ""), intent.told)
    if intent.match is not None:
        yield _Row(f"  {intent.by}", _at(intent.match.place), _told(intent.match))
    for other in intent.others[:_MOST]:
        yield _Row(f"  not {other.name}", _at(other.place), other.why)
    if len(intent.others) > _MOST:
        yield _Row("  not", "", f"{len(intent.others) - _MOST} more")


def _flow(flow: FoundFlow) -> Iterator[_Row]:
    if flow.named is None:
        yield _Row("flow", _BY_URL, f"{flow.sid}")
    else:
        yield _Row("flow", _at(flow.named.place), _told(flow.named))
    if flow.listed is not None:
        origin = f", {flow.listed.hidden}" if flow.listed.hidden else ""
        yield _Row("", _at(flow.listed.place), f"{_quoted(flow.alias)} is {flow.sid}{origin}")
    if flow.plugin:
        yield _Row("", "", f"{_quoted(flow.alias)} is a target of the plugin {_quoted(flow.plugin)}")


def _plugin(number: int, plugin: WrittenPlugin) -> Iterator[_Row]:
    label = f"plugin {number}"
    yield _Row(label, _at(plugin.place), plugin.name)
    if plugin.off is not None:
        yield _Row("  off", _at(plugin.off), "switched off for this route")
        return
    yield _Row("  on_error", _at(plugin.on_error.place), _told(plugin.on_error))
    for setting in plugin.config:
        yield _setting(f"  {setting.key}", setting, quotes=True)


def _ending(told: Explanation) -> Iterator[_Row]:
    ending = told.ending
    if ending.why:
        yield _Row("why not", "", ending.why)
    if ending.outcome:
        if_well = ", if Twilio and the plugins agree" if told.reaches_a_flow else ""
        yield _Row("outcome", "", f"{ending.outcome}{if_well}")
        yield _Row("told", f"messages.{ending.message}" if ending.message else _BY_URL, ending.says)
    else:
        yield _Row("answer", "", f"HTTP {ending.status}")
    if ending.status in _PROOF_COMES_FIRST and not told.is_proved:
        reason = "the call proves nothing, so" if told.is_proved is False else "if the signature is wrong,"
        yield _Row("but", "", f"{reason} the server answers HTTP 403")


def _setting(label: str, setting: Setting, *, quotes: bool = False) -> _Row:
    written = setting.written
    by_null = f" (null in {written.removed_by} removed what was inherited)" if written.removed_by else ""
    return _Row(without_userinfo(label), _at(written.place), _told(written, quotes=quotes) + by_null)


def _told(written: Written, *, quotes: bool = False) -> str:
    if written.hidden:
        return written.hidden
    is_plain = isinstance(written.value, str) and not quotes
    return str(written.value) if is_plain else json.dumps(written.value, ensure_ascii=False)


def _shown(text: str) -> str:
    return one_sentence(without_userinfo(text))


def _at(place: Place | None) -> str:
    return _BUILT_IN if place is None else str(place)


def _quoted(text: str) -> str:
    return f"'{text}'" if text else ""


def _labels(label: str, items: Sequence[object]) -> list[str]:
    return [label, *[""] * (len(items) - 1)] if items else []
