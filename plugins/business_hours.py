"""Sends a customer elsewhere, or asks them to come back, while the desk is closed."""

from __future__ import annotations

from calendar import isleap
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from router import Decline, Handover, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = 24 * 60

SPANS = {
    "type": "array",
    "items": {
        "type": "string",
        # Two equal times might be a whole day or no time at all: what stands first in the pattern refuses them.
        "pattern": r"^(?!(.{5})-\1$)([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        "x-message": "{found} is no span such as '09:00-17:30'; '22:00-02:00' is over midnight, '00:00-24:00' a day",
    },
}
TEXT = {"type": "string", "pattern": r"\S"}
DATE = {
    "type": "string",
    "pattern": r"^([0-9]{4}-)?(?!02-3|(02|04|06|09|11)-31)(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    "x-message": "{found} is no day of the calendar, such as '2026-12-25', or '12-25' for each year",
}


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set; the time zones are those that this machine knows."""
    return {
        "name": "Business hours",
        "version": "1.0",
        "config_schema": {
            "$defs": {"spans": SPANS},
            "type": "object",
            "additionalProperties": False,
            "required": ["timezone", "open", "closed"],
            "properties": {
                "timezone": {
                    "description": "The time zone of the hours, by its name in the IANA database",
                    "enum": files("tzdata").joinpath("zones").read_text("utf-8").split(),
                    "examples": ["Europe/Berlin"],
                    "x-message": "{found} is no time zone that this machine knows, such as Europe/Berlin",
                },
                "open": {
                    "description": "The hours of each day; a day that is not listed is closed",
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {day: {"$ref": "#/$defs/spans"} for day in WEEK},
                },
                "holidays": {
                    "description": "Days that have hours of their own, or none",
                    "type": "array",
                    "items": {
                        **DATE,
                        "type": ["string", "object"],
                        "additionalProperties": False,
                        "required": ["date", "open"],
                        "properties": {"date": DATE, "open": {"$ref": "#/$defs/spans"}},
                    },
                    "default": [],
                },
                "closed": {
                    "description": "What to do outside the hours: decline, or another flow, another sentence, or both",
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"decline": TEXT, "flow": {**TEXT, "x-flow": True}, "message": TEXT},
                    "oneOf": [
                        {"required": ["decline"]},
                        {"anyOf": [{"required": ["flow"]}, {"required": ["message"]}]},
                    ],
                    "x-message": "'closed' wants either 'decline', or 'flow', 'message' or both",
                },
            },
        },
    }


@hookimpl
def started(config: Mapping[str, Any]) -> None:
    """Look for what a schema cannot tell: a 29 February that never comes, and a day that stands there twice.

    Raises ValueError. An entry may leave its keys to the routes, so that any of them can be missing here.
    """
    days = [day_of(holiday) for holiday in config.get("holidays") or ()]
    for day in days:
        if day.endswith("-02-29") and not isleap(int(day[:4])):
            raise ValueError(f"'holidays' has {day}, but that year has no 29 February; take it out")
        if days.count(day) > 1:
            raise ValueError(f"'holidays' has {day} twice; keep one of them")


@hookimpl
def before_swap(handover: Handover, config: Mapping[str, Any]) -> Handover | None:
    """Let the handover pass within the hours; else decline it, or give it another flow or sentence."""
    if is_open(config, handover.at):
        return None
    closed = config["closed"]
    if "decline" in closed:
        raise Decline(closed["decline"])
    return handover.replace(**closed)


def is_open(config: Mapping[str, Any], at: datetime) -> bool:
    """Say whether the clock on the desk's wall shows a time within a span that began on its day, or on the day before.

    Where that clock is put forward an hour never comes; where it is put back one comes twice, and counts twice.
    """
    local = at.astimezone(ZoneInfo(config["timezone"]))
    minute, today = local.hour * 60 + local.minute, local.date()
    this_day, last_night = spans_of(config, today), spans_of(config, today - timedelta(days=1))
    return any(begin <= minute < end for begin, end in this_day) or any(minute + DAY < end for _, end in last_night)


def spans_of(config: Mapping[str, Any], day: date) -> list[tuple[int, int]]:
    """Give the spans that begin on ``day``, in minutes since its midnight.

    A holiday's hours are instead of the week's, and those of a holiday in one year instead of those of each year.
    """
    special = {day_of(holiday): holiday for holiday in config.get("holidays", ())}
    holiday = special.get(f"{day:%Y-%m-%d}") or special.get(f"{day:%m-%d}")
    if holiday is None:
        texts = config["open"].get(WEEK[day.weekday()], ())
    else:
        texts = () if isinstance(holiday, str) else holiday["open"]
    return [minutes_of(text) for text in texts]


@lru_cache
def minutes_of(span: str) -> tuple[int, int]:
    """Give begin and end of a span in minutes since midnight; the end is past 24 hours where it is on the next day."""
    begin, end = (int(time[:2]) * 60 + int(time[3:]) for time in span.split("-"))
    return begin, end if begin < end else end + DAY


def day_of(holiday: str | Mapping[str, Any]) -> str:
    """Give the date of a holiday, with or without a year."""
    return holiday if isinstance(holiday, str) else str(holiday["date"])
