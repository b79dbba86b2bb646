from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from router import bundled
from router.config import load
from router.errors import ConfigError
from router.hooks.host import PluginHost
from router.model.routes import AuthKind, AuthMethod
from router.model.webhook import ScopedWebhook, WebhookSpec
from tests.config.kit import FLOW, HEAD, OTHER, PLUGIN, TOOLS, faults, loaded, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def test_the_shipped_file_loads_with_nothing_set() -> None:
    """The routes that travel with the package are right without a single variable, and leave the secret out."""
    found = load(bundled.ROUTES, environ={})
    assert found.warnings == ()
    assert found.routes.auth == (AuthMethod(AuthKind.TWILIO_SIGNATURE),)
    support, recipe = found.routes.tools["/tools/support"], found.routes.tools["/tools/studio-handover"]
    assert {name: intent.route.flow for name, intent in support.intents.items()} == {"refund": FLOW, "billing": OTHER}
    assert support.find("Charge-Back") is support.intents["refund"]
    assert support.intents["refund"].route.messages.success == "Our refunds desk takes over now."
    assert support.route.messages.success == recipe.route.messages.success == "Conversation handed over"
    assert recipe.query == {"flowSid", "successMessage"}
    assert recipe.route.flow == FLOW
    assert found.plugins.names == ("conversation-attributes",)
    assert [dict(use.config) for use in recipe.route.plugins] == [{"key": "handover", "include": ["order_id"]}]
    assert found.files == (bundled.ROUTES, bundled.PLUGINS / "conversation_attributes.py")


def test_the_shipped_file_takes_what_is_set() -> None:
    """A secret and the Flow SIDs come from the environment."""
    environ = {"HANDOVER_SECRET": "s3cret", "REFUNDS_FLOW_SID": "FW" + "a" * 32}
    routes = load(bundled.ROUTES, environ=environ).routes
    assert routes.auth == (AuthMethod(AuthKind.TWILIO_SIGNATURE), AuthMethod(AuthKind.SECRET, "s3cret"))
    assert routes.flows == {"refunds": "FW" + "a" * 32, "billing": OTHER}
    assert "s3cret" not in repr(routes)


def test_everything_of_a_tool_reaches_the_model(tmp_path: Path) -> None:
    """Names, descriptions, the input, aliases, fallback and query are as the file has them, in its order."""
    text = (
        HEAD
        + """
assistant_webhooks: [https://*.twil.io/agent*]
tools:
  /b:
    name: B
    description: does b
    intent: reason
    fallback: two
    intents:
      two: {flow: billing}
      one: {flow: refunds, description: first, aliases: [uno, eins]}
  /a: {query: [flowSid]}
"""
    )
    routes = loaded(tmp_path, text).routes
    tool = routes.tools["/b"]
    assert list(routes.tools) == ["/b", "/a"]
    assert (tool.path, tool.name, tool.description) == ("/b", "B", "does b")
    assert (tool.intent_input, tool.fallback) == ("reason", "two")
    assert list(tool.intents) == ["two", "one"]
    assert (tool.intents["one"].description, tool.intents["one"].aliases) == ("first", ("uno", "eins"))
    assert routes.tools["/a"].query == frozenset({"flowSid"})
    assert routes.tools["/a"].route.flow == ""
    assert routes.agent_webhooks.own(ScopedWebhook("WH1", WebhookSpec("webhook", "https://x.twil.io/agent?a=b")))
    assert not routes.agent_webhooks.own(ScopedWebhook("WH1", WebhookSpec("webhook", "https://example.com/agent")))


def test_a_flow_sid_in_a_route_is_that_routes_alone(tmp_path: Path) -> None:
    """``flow`` takes a literal SID too; no other call reaches it by that."""
    third = "FW" + "3" * 32
    tools = (
        f"tools:\n  /a: {{flow: {third}}}\n  /b: {{flow: {OTHER}}}\n  /c: {{flow: refunds}}\n  /d: {{flow: {third}}}\n"
    )
    found = loaded(tmp_path, HEAD + tools)
    assert found.warnings == ()
    assert found.routes.flows == {"refunds": FLOW, "billing": OTHER}
    assert [tool.route.flow for tool in found.routes.tools.values()] == [third, OTHER, FLOW, third]


def test_nothing_of_what_was_loaded_can_be_changed(tmp_path: Path) -> None:
    """Routes are shared by all calls, so their mappings are read-only."""
    routes = loaded(tmp_path, HEAD + TOOLS + "plugins: [{use: conversation-attributes}]\n").routes
    shared: list[Any] = [
        routes.tools,
        routes.flows,
        routes.tools["/refunds"].intents,
        routes.tools["/refunds"].route.plugins[0].config,
    ]
    for mapping in shared:
        with pytest.raises(TypeError):
            mapping["x"] = 1


