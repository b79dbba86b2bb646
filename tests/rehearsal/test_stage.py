"""The stage held to the sandbox: what the one answers and refuses, the other does too."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from router.errors import TwilioError, TwilioRefused
from router.model.call import ConversationRef, Identity
from router.model.gateway import Message
from router.model.webhook import AgentWebhooks, ScopedWebhook, WebhookSpec
from router.rehearsal.stage import CONVERSATION, Stage, set_up
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.kit import FOREIGN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from router.model.gateway import Gateway
    from router.sandbox.sandbox import Sandbox

REFUNDS, BILLING = "FW" + "a" * 32, "FW" + "b" * 32  # the sandbox plays neither, so no flow adds messages
ELSEWHERE = ConversationRef(service="IS" + "e" * 32, sid="CH" + "e" * 32)
SPECS = [WebhookSpec.studio(REFUNDS), WebhookSpec.studio(BILLING), *FOREIGN[:3]]
ATTRIBUTES = st.dictionaries(st.sampled_from("abc"), st.none() | st.booleans() | st.text(max_size=3), max_size=2)
VERBS = st.one_of(
    st.tuples(st.just("list")),
    st.tuples(st.just("create"), st.sampled_from(SPECS), st.none() | st.just(0)),
    st.tuples(st.just("redirect"), st.integers(0, 7), st.sampled_from([REFUNDS, BILLING])),
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.just("newest")),
    st.tuples(st.just("fetch")),
    st.tuples(st.just("change"), ATTRIBUTES | st.just({"a": "x" * 16_384}), st.none() | ATTRIBUTES),
)
STEPS = st.lists(st.tuples(VERBS, st.integers(0, 9).map(lambda chance: chance == 0)), max_size=12)
FULL = [(("create", spec, None), False) for spec in (*SPECS, SPECS[0])]


@dataclass
class Player:
    """Takes steps through one gateway; webhooks have numbers, in the order in which they came to be."""

    gateway: Gateway
    where: ConversationRef
    made: list[ScopedWebhook] = field(default_factory=list)

    async def take(self, verb: tuple[Any, ...], *, is_elsewhere: bool) -> Any:
        """Give the answer, or what was refused and how."""
        try:
            return await self._ask(verb, ELSEWHERE if is_elsewhere else self.where)
        except TwilioError as error:
            return type(error), error.status, error.code

    async def _ask(self, verb: tuple[Any, ...], where: ConversationRef) -> Any:
        gateway = self.gateway
        answer: Any = None
        match verb:
            case ("list",):
                answer = [self._plain(webhook) for webhook in await gateway.list_webhooks(where)]
            case ("create", spec, replay_after):
                self.made.append(await gateway.create_webhook(where, spec, replay_after))
                answer = self._plain(self.made[-1])
            case ("redirect", number, flow):
                sid = self._sid(number, [webhook for webhook in self.made if webhook.is_studio])
                answer = self._plain(await gateway.redirect_webhook(where, sid, flow))
            case ("delete", number):
                await gateway.delete_webhook(where, self._sid(number, self.made))
            case ("newest",):
                answer = await gateway.newest_message(where)
            case ("fetch",):
                answer = await gateway.fetch_attributes(where)
            case ("change", values, read):
                await gateway.change_attributes(where, lambda now: {**now, **values}, read)
            case _:
                raise AssertionError(verb)
        return answer

    def _sid(self, number: int, made: list[ScopedWebhook]) -> str:
        return made[number].sid if number < len(made) else "WH" + "f" * 32

    def _plain(self, webhook: ScopedWebhook) -> tuple[int, WebhookSpec]:
        """Leave out what Twilio makes up, and words that it writes in another case."""
        number = [made.sid for made in self.made].index(webhook.sid)
        return number, replace(webhook.spec, method=webhook.spec.method.upper())


@pytest.fixture
async def twilio(sandbox: Sandbox) -> AsyncIterator[TwilioGateway]:
    async with TwilioGateway(Credentials(sandbox.account_sid, sandbox.auth_token), base_url=sandbox.url) as gateway:
        yield gateway


@given(steps=STEPS, has_message=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=[*FULL, (("delete", 0), False), (("redirect", 0, BILLING), False)], has_message=True)
@example(steps=[*FULL, (("redirect", 1, REFUNDS), False), (("list",), False)], has_message=True)
async def test_the_stage_answers_as_twilio_does(
    sandbox: Sandbox, twilio: TwilioGateway, *, steps: list[tuple[tuple[Any, ...], bool]], has_message: bool
) -> None:
    """Any sequence of the seven verbs gets the same answers and the same refusals from both."""
    conversation = sandbox.open_conversation()
    newest = None
    if has_message:
        said = sandbox.world.add_message(conversation, author=conversation.customer.address, body="My lamp is broken.")
        newest = Message(said.index, said.author, said.participant)
    real = Player(twilio, conversation.ref)
    staged = Player(Stage(conversation.ref, newest=newest), conversation.ref)
    for verb, is_elsewhere in steps:
        answer = await real.take(verb, is_elsewhere=is_elsewhere)
        assert await staged.take(verb, is_elsewhere=is_elsewhere) == answer, verb


async def test_a_sixth_webhook_is_refused() -> None:
    """The examples above do reach the limit: five places, and the sixth create has Twilio's code."""
    player = Player(Stage(CONVERSATION), CONVERSATION)
    answers = [await player.take(verb, is_elsewhere=is_elsewhere) for verb, is_elsewhere in FULL]
    assert [answer[0] for answer in answers[:5]] == [0, 1, 2, 3, 4]
    assert answers[5] == (TwilioRefused, 400, 50361)


