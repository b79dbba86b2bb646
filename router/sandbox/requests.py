"""Reading what a REST request says: its form, its page of a list, and the webhook that it describes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from router.model.sids import is_sid
from router.model.webhook import Target, WebhookSpec
from router.sandbox import refusals
from router.sandbox.events import FILTERS
from router.sandbox.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

_SHOWN: Final = 40
"""So many names, and characters of a name, an explanation shows."""

LONGEST_URL: Final = 512
LONGEST_KEYWORD: Final = 248
MOST_KEYWORDS: Final = 5
LONGEST_BODY: Final = 1600
"""Characters that a message may have (docs/twilio.md, MESSAGE-CREATE)."""

LONGEST_ATTRIBUTES: Final = 16 * 1024
LONGEST_SMALL_ATTRIBUTES: Final = 4 * 1024
"""Bytes of attributes that a message or participant may have (docs/twilio.md, ATTRIBUTES)."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form body: each name with all of its values. What an endpoint does not know it ignores, as Twilio does.

    The sandbox's own endpoints refuse it by ``strange``: nobody but a person writes to them.
    """

    values: Mapping[str, Sequence[str]]

    @classmethod
    async def of(cls, request: Request) -> Form:
        """Read the body of ``request``."""
        text = (await request.body()).decode("utf-8", "replace")
        return cls(parse_qs(text, keep_blank_values=True))

    def one(self, name: str, default: str = "") -> str:
        """Give the last value of ``name``."""
        return self.values[name][-1] if name in self.values else default

    def every(self, name: str) -> tuple[str, ...]:
        """Give all values of ``name``."""
        return tuple(self.values.get(name, ()))

    def strange(self, *known: str) -> str:
        """Say which names are none of ``known``, and which were expected; empty where there is none."""
        names = [name for name in self.values if name not in known]
        if not names:
            return ""
        found = ", ".join(repr(name[:_SHOWN]) for name in names[:_SHOWN])
        expected = " ".join(f"{name}=..." for name in known)
        return f"the body has fields that nobody reads here: found {found}, expected a form of {expected}"

    def whole(self, name: str) -> int | None:
        """Give a whole number, or None where ``name`` is missing; refuses anything else."""
        return _whole(name, self.one(name)) if name in self.values else None


def page_of(
    request: Request, items: Sequence[dict[str, Any]], *, key: str, url: str, size: int, most: int
) -> dict[str, Any]:
    """Cut one page out of a list: ``size`` entries unless asked for another number, never over ``most``.

    A larger ``PageSize`` is brought down, not refused (docs/twilio.md, WEBHOOK-PAGES).
    """
    asked = request.query_params
    per_page = min(max(_whole("PageSize", asked.get("PageSize", str(size))), 1), most)
    page = _whole("Page", asked.get("Page", "0"))
    begin = page * per_page

    def link(number: int) -> str:
        kept = {name: value for name, value in asked.items() if name not in ("PageSize", "Page", "PageToken")}
        return f"{url}?{urlencode({**kept, 'PageSize': per_page, 'Page': number})}"

    meta = {
        "page": page,
        "page_size": per_page,
        "first_page_url": link(0),
        "previous_page_url": link(page - 1) if page else None,
        "url": link(page),
        "next_page_url": link(page + 1) if begin + per_page < len(items) else None,
        "key": key,
    }
    return {key: list(items[begin : begin + per_page]), "meta": meta}


def checked_attributes(text: str, most: int) -> str:
    """Give attributes back if they are JSON and at most ``most`` bytes long."""
    if len(text.encode()) > most:
        raise Refused(refusals.ATTRIBUTES_TOO_LONG, f"Attributes too long, at most {most} bytes")
    try:
        json.loads(text)
    except ValueError:
        raise Refused(refusals.ATTRIBUTES_NOT_JSON, "Attributes not valid JSON") from None
    return text


def checked_body(text: str) -> str:
    """Give the text of a message back if it is short enough; which code Twilio has for a longer one is not said."""
    if len(text) > LONGEST_BODY:
        raise Refused(refusals.INVALID_PARAMETER, f"Body too long, at most {LONGEST_BODY} characters")
    return text


def new_webhook(form: Form) -> WebhookSpec:
    """Read the webhook that a creation describes; refuses with the codes of docs/twilio.md, ERROR-CODES."""
    if not form.one("Target"):
        raise Refused(refusals.NO_TARGET, "Scoped webhook target is missing")
    if form.one("Target") not in set(Target):
        raise Refused(refusals.BAD_TARGET, "Scoped webhook target is invalid: webhook, studio or trigger")
    return changed_webhook(WebhookSpec(target=Target(form.one("Target")), method="POST"), form)


def changed_webhook(spec: WebhookSpec, form: Form) -> WebhookSpec:
    """Read what an update changes; the target stays what it is (docs/twilio.md, WEBHOOK-UPDATE)."""
    changed = replace(
        spec,
        url=form.one("Configuration.Url", spec.url),
        method=form.one("Configuration.Method", spec.method),
        filters=form.every("Configuration.Filters") or spec.filters,
        triggers=form.every("Configuration.Triggers") or spec.triggers,
        flow=form.one("Configuration.FlowSid", spec.flow),
    )
    _check_filters(changed)
    if changed.target == Target.STUDIO:
        if not is_sid("FW", changed.flow):
            raise Refused(refusals.BAD_FLOW, "Scoped webhook flow SID is malformed or missing")
        return changed
    _check_url(changed)
    if changed.target == Target.TRIGGER:
        _check_keywords(changed)
    return changed


def _check_filters(spec: WebhookSpec) -> None:
    if not FILTERS.issuperset(spec.filters):
        raise Refused(refusals.BAD_FILTER, f"Scoped webhook filter is invalid, expected some of {sorted(FILTERS)}")


def _check_url(spec: WebhookSpec) -> None:
    if not spec.url:
        raise Refused(refusals.NO_URL, "Scoped webhook URL is missing")
    if len(spec.url) > LONGEST_URL:
        raise Refused(refusals.URL_TOO_LONG, f"Scoped webhook URL is too long, at most {LONGEST_URL} characters")
    if spec.method.upper() not in ("GET", "POST"):
        raise Refused(refusals.INVALID_PARAMETER, "Configuration.Method must be GET or POST")


def _check_keywords(spec: WebhookSpec) -> None:
    if not spec.triggers:
        raise Refused(refusals.NO_KEYWORD, "Scoped webhook keywords are missing")
    if len(spec.triggers) > MOST_KEYWORDS:
        raise Refused(refusals.TOO_MANY_KEYWORDS, f"Scoped webhook has too many keywords, at most {MOST_KEYWORDS}")
    if not all(keyword and len(keyword) <= LONGEST_KEYWORD for keyword in spec.triggers):
        raise Refused(refusals.BAD_KEYWORD, "Scoped webhook keyword is empty or too long")


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise Refused(refusals.INVALID_PARAMETER, f"{name} must be a whole number, found {text[:40]!r}")
    return int(text)