def test_no_proof_left_is_a_warning(tmp_path: Path) -> None:
    """Where each secret is left out by its own default the file loads, with no proof, and says so."""
    text = HEAD.replace("[twilio_signature]", "[{secret: '${env:A:-}'}, {secret: '${env:B:-}'}]") + TOOLS
    found = loaded(tmp_path, text)
    assert found.routes.auth == ()
    assert [str(each.severity) + each.code for each in found.warnings] == ["warningauth-empty"]
    assert loaded(tmp_path, text, {"B": "b"}).routes.auth == (AuthMethod(AuthKind.SECRET, "b"),)
    assert loaded(tmp_path, text, {"B": "b"}).warnings == ()


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "too long a name", "below a file", "name of no file"])
def test_a_file_that_cannot_be_read_is_a_fault(kind: str, tmp_path: Path) -> None:
    """What stands in the file's place is told at line 1, whatever it is; nothing blocks and nothing is raised."""
    path = tmp_path / "routes.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "too long a name":
        path = tmp_path / ("x" * 300)
    elif kind == "below a file":
        path = write(tmp_path, "") / "routes.yaml"
    elif kind == "name of no file":
        path = tmp_path / "a\0b"
    told = faults(path)
    assert [fault.code for fault in told] == [
        "file-missing" if kind in ("missing", "below a file") else "file-unreadable"
    ]
    assert (told[0].file, told[0].line, told[0].column) == (str(path), 1, 1)


def test_the_digest_is_that_of_all_files(tmp_path: Path) -> None:
    """It is the same for the same contents, and another when any file changes, a referred one too."""
    (tmp_path / "name.txt").write_text("one")
    (tmp_path / "more.yaml").write_text("tools: {/more: {flow: refunds}}\n")
    text = HEAD + TOOLS + "    \ninclude: [more.yaml]\ndefaults: {messages: {success: '${file:name.txt}'}}\n"
    first = loaded(tmp_path, text)
    assert first.digest == first.routes.digest == loaded(tmp_path, text).digest
    assert len(first.digest) == 64
    assert set(first.files) == {tmp_path / name for name in ("routes.yaml", "more.yaml", "name.txt")}
    seen = {first.digest}
    (tmp_path / "name.txt").write_text("two")
    seen.add(loaded(tmp_path, text).digest)
    (tmp_path / "more.yaml").write_text("tools: {/other: {flow: refunds}}\n")
    seen.add(loaded(tmp_path, text).digest)
    seen.add(loaded(tmp_path, text + "# comment\n").digest)
    assert len(seen) == 4


def test_plugins_are_looked_for_where_it_is_said(tmp_path: Path) -> None:
    """Given directories replace the one beside the file; bundled plugins are always there."""
    path = write(tmp_path, HEAD + TOOLS + "plugins: [{use: own}, {use: conversation_attributes}]\n", beside="None")
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.py").write_text(PLUGIN % "None")
    assert load(path, environ={}, plugins_dirs=[own, bundled.PLUGINS]).plugins.names == (
        "own",
        "conversation-attributes",
    )
    with pytest.raises(ConfigError, match="there is no plugin 'own'; there are: beside, audit, business-hours, conv"):
        load(path, environ={})


def test_the_host_is_made_as_the_caller_wants(tmp_path: Path) -> None:
    """The server gives its own clock and log to the plugins' host; only plugins that are in use are in it."""
    made: list[list[str]] = []

    def make_host(found: Iterable[Any]) -> PluginHost:
        plugins = list(found)
        made.append([plugin.name for plugin in plugins])
        return PluginHost.of(plugins)

    path = write(tmp_path, HEAD + TOOLS + "plugins: [{use: used}]\n", used="None", unused="None")
    assert load(path, environ={}, make_host=make_host).plugins.names == ("used",)
    assert made == [["used"]]


def test_a_broken_plugin_that_is_not_used_is_a_warning(tmp_path: Path) -> None:
    """The file may go live: what is broken does not concern it, but is told."""
    path = write(tmp_path, HEAD + TOOLS)
    (tmp_path / "plugins" / "broken.py").write_text("raise SystemExit\n")
    told = load(path, environ={}).warnings
    assert [(fault.code, fault.file) for fault in told] == [("plugin-broken", str(tmp_path / "plugins" / "broken.py"))]


def test_a_broken_entry_point_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin of an installed package that cannot be loaded is told where it is switched on."""
    meta = tmp_path / "site" / "audit-1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: audit\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[handover.plugins]\naudit_log = nowhere_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    told = faults(write(tmp_path, HEAD + TOOLS + "plugins: [{use: audit-log}]\n"))
    assert [fault.code for fault in told] == ["plugin-broken"]
    assert "the plugin 'audit-log' cannot be used: entry point audit_log = nowhere_at_all" in told[0].message


def test_a_plugin_that_changed_is_another_configuration(tmp_path: Path) -> None:
    """Who edits a plugin's file and reloads gets the new one: the digest is over it too, if it is switched on."""
    (tmp_path / "plugins").mkdir()
    plugin = tmp_path / "plugins" / "later.py"
    plugin.write_text(PLUGIN % {})
    path = write(tmp_path, HEAD + "plugins: [{use: later}]\n" + TOOLS)
    before = load(path, environ={})
    assert plugin in before.files
    plugin.write_text(f"{PLUGIN % {}}# changed\n")
    assert load(path, environ={}).digest != before.digest


def test_a_plugin_that_was_installed_is_no_file_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin by entry point can be used like any other; what is installed changes with a restart."""
    site = tmp_path / "site"
    metadata = site / "deskkit-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: deskkit\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[handover.plugins]\ndesk = deskkit:Desk\n")
    hook = "    @hookimpl\n    def before_swap(self, handover): ...\n"
    (site / "deskkit.py").write_text("from router import hookimpl\n\nclass Desk:\n" + hook)
    monkeypatch.syspath_prepend(site)
    path = write(tmp_path, HEAD + "plugins: [{use: desk}]\n" + TOOLS)
    found = load(path, environ={})
    assert found.plugins.names == ("desk",)
    assert found.files == (path,)