@pytest.mark.parametrize(
    "pattern",
    [
        "https://*.twil.io/channels/conversations/messageAdded*",
        "HTTPS://Agent.example.com/*/in?x=*",
        "http://*:*/*",
        "https://agent.example.com",
    ],
)
async def test_the_agent_answers_where_its_webhook_can_be(pattern: str) -> None:
    """The made-up webhook is the agent's own by the first pattern; where there is none it is not the conversation's."""
    agents = AgentWebhooks.of(pattern, "https://other.example.com/")
    (webhook,) = await set_up(CONVERSATION, None, agents).list_webhooks(CONVERSATION)
    assert AgentWebhooks.of(pattern).own(webhook)
    assert await set_up(CONVERSATION, None, AgentWebhooks()).list_webhooks(CONVERSATION) == ()


@pytest.mark.parametrize("identity", [None, Identity("whatsapp", "+15550100")])
async def test_the_customer_has_just_written(identity: Identity | None) -> None:
    """The newest message is the customer's, so that a replay has something to give."""
    newest = await set_up(CONVERSATION, identity, AgentWebhooks()).newest_message(CONVERSATION)
    assert newest is not None
    assert newest.participant
    assert identity is None or identity.wrote(newest.author)


async def test_attributes_can_be_read_in_the_end() -> None:
    """What was written is there to be looked at."""
    stage = Stage(CONVERSATION, attributes='{"theirs": 1}')

    def add(now: Mapping[str, Any]) -> dict[str, Any]:
        return {**now, "ours": 2}

    await stage.change_attributes(CONVERSATION, add)
    assert stage.attributes == {"theirs": 1, "ours": 2}


async def test_a_plugin_asks_nobody() -> None:
    """Its writes are answered and not made, its reads find nothing, and what it asked can be looked at."""
    stage, url = Stage(CONVERSATION), "https://conversations.twilio.com/v1/Conversations"
    assert await stage.request("POST", url, form={"FriendlyName": "Chat"}) == {}
    assert await stage.request("DELETE", f"{url}/CH1") is None
    with pytest.raises(TwilioRefused, match=r"plugin: a test in routes\.yaml does not ask Twilio") as caught:
        await stage.request("GET", url, query={"PageSize": "1"})
    assert (caught.value.status, caught.value.code) == (404, 20404)
    with pytest.raises(ValueError, match="begins with https://NAME"):
        await stage.request("POST", "https://evil.example/")
    assert [(asked.method, asked.form, asked.query) for asked in stage.asked] == [
        ("POST", {"FriendlyName": ["Chat"]}, {}),
        ("DELETE", {}, {}),
        ("GET", {}, {"PageSize": ["1"]}),
    ]
