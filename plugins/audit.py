"""Writes one line of JSON for each turn that a handover takes, for an audit or a dashboard."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router import Handover, Outcome, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO

STDOUT = "-"
LONGEST = 1000
"""Characters of an input: what a model wrote must not fill the disk."""

CUT = "… (cut)"


@hookimpl
def plugin_info() -> dict[str, Any]:
    """Say what routes.yaml may set."""
    return {
        "name": "Audit",
        "version": "1.0",
        "blocking": True,  # to write to a file is to wait for a disk
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "path": {
                    "description": "The file that lines are added to; - is standard output",
                    "type": "string",
                    "minLength": 1,
                    "default": STDOUT,
                },
                "include": {
                    "description": "The inputs to write; none unless listed, as they may tell of the customer",
                    "type": "array",
                    "items": {"type": "string"},
                    "uniqueItems": True,
                    "default": [],
                },
            },
        },
    }


class Journal:
    """A file that whole lines are added to, by several processes too; ``-`` is standard output.

    Raises OSError where it cannot be opened or written.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._is_stdout = path == STDOUT
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._is_torn = False
        self._has_ended = False

    def open(self) -> FileIO:
        """Give the file, opened where it is not, and anew where it was moved away: its log was rotated."""
        if self._file is not None and self._was_moved(self._file):
            self.close()
        if self._file is None:
            self._file = self._opened()
        return self._file

    def add(self, text: bytes) -> None:
        """Add a line by one write, which the system does not mix with those of others."""
        with self._lock:
            if self._has_ended:
                raise OSError("the plugin was stopped before the line could be written")
            line = b"\n" * self._is_torn + text + b"\n"
            written = self.open().write(line) or 0  # None where whoever reads it is too slow
            self._is_torn = written < len(line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written; is the disk full?")

    def end(self) -> None:
        """Close it for good: a thread that comes late does not open it again."""
        self._has_ended = True
        self.close()

    def close(self) -> None:
        """Close the file, but not standard output."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _was_moved(self, file: FileIO) -> bool:
        try:
            return not (self._is_stdout or os.path.samestat(self._path.stat(), os.fstat(file.fileno())))
        except FileNotFoundError:
            return True

    def _opened(self) -> FileIO:
        if self._is_stdout:
            return open(1, "wb", buffering=0, closefd=False)
        directory = self._path.absolute().parent
        if not directory.is_dir():
            raise FileNotFoundError(f"there is no directory {directory}; make it, or change 'path'")
        return open(self._path, "ab", buffering=0, opener=private)


# A plugin's file is executed anew at each load: these belong to one app. A route may have a path of its own.
JOURNALS: dict[str, Journal] = {}


@hookimpl
def started(config: Mapping[str, Any]) -> None:
    """Open the file, so that one that cannot be written is found before the first call."""
    journal_of(config).open()


@hookimpl
def after_swap(handover: Handover, outcome: Outcome, config: Mapping[str, Any]) -> None:
    """Write that the flow answers."""
    journal_of(config).add(line_of("accepted", handover, config, outcome=outcome))


@hookimpl
def swap_failed(handover: Handover, error: Exception, config: Mapping[str, Any]) -> None:
    """Write that it does not. Of the error the kind alone is written: its text may tell of the customer."""
    journal_of(config).add(line_of("failed", handover, config, outcome=Outcome.FAILED, reason=type(error).__name__))


@hookimpl
def after_hand_back(handover: Handover, config: Mapping[str, Any]) -> None:
    """Write that the agent answers again."""
    journal_of(config).add(line_of("completed", handover, config))


@hookimpl
def stopped() -> None:
    """Close what was opened."""
    while JOURNALS:
        JOURNALS.popitem()[1].end()


def journal_of(config: Mapping[str, Any]) -> Journal:
    """Give the journal that a route writes to."""
    path = config.get("path") or STDOUT
    return JOURNALS.setdefault(path, Journal(path))


def private(path: str, flags: int) -> int:
    """Open a file that nobody else may read, where it is new."""
    return os.open(path, flags, 0o600)


def line_of(state: str, handover: Handover, config: Mapping[str, Any], **more: str) -> bytes:
    """Give what is written: bounded ASCII, on one line whatever the model wrote."""
    about: dict[str, Any] = {
        "event": "handoff.status",
        "state": state,
        "at": stamp(datetime.now(UTC)),
        "handover_id": handover.id,
        "called_at": stamp(handover.at),
        "conversation": handover.conversation,
        "tool": handover.tool,
        "intent": handover.intent,
        "flow": handover.flow,
        **more,
    }
    chosen = [name for name in config.get("include", []) if name in handover.inputs]
    if chosen:
        about["inputs"] = {name: bounded(handover.inputs[name]) for name in chosen}
    return json.dumps(about).encode()


def stamp(time: datetime) -> str:
    """Write a time in UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bounded(value: Any) -> Any:
    """Give ``value`` itself, or, where it is too long, the beginning of its text and a mark."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT
