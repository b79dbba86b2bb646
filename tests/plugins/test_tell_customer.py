from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from router.bundled import PLUGINS
from router.errors import TwilioError, TwilioRefused, TwilioUncertain
from router.hooks.source import execute
from router.model.webhook import WebhookSpec
from router.rehearsal.stage import CONVERSATION, Stage
from router.sandbox.faults import Kind
from router.sandbox.world import State
from router.swap.dry_run import ReadOnly
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from tests.hooks.kit import HANDOVER
from tests.kit import REFUNDS, arm
from tests.oai import Description, descriptions_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from router.model.handover import Handover
    from router.sandbox.sandbox import Sandbox
    from router.sandbox.world import Conversation

FILE = PLUGINS / "tell_customer.py"
PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "tell_customer.md").read_text(encoding="utf-8")
PLUGIN: Any = execute(FILE, FILE.read_bytes())
SCHEMA = PLUGIN.plugin_info()["config_schema"]
POST = ("POST", "/Messages")
AFTER = {"message": "Our refunds desk takes over."}
BEFORE = {**AFTER, "when": "before"}


@pytest.fixture
async def twilio(sandbox: Sandbox) -> AsyncIterator[TwilioGateway]:
    async with TwilioGateway(Credentials(sandbox.account_sid, sandbox.auth_token), base_url=sandbox.url) as gateway:
        yield gateway


def handover_of(conversation: Conversation) -> Handover:
    return dataclasses.replace(HANDOVER, conversation=conversation.sid, service=conversation.service.sid)


def told(conversation: Conversation) -> list[tuple[str, str]]:
    return [(message.author, message.body) for message in conversation.messages]


async def test_the_customer_is_told_when_the_flow_is_attached(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """Nothing is said before that, as it might not come true."""
    conversation = sandbox.open_conversation()
    async with PLUGIN.around_swap(handover_of(conversation), AFTER, twilio):
        assert told(conversation) == []
    assert told(conversation) == [("handover", "Our refunds desk takes over.")]


async def test_the_customer_may_be_told_first(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """With ``when: before`` the message is there ahead of all that changes, and once."""
    conversation = sandbox.open_conversation()
    async with PLUGIN.around_swap(handover_of(conversation), {**BEFORE, "author": "Ada"}, twilio):
        assert told(conversation) == [("Ada", "Our refunds desk takes over.")]
    assert len(conversation.messages) == 1


async def test_a_swap_that_fails_is_not_told(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """The failure goes through as it is, and the customer hears nothing of a desk that does not come."""
    conversation = sandbox.open_conversation()
    failure = TwilioUncertain("create_webhook", "no answer")
    with pytest.raises(TwilioUncertain) as caught:
        async with PLUGIN.around_swap(handover_of(conversation), AFTER, twilio):
            raise failure
    assert caught.value is failure
    assert told(conversation) == []


async def test_the_message_starts_no_flow(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """A flow that is attached takes it for nobody's words (REST-EVENTS)."""
    conversation = sandbox.open_conversation()
    sandbox.world.add_webhook(conversation, WebhookSpec.studio(REFUNDS))
    async with PLUGIN.around_swap(handover_of(conversation), AFTER, twilio):
        pass
    await sandbox.settled()
    assert len(told(conversation)) == 1
    assert sandbox.world.executions == {}


@pytest.mark.parametrize("config", [AFTER, BEFORE])
async def test_a_refused_message_is_a_failure(sandbox: Sandbox, twilio: TwilioGateway, config: dict[str, Any]) -> None:
    """What it does is for the kind of the hook to decide, so the plugin hides nothing."""
    conversation = sandbox.open_conversation()
    conversation.state = State.CLOSED
    with pytest.raises(TwilioRefused, match="50377"):
        async with PLUGIN.around_swap(handover_of(conversation), config, twilio):
            pass


async def test_a_lost_answer_is_not_asked_for_again(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """The message was posted and nobody knows: a second one would be worse."""
    conversation = sandbox.open_conversation()
    arm(sandbox, conversation, POST, Kind.CUT_AFTER)
    with pytest.raises(TwilioUncertain):
        async with PLUGIN.around_swap(handover_of(conversation), AFTER, twilio):
            pass
    assert len(told(conversation)) == 1


async def test_in_a_dry_run_nothing_is_posted(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """Also where somebody enters it for one, the gateway of a dry run makes no write."""
    conversation = sandbox.open_conversation()
    async with PLUGIN.around_swap(handover_of(conversation), AFTER, ReadOnly(twilio)):
        pass
    assert told(conversation) == []


async def test_the_message_is_posted_as_twilio_describes_it() -> None:
    """Path and form fit Twilio's own API description."""
    stage = Stage(CONVERSATION)
    async with PLUGIN.around_swap(HANDOVER, AFTER, stage):
        pass
    (asked,) = stage.asked
    described = Description.load(descriptions_folder(), "conversations_v1")
    path = asked.url.removeprefix("https://conversations.twilio.com")
    assert described.check_request(asked.method, path, asked.query, asked.form).template.endswith("/Messages")


async def test_the_longest_message_is_one_that_twilio_takes(sandbox: Sandbox, twilio: TwilioGateway) -> None:
    """The schema draws the line where the sandbox does."""
    conversation = sandbox.open_conversation()
    for length in (1600, 1601):
        config = {"message": "é" * length}
        fits = Draft202012Validator(SCHEMA).is_valid(config)
        try:
            async with PLUGIN.around_swap(handover_of(conversation), config, twilio):
                pass
        except TwilioError:
            assert not fits
        else:
            assert fits


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"message": ""},
        {"message": " \n"},
        {"message": 7},
        {"message": "x", "author": ""},
        {"message": "x", "when": "later"},
        {"message": "x", "mesage": "x"},
    ],
)
def test_a_wrong_config_is_refused_at_load(config: dict[str, Any]) -> None:
    """The schema holds each key to its type, knows no other, and wants something to say."""
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(config)


def test_the_page_has_the_live_config() -> None:
    """The configs of the page are valid, and its table has every key with its default."""
    routes = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    Draft202012Validator(SCHEMA).validate(routes["plugins"][0]["config"])
    for key, schema in SCHEMA["properties"].items():
        default = f"`{schema['default']}`" if "default" in schema else ""
        assert re.search(rf"^\| `{key}` \| {re.escape(default)} ?\| ", PAGE, re.MULTILINE)
