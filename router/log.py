"""The log: one line an event, JSON for machines and colours for a terminal; a logger of the app's own."""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

_ENCODER: Final = msgspec.json.Encoder(enc_hook=repr)
_LENIENT: Final = json.JSONEncoder(ensure_ascii=False, default=repr)


def new_log(stream: TextIO) -> FilteringBoundLogger:
    """Make a logger that writes to ``stream``."""
    renderer: Processor = _as_json
    if stream.isatty():
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    log: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(stream),
        processors=[
            structlog.processors.add_log_level,
            _with_time,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    ).bind()  # once for all: what is not bound is put together anew for each line
    return log


def _with_time(_log: object, _method: str, event: EventDict) -> EventDict:
    """Add the time as ``isoformat`` has it, with a Z: msgspec writes it in a fifth of what that takes."""
    event["timestamp"] = msgspec.to_builtins(datetime.now(UTC))
    return event


def _as_json(_log: object, _method: str, event: EventDict) -> str:
    """Write it with a space after each comma and colon, as json does: so people search for it."""
    try:
        return msgspec.json.format(_ENCODER.encode(event), indent=0).decode()
    except ValueError:  # half of a surrogate pair, as a plugin may tell it
        return _LENIENT.encode(event)


def hear_libraries(log: FilteringBoundLogger) -> None:
    """Let what plugins and libraries tell Python's ``logging``, from INFO on, come out as lines of ``log``.

    That is a matter of the whole process, for whoever owns it. What tells every step is heard from WARNING on.
    """
    logging.basicConfig(level=logging.INFO, handlers=[_Passing(log)])
    for talkative in ("aiohttp", "alembic", "asyncio", "sqlalchemy"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


class _Passing(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = f"{record.msg} (its arguments do not fit it)"
        self._log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info or False)


class _Lines:
    """Writes lines, one at a time, to a stream whose reader may go away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):
            return  # a handover must not fail for want of somebody who reads the log

    debug = info = warning = error = critical = write
