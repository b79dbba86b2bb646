"""The cells of the matrix: each request to Twilio on each path, and each fault that it may meet, once or in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from router.model.webhook import WebhookSpec
from router.sandbox.faults import Kind
from router.twilio.transport import Limits
from tests.kit import BILLING, CREATE, DELETE, FETCH, FOREIGN, LIST, NEWEST, REDIRECT, WRITE

A_WHILE: Final = 12
"""So many requests in a row are struck: more than the repeats, the looks between them and the first repairs."""

BRIEF: Final = Limits(total=0.3, connect=0.3)
"""So short a patience that time-outs cost little."""

FAULTS: Final[dict[str, dict[str, Any]]] = {
    "429": {"kind": Kind.RATE_LIMITED},
    "429-wait": {"kind": Kind.RATE_LIMITED, "retry_after": 1},
    "429-wait-long": {"kind": Kind.RATE_LIMITED, "retry_after": 60},
    "500": {"kind": Kind.SERVER_ERROR},
    "503": {"kind": Kind.UNAVAILABLE},
    "502-html": {"kind": Kind.HTML_ERROR},
    "time-out-before": {"kind": Kind.SLOW, "delay": BRIEF.total + 0.03},
    "time-out-after": {"kind": Kind.SLOW_AFTER, "delay": BRIEF.total + 0.03},
    "reset-before": {"kind": Kind.CUT_BEFORE},
    "reset-after": {"kind": Kind.CUT_AFTER},
    "wrong-json": {"kind": Kind.BAD_JSON},
    "401": {"kind": Kind.REFUSED, "status": 401, "code": 20003},
    "404": {"kind": Kind.REFUSED, "status": 404, "code": 20404},
    "50361": {"kind": Kind.REFUSED, "code": 50361},
    "50377": {"kind": Kind.REFUSED, "code": 50377},
    "50391": {"kind": Kind.REFUSED, "status": 409, "code": 50391},
    "50349": {"kind": Kind.REFUSED, "status": 409, "code": 50349},
    "50449": {"kind": Kind.REFUSED, "status": 409, "code": 50449},
}
FINAL: Final = ("404", "50377")
"""Twilio's clear word that nothing can be changed in this conversation any more."""

RUN: Final = ("GET", "run")
RUNS: Final = ("GET", "runs")
END: Final = ("POST", "run")
"""The requests about executions."""

NAMES: Final = {
    LIST: "list",
    FETCH: "fetch",
    NEWEST: "newest",
    WRITE: "write",
    CREATE: "create",
    REDIRECT: "redirect",
    DELETE: "delete",
    RUN: "execution",
    RUNS: "executions",
    END: "end",
}


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the code: how the conversation begins, and what is asked of Twilio then."""

    name: str
    requests: tuple[tuple[str, str], ...]
    tool: str = "/tools/plain"
    with_agent: bool = True
    on_service: bool = False
    webhooks: tuple[WebhookSpec, ...] = ()
    is_back: bool = False
    has_run: bool = False
    names_run: bool = False


HANDOVER: Final = (
    Path("room", (LIST, CREATE, DELETE), webhooks=FOREIGN[:2]),
    Path("attributes-replay", (LIST, FETCH, NEWEST, WRITE, CREATE, DELETE), "/tools/rich", webhooks=FOREIGN[:2]),
    Path("full-house", (LIST, FETCH, WRITE, DELETE, CREATE), "/tools/rich", webhooks=FOREIGN[:4]),
    Path("another-flow", (LIST, REDIRECT), with_agent=False, webhooks=(WebhookSpec.studio(BILLING), FOREIGN[0])),
    Path("another-flow-and-agent", (LIST, REDIRECT, DELETE), webhooks=(WebhookSpec.studio(BILLING), FOREIGN[0])),
    Path("on-service", (LIST, CREATE), with_agent=False, on_service=True, webhooks=FOREIGN[:1]),
)
BACK: Final = (
    Path("back-room", (LIST, CREATE, DELETE), webhooks=FOREIGN[:2], is_back=True),
    Path("back-full-house", (LIST, DELETE, CREATE), webhooks=FOREIGN[:4], is_back=True),
    Path("back-execution", (RUN,), is_back=True, has_run=True, names_run=True),
    Path("back-executions", (RUNS,), is_back=True, has_run=True),
    Path("back-end", (END,), "/tools/ending", is_back=True, has_run=True, names_run=True),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One fault at one request of one path."""

    path: Path
    request: tuple[str, str]
    fault: str
    times: int

    def __str__(self) -> str:
        return f"{self.path.name}-{NAMES[self.request]}-{self.fault}-x{self.times}"


CELLS: Final = tuple(
    Cell(path, request, fault, times)
    for path in (*HANDOVER, *BACK)
    for request in path.requests
    for fault in FAULTS
    for times in (1, A_WHILE)
)


def is_believed(cell: Cell) -> bool:
    """Say whether a cell cannot hold, since Twilio's clear word is believed, and the fault makes it an untruth.

    There is nothing more to do in a conversation that is gone or closed, and no webhook to remove where Twilio knows
    none. While the handover has not begun to remove anything, such a word harms nobody: it is told, and that is all.
    """
    if cell.fault not in FINAL or cell.request in (RUN, RUNS, END):
        return False
    if cell.request == DELETE and cell.path.is_back:
        return cell.fault != "404" or cell.times > 1
    if cell.request == DELETE:
        return cell.path.name != "full-house"
    return cell.path.is_back or (cell.path.name == "full-house" and cell.request == CREATE)


def is_told(cell: Cell) -> bool:
    """Say whether the row tells of Twilio's word: where a webhook was to go, that is as good as gone."""
    return cell.request != DELETE or (cell.path.is_back and cell.fault != "404")
