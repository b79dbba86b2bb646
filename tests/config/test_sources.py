from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.config.sources import Sources, Written, WrittenPlugin, WrittenProof
from tests.config.kit import FLOW, HEAD, OTHER, loaded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.document import Trail
    from router.model.place import Place

FILE = f"""\
version: 1
flows: {{refunds: {FLOW}, billing: "${{env:BILLING:-{OTHER}}}"}}
auth: [twilio_signature, secret: "${{env:NONE:-}}", secret: literal, secret: "${{env:SECRET}}"]
defaults:
  replay: last_message
  messages: {{success: Default., closed: Closed.}}
plugins:
  - use: audit
    config: {{a: 1, b: {{c: [x, {{d: y}}], e: []}}, api_token: t, passwords: {{ada: z}}, w: "${{env:SECRET}}"}}
  - {{use: trace, on_error: continue}}
tools:
  /support:
    flow: refunds
    messages: {{success: Tool., failure: Failed.}}
    intents:
      refund:
        aliases: [chargeback]
        messages: {{success: Intent., failure: null}}
        plugins: {{audit: {{a: null, b: {{c: [n]}}}}, trace: false}}
      billing: {{flow: billing, messages: null, plugins: null}}
      other: {{plugins: {{trace: true, audit: null}}}}
    plugins: {{trace: false}}
  /plain: {{flow: {OTHER}, dry_run: true, plugins: {{audit: true}}}}
"""
TOOL: Trail = ("tools", "/support")
REFUND: Trail = (*TOOL, "intents", "refund")
BILLING: Trail = (*TOOL, "intents", "billing")
PLAIN: Trail = ("tools", "/plain")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    monkeypatch.chdir(tmp_path)
    return loaded(tmp_path, FILE, {"SECRET": "hunter2"}, audit="None", trace="None").sources


def at(place: Place | None) -> str:
    """Say which text of the file a place points to, up to a mark."""
    assert place is not None
    return FILE.splitlines()[place.line - 1][place.column - 1 :]


@pytest.mark.parametrize(
    ("owner", "keys", "value", "stands"),
    [
        (REFUND, ("messages", "success"), "Intent.", "Intent., f"),
        (TOOL, ("messages", "success"), "Tool.", "Tool., f"),
        (PLAIN, ("messages", "success"), "Default.", "Default., c"),
        (REFUND, ("messages", "closed"), "Closed.", "Closed.}"),
        (REFUND, ("flow",), "refunds", "refunds"),
        (BILLING, ("flow",), "billing", "billing, m"),
        (PLAIN, ("flow",), OTHER, OTHER),
        (PLAIN, ("dry_run",), True, "true"),
        (BILLING, ("replay",), "last_message", "last_message"),
    ],
)
def test_the_nearest_level_has_the_last_word(
    owner: Trail, keys: Trail, value: object, stands: str, sources: Sources
) -> None:
    """A setting comes from the intent, else from its tool, else from the defaults, and its place is there."""
    written = sources.setting(owner, keys, "not this")
    assert written.value == value
    assert at(written.place).startswith(stands)


def test_what_nobody_wrote_has_no_place(sources: Sources) -> None:
    """The default is given as built in, with the place of the null that goes back to it where there is one."""
    assert sources.setting(TOOL, ("messages", "declined"), "d") == Written("d")
    assert sources.setting(TOOL, ("dry_run",), default=False) == Written(value=False)
    removed = sources.setting(REFUND, ("messages", "failure"), "f")
    assert (removed.value, removed.place) == ("f", None)
    assert at(removed.removed_by).startswith("null}")
    below = sources.setting(BILLING, ("messages", "success"), "s")
    assert below.value == "s"
    assert at(below.removed_by).startswith("null, plugins")


def test_a_tool_that_is_out_of_order_has_the_defaults(sources: Sources) -> None:
    """Of a tool whose file cannot be used, nothing is known but what all tools inherit."""
    assert sources.setting(("tools", "/gone"), ("messages", "success"), "s").value == "Default."


