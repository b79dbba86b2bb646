"""Every error that the router raises on purpose, in one tree.

::

    HandoverError
    ├── ConfigError            routes.yaml has faults; carries its diagnostics
    ├── SettingsError          the environment lacks something; says what to set
    ├── BadRequest             a caller's request cannot be read (400)
    ├── LedgerError            the ledger cannot be read or written now
    ├── RowGone                a row that must be in the ledger is not
    ├── NotAttached            a handover came to nothing, which is told when its call is over
    └── TwilioError            Twilio did not do what we asked
        ├── TwilioRefused      it said no for good: nothing was changed
        ├── TwilioBusy         it did not take the request up: nothing was changed, try again
        └── TwilioUncertain    no readable answer: it may have been done, or not

It stands apart from its users so that each room may raise its part without importing another room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.model.diagnostic import Diagnostic


class HandoverError(Exception):
    """The root: catch it to catch everything that we raise on purpose."""


class ConfigError(HandoverError):
    """``routes.yaml`` has faults. A user meets it at start, in ``check`` and on reload."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))


class SettingsError(HandoverError):
    """The environment lacks a setting or has one that cannot be right. A user meets it at start."""


class BadRequest(HandoverError):
    """A request's body cannot be read. A caller meets it as a 400 with this text."""


class LedgerError(HandoverError):
    """The ledger cannot be read or written now: a full disk, a lock, no server. Nothing was half written."""


class RowGone(HandoverError):
    """A row that must be in the ledger is not: somebody has removed it, or an older ledger was restored."""


class NotAttached(HandoverError):
    """A handover came to nothing; a plugin meets it where it is told so from the ledger, when the call is long over.

    ``kind`` is the class of the error that ended it, as a text: the ledger keeps no more than that, and its words.
    """

    def __init__(self, text: str, kind: str = "NotAttached") -> None:
        self.kind = kind
        super().__init__(text)


class TwilioError(HandoverError):
    """Twilio did not do what we asked.

    ``status`` is the HTTP status (0 where there was no answer), ``code`` Twilio's own error code (0 where it gave
    none), ``retry_after`` the seconds that Twilio asked us to wait, or None, ``request_id`` Twilio's name for the
    request (``RQ…``) or an empty text.
    """

    def __init__(
        self,
        operation: str,
        message: str,
        *,
        status: int = 0,
        code: int = 0,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        self.operation = operation
        self.message = message
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id
        super().__init__(operation, message)

    def __str__(self) -> str:
        facts = [f"HTTP {self.status}"] if self.status else []
        facts += [f"code {self.code}"] if self.code else []
        facts += [f"request {self.request_id}"] if self.request_id else []
        return f"{self.operation}: {self.message}" + (f" ({', '.join(facts)})" if facts else "")


class TwilioRefused(TwilioError):
    """Twilio said no for good: nothing was changed and asking again brings the same answer."""


class TwilioBusy(TwilioError):
    """Twilio did not take the request up (rate limit, conflict, no connection): nothing was changed."""


class TwilioUncertain(TwilioError):
    """No readable answer came (5xx, time-out, cut connection, broken JSON): it may have been done, or not."""
