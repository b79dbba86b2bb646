"""What a plugin asks of Twilio: any request of its REST API, by one verb. ``router/twilio`` answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

Fields: TypeAlias = Mapping[str, str | Sequence[str]]
"""The fields of a form or a query: a text, or a list of texts, which goes as a repeated name."""

NOTHING: Final[Fields] = MappingProxyType({})
"""No form, no query."""


class Twilio(Protocol):
    """Twilio's REST API for a plugin. Credentials, region, base URL, time-outs and repeats are ours."""

    async def request(self, method: str, url: str, *, form: Fields = NOTHING, query: Fields = NOTHING) -> Any:
        """Ask Twilio, and give the JSON object that it answers, or None for an empty answer.

        ``method`` is GET, POST or DELETE; ``url`` is one of Twilio's, as its documentation has it. A GET or DELETE is
        repeated where its end is not certain, a POST only where Twilio did not take it up. For a dry run writes are
        not made: a POST gives an empty object then. Raises TwilioRefused, TwilioBusy or TwilioUncertain, and
        ValueError or TypeError for a request that cannot be right, of which nothing is sent.
        """
        ...