def test_flows_are_told_by_their_reference(sources: Sources) -> None:
    """A literal SID is shown, one from the environment is not, and one that a route spells out is not listed."""
    listed, by_default = sources.flow("refunds"), sources.flow("billing")
    assert listed is not None
    assert by_default is not None
    assert (listed.value, listed.hidden) == (FLOW, "")
    assert (by_default.value, by_default.hidden) == (None, "the default of ${env:BILLING}")
    assert at(by_default.place).startswith('"${env:BILLING')
    assert sources.flow(OTHER) is None


def test_proofs_are_counted_as_they_are_used(sources: Sources) -> None:
    """Each entry of ``auth`` is told without its secret; one that is left out has no number."""
    proofs = list(sources.proofs())
    told = [(proof.kind, proof.written.value, proof.written.hidden, proof.index) for proof in proofs]
    assert told == [
        ("twilio_signature", "twilio_signature", "", 0),
        ("secret", None, "the default of ${env:NONE}", None),
        ("secret", None, "a text that is not shown here", 1),
        ("secret", None, "the value of ${env:SECRET}", 2),
    ]
    assert proofs[0] == WrittenProof("twilio_signature", Written("twilio_signature", sources.value(("auth", 0))), 0)
    assert "hunter2" not in repr(proofs)
    assert "literal" not in repr(proofs)


def plugins(sources: Sources, owner: Trail) -> Mapping[str, WrittenPlugin]:
    return {plugin.name: plugin for plugin in sources.plugins(owner)}


def test_a_plugins_config_is_told_leaf_by_leaf(sources: Sources) -> None:
    """Each value stands under its whole name with its own place; secrets and what is from elsewhere are not shown."""
    audit = plugins(sources, TOOL)["audit"]
    shown = {setting.key: setting.written.hidden or setting.written.value for setting in audit.config}
    assert shown == {
        "a": 1,
        "b.c[0]": "x",
        "b.c[1].d": "y",
        "b.e": [],
        "api_token": "a text that is not shown here",
        "passwords.ada": "a text that is not shown here",
        "w": "the value of ${env:SECRET}",
    }
    assert "hunter2" not in repr(audit)
    assert at(audit.place).startswith("audit")
    assert audit.on_error == Written("stop")


def test_a_merged_config_keeps_the_places_of_its_parts(sources: Sources) -> None:
    """What the intent sets is placed there, what it inherits at the plugin's entry, and what it removes is gone."""
    config = {setting.key: setting.written for setting in plugins(sources, REFUND)["audit"].config}
    assert config["b.c[0]"].value == "n"
    assert at(config["b.c[0]"].place).startswith("n]}")
    assert at(config["b.e"].place).startswith("[]}")
    assert config.keys().isdisjoint({"a", "b.c[1].d"})


def test_a_plugin_that_is_off_says_where(sources: Sources) -> None:
    """The last ``false`` counts; ``true``, and null for all plugins, switch on again; a null entry says nothing."""
    off = plugins(sources, REFUND)["trace"]
    assert off.config == ()
    assert at(off.off).startswith("false}")
    assert plugins(sources, TOOL)["trace"].off is not None
    assert plugins(sources, BILLING)["trace"].off is None
    other = plugins(sources, (*TOOL, "intents", "other"))
    assert (other["trace"].off, other["audit"].off) == (None, None)
    assert plugins(sources, PLAIN)["trace"].off is None
    assert plugins(sources, PLAIN)["trace"].on_error.value == "continue"
    assert at(plugins(sources, PLAIN)["trace"].on_error.place).startswith("continue}")


def test_any_value_can_be_asked_for(sources: Sources) -> None:
    """A value has the place at which it stands, a key that of the key."""
    alias = sources.written((*REFUND, "aliases", 0))
    assert alias.value == "chargeback"
    assert at(alias.place).startswith("chargeback]")
    assert at(sources.key(REFUND)).startswith("refund:")


def test_the_least_file_has_sources_too(tmp_path: Path) -> None:
    """Without defaults, plugins and a list of flows, everything is built in."""
    text = HEAD.replace(f"flows: {{refunds: {FLOW}, billing: {OTHER}}}\n", "") + f"tools: {{/a: {{flow: {FLOW}}}}}\n"
    sources = loaded(tmp_path, text).sources
    assert sources.setting(("tools", "/a"), ("replay",), "none") == Written("none")
    assert sources.flow(FLOW) is None
    assert list(sources.plugins(("tools", "/a"))) == []
