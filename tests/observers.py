"""Two observers that write down what they hear: one at once, and one in the background, which may be told to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

NOTES: Final = """
import json
from pathlib import Path

def note(config, hook, handover, what=""):
    about = [hook, handover.id, what, handover.identity, dict(handover.inputs), handover.message, config["mark"]]
    with Path(config["file"]).open("a") as file:
        print(json.dumps(about), file=file)

@hookimpl
def after_swap(handover, outcome, config):
    note(config, "after_swap", handover, outcome)

@hookimpl
def swap_failed(handover, error, config):
    note(config, "swap_failed", handover, f"{getattr(error, 'kind', type(error).__name__)}: {error}")

@hookimpl
def after_hand_back(handover, config):
    note(config, "after_hand_back", handover)
"""

AT_ONCE: Final = NOTES
LATER: Final = (
    NOTES
    + """
@hookimpl
def plugin_info():
    return {"background": True}
"""
)


@dataclass(frozen=True)
class Heard:
    """One line of what was written."""

    hook: str
    handover: str
    what: str
    identity: str
    inputs: dict[str, Any]
    message: str
    mark: str


def entries(directory: Path, **marks: str) -> str:
    """Switch both on, each with a file of its own."""
    listed = [
        json.dumps(
            {"use": name, "config": {"file": str(directory / name), "mark": marks.get(name.replace("-", "_"), "")}}
        )
        for name in ("at-once", "later")
    ]
    return f"plugins: [{', '.join(listed)}]\n"


PLUGINS: Final = {"at_once": AT_ONCE, "later": LATER}


def heard(directory: Path, name: str) -> list[Heard]:
    """Read what one of them has heard so far."""
    file = directory / name
    return [Heard(*json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def deafen(directory: Path, name: str) -> None:
    """Let one of them fail from now on: its file is a directory."""
    (directory / name).mkdir()


def cure(directory: Path, name: str) -> None:
    """Let it hear again."""
    (directory / name).rmdir()
