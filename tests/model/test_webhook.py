from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.webhook import MESSAGE_ADDED, AgentWebhooks, ScopedWebhook, Target, WebhookSpec

FLOW = "FW" + "0" * 32
PATTERN = "https://*.twil.io/channels/conversations/messageAdded*"


def at(url: str, target: str = Target.WEBHOOK) -> ScopedWebhook:
    return ScopedWebhook("WH" + "0" * 32, WebhookSpec(target, url))


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://agent-1.twil.io/channels/conversations/messageAdded", True),
        ("https://agent.twil.io/channels/conversations/messageAdded?a=1#b", True),
        ("HTTPS://Agent.TWIL.io/channels/conversations/messageAdded", True),
        ("https://a.b.twil.io/channels/conversations/messageAdded", True),
        ("https://agent.twil.io/channels/conversations/messageadded", False),
        ("https://agent.twil.io/channels/conversations/", False),
        ("http://agent.twil.io/channels/conversations/messageAdded", False),
        ("https://twil.io/channels/conversations/messageAdded", False),
        ("https://agenttwil.io/channels/conversations/messageAdded", False),
        ("https://agentXtwil.io/channels/conversations/messageAdded", False),
        ("https://evil.example/.twil.io/channels/conversations/messageAdded", False),
        ("https://evil.example?.twil.io/channels/conversations/messageAdded", False),
        ("https://evil.example#.twil.io/channels/conversations/messageAdded", False),
        ("https://evil.example\\.twil.io/channels/conversations/messageAdded", False),
        ("https://user@agent.twil.io/channels/conversations/messageAdded", False),
        ("https://agent.twil.io.evil.example/channels/conversations/messageAdded", False),
        ("https://agent.twil.io:8443/channels/conversations/messageAdded", False),
        ("xhttps://agent.twil.io/channels/conversations/messageAdded", False),
        ("", False),
    ],
)
def test_a_pattern_stays_within_its_domain(url: str, *, is_own: bool) -> None:
    """A star before the path is part of a host and nothing else; case matters in the path alone."""
    assert AgentWebhooks.of(PATTERN).own(at(url)) is is_own


def host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return "no URL at all, so nobody of .twil.io"


@given(st.text(min_size=1), st.sampled_from(["https://*.twil.io/*", "https://*.twil.io/a*", "https://*.twil.io*"]))
def test_a_pattern_never_matches_another_host(text: str, pattern: str) -> None:
    """Whatever text stands for the stars, a URL that matches has a host of the pattern's domain."""
    own = AgentWebhooks.of(pattern)
    for url in (f"https://{text}.twil.io/a", f"https://{text}", f"https://{text}/a.twil.io/a", f"https://x{text}/a"):
        assert not own.own(at(url)) or host_of(url).endswith(".twil.io")


@given(st.text(st.characters(exclude_characters="*"), max_size=30))
def test_a_pattern_without_stars_matches_itself_alone(path: str) -> None:
    """Every other sign of a pattern means itself."""
    url = f"https://agent.example/{path}"
    own = AgentWebhooks.of(url)
    assert own.own(at(url))
    assert not own.own(at(url + "x"))
    assert not own.own(at(url[:-1]))


@given(st.text())
def test_without_patterns_nothing_is_the_agents(url: str) -> None:
    """No pattern, no removal."""
    assert not AgentWebhooks.of().own(at(url))
    assert not AgentWebhooks().own(at(url))


@pytest.mark.parametrize("target", [Target.STUDIO, Target.TRIGGER, "other"])
def test_only_webhooks_are_the_agents(target: str) -> None:
    """A studio webhook or a trigger is never the agent's, whatever URL it has."""
    assert not AgentWebhooks.of("https://*/*").own(at("https://a.example/x", target))
    assert AgentWebhooks.of("https://*/*").own(at("https://a.example/x"))


def test_one_of_several_patterns_is_enough() -> None:
    """Each pattern names webhooks of the agent's."""
    own = AgentWebhooks.of("https://a.example/*", "https://b.example/*")
    assert [own.own(at(f"https://{host}.example/x")) for host in "abc"] == [True, True, False]
    assert own == AgentWebhooks.of("https://a.example/*", "https://b.example/*")


def test_a_studio_webhook_names_its_flow() -> None:
    """It listens for messages and nothing else; what is no Flow SID is refused."""
    spec = WebhookSpec.studio(FLOW)
    assert (spec.target, spec.filters, spec.flow, spec.url) == ("studio", (MESSAGE_ADDED,), FLOW, "")
    assert ScopedWebhook("WH1", spec).is_studio
    assert not at("https://a.example").is_studio
    with pytest.raises(ValueError, match="expected FW"):
        WebhookSpec.studio("CH" + "0" * 32)
