"""What there is to tell of one call: plain facts, the same for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from router.explanation.userinfo import without_userinfo
from router.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.sources import Setting, Written, WrittenPlugin


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry of ``auth``: where it stands, and what the call shows for it. A signature is not checked here."""

    kind: str
    place: Place | None
    told: str
    holds: bool | None
    """The call holds it, or not; None where only the server can tell."""


@dataclass(frozen=True, slots=True)
class OtherIntent:
    """An intent that the call did not reach, and why."""

    name: str
    place: Place
    why: str


@dataclass(frozen=True, slots=True)
class FoundIntent:
    """What the looking for an intent brought. ``name`` is empty where none was found, or the tool has none.

    ``by`` is name, alias or fallback; none where nothing was found, tool where the tool has no intents. ``place`` is
    that of the intent, ``match`` the alias or the fallback as it is written.
    """

    name: str
    by: str
    told: str
    place: Place | None = None
    match: Written | None = None
    others: tuple[OtherIntent, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """The flow that is reached: who names it (None: the URL), and where ``flows`` lists it (None: nowhere).

    Where it is a target, ``sid`` is its name and ``plugin`` the plugin that registers it.
    """

    alias: str
    sid: str
    named: Written | None
    listed: Written | None
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class FoundTool:
    """The tool that the path names."""

    path: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Ending:
    """What comes of the call if it proves itself, and Twilio and the plugins agree.

    ``status`` is the HTTP status, and ``outcome`` is empty where that is not 200. ``why`` says what kept the call from
    a flow. ``says`` is the sentence for the model, ``message`` its key under ``messages``, empty where the URL gave it.
    """

    status: int
    why: str = ""
    outcome: str = ""
    says: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it; what the call did not get to is None or empty.

    ``url`` has no values of the query, as some are secrets; ``person`` is masked. ``messages`` are the route's where a
    flow is reached, else only the one that is told.
    """

    method: str
    url: str
    ending: Ending
    tool: FoundTool | None = None
    proofs: tuple[Proof, ...] = ()
    session: str = ""
    person: str = ""
    set_by_url: Mapping[str, Any] = field(default_factory=dict)
    intent: FoundIntent | None = None
    flow: FoundFlow | None = None
    settings: tuple[Setting, ...] = ()
    messages: tuple[Setting, ...] = ()
    plugins: tuple[WrittenPlugin, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def reaches_a_flow(self) -> bool:
        """The call is handed over, or would be if this were not a dry run."""
        return self.flow is not None

    @property
    def is_proved(self) -> bool | None:
        """The call passes one of ``auth``; None where a signature decides, which only the server can check."""
        held = {proof.holds for proof in self.proofs}
        return True if True in held else None if None in held else False

    def as_json(self) -> dict[str, Any]:
        """Give the facts by their names, places as ``file``, ``line`` and ``column``, URLs without their passwords."""
        whole: dict[str, Any] = _plain(self)
        return {"reaches_a_flow": self.reaches_a_flow, "is_proved": self.is_proved, **whole}


def _plain(value: Any) -> Any:
    if isinstance(value, Place):
        return value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return without_userinfo(value) if isinstance(value, str) else value
