"""What the tests of explanations share: a file with something of everything, and a call explained in a line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from router.explanation.calling import request_of
from router.explanation.explain import explain
from tests.config.kit import FLOW, OTHER, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Loaded
    from router.explanation.explanation import Explanation

NOW = datetime(2026, 1, 31, 17, 30, tzinfo=UTC)
SECRET = "hunter2-and-more"  # made up
UNLISTED = "FW00000000000000000000000000000009"
FILE = f"""\
version: 1
flows:
  refunds: {FLOW}
  billing: "${{env:BILLING:-{OTHER}}}"
auth: [twilio_signature, secret: "${{env:SECRET:-}}"]
plugins: [{{use: audit, config: {{token: "${{env:SECRET:-}}", level: 2}}}}, {{use: trace}}]
tools:
  /support:
    name: Support
    messages: {{success: "Order {{input.order}} of {{identity}} goes on."}}
    intents:
      refund: {{flow: refunds, aliases: [money back, chargeback], plugins: {{trace: false}}}}
      billing: {{flow: billing, dry_run: true}}
      other: {{flow: {OTHER}, aliases: [invoice]}}
  /falling: {{intent: wish, fallback: other, intents: {{refund: {{flow: refunds}}, other: {{flow: billing}}}}}}
  /plain: {{flow: refunds}}
  /recipe: {{flow: refunds, query: [flowSid, successMessage]}}
  /bare: {{query: [flowSid]}}
"""


def configured(directory: Path, secret: str = "") -> Loaded:
    return loaded(directory, FILE, {"SECRET": secret}, audit="None", trace="None")


def explained(config: Loaded, method: str, url: str, **parts: Any) -> Explanation:
    return explain(request_of(method, url, **parts), config.routes, config.sources, at=NOW)
