"""Where the random walks take place: the routes, the flows, the agent and the webhooks of others."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from router.config import load
from router.model.webhook import MESSAGE_ADDED, Target, WebhookSpec

if TYPE_CHECKING:
    from router.config import Loaded

REFUNDS: Final = "FW00000000000000000000000000000001"
BILLING: Final = "FW00000000000000000000000000000002"
AGENT_URL: Final = "https://agent-1234.twil.io/channels/conversations/messageAdded?assistant=1"
AGENT: Final = WebhookSpec(Target.WEBHOOK, AGENT_URL, "POST", (MESSAGE_ADDED,))
STRANGERS: Final = tuple(
    WebhookSpec(Target.WEBHOOK, f"https://{name}.example.com/hook", "POST", (MESSAGE_ADDED,))
    for name in ("logs", "crm", "stats", "audit")
)
"""With a fifth of them, nobody could answer: they would take every place that there is."""

KINDS: Final = ((), (AGENT,), (AGENT, *STRANGERS[:2]), (AGENT, *STRANGERS), (AGENT, *STRANGERS[:3]))
"""What the conversations begin with; in the first one the agent sits on the service."""

ROUTES: Final = f"""
version: 1
flows: {{refunds: {REFUNDS}, billing: {BILLING}}}
auth: [secret: unused-here]
assistant_webhooks: ["https://*.twil.io/channels/conversations/messageAdded*"]
defaults: {{limits: {{handovers_per_hour: 100}}}}
plugins: [{{use: notes}}, {{use: people}}]
tools:
  /tools/refunds: {{flow: refunds, replay: last_message}}
  /tools/billing: {{flow: billing, hand_back: {{within: 20, end_execution: true}}}}
  /tools/people: {{flow: people}}
"""
PLUGIN: Final = """
from router import hookimpl

@hookimpl
async def add_attributes(handover):
    return {"ours": handover.id}
"""
TARGET: Final = """
from router import Target, hookimpl

URL = "https://people.twilio.com/"

class People(Target):
    async def start(self, handover, twilio):
        return (await twilio.request("POST", URL + handover.conversation))["sid"]

    async def find(self, reference, handover, twilio):
        found = (await twilio.request("GET", URL + handover.conversation))["sids"]
        return reference if reference in found else found[-1] if found else None

    async def stop(self, reference, handover, twilio):
        await twilio.request("DELETE", URL + handover.conversation + "/" + reference)

@hookimpl
def register_targets():
    return {"people": People()}
"""
"""A target as simple as can be: what it begins is listed, and goes on until it is stopped."""

TOOLS: Final = {"/tools/refunds": REFUNDS, "/tools/billing": BILLING, "/tools/people": "people"}

_LOADED: list[Loaded] = []


def loaded() -> Loaded:
    """Load the routes, once."""
    if not _LOADED:
        with TemporaryDirectory() as directory:
            (Path(directory) / "plugins").mkdir()
            (Path(directory) / "plugins" / "notes.py").write_text(PLUGIN)
            (Path(directory) / "plugins" / "people.py").write_text(TARGET)
            (Path(directory) / "routes.yaml").write_text(ROUTES)
            _LOADED.append(load(Path(directory) / "routes.yaml", environ={}))
    return _LOADED[0]
