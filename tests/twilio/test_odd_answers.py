from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from router.errors import TwilioError, TwilioRefused, TwilioUncertain
from tests.twilio.stub import (
    CH,
    WH,
    Reply,
    Stub,
    error_json,
    page_json,
)
from tests.twilio.verbs import STUDIO, VERBS

if TYPE_CHECKING:
    from router.model.call import ConversationRef
    from router.twilio.gateway import TwilioGateway


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("list_webhooks", {}),
        ("list_webhooks", {"meta": {"key": "webhooks"}}),
        ("list_webhooks", {"meta": {"key": "webhooks"}, "webhooks": 5}),
        ("list_webhooks", page_json("webhooks", "text")),
        ("list_webhooks", page_json("webhooks", {"sid": "x"})),
        ("newest_message", page_json("messages", {"sid": "x"})),
        ("create_webhook", {"sid": None}),
        ("redirect_webhook", {"sid": WH, "configuration": None}),
        ("fetch_attributes", {"sid": CH}),
        ("fetch_execution", {"sid": "x"}),
        ("active_executions", page_json("executions", {"sid": "x"})),
    ],
)
async def test_an_answer_of_another_shape_is_uncertain(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, verb: str, body: object
) -> None:
    """The SDK raises whatever comes out of it (SDK-CODES); here it is one of ours, with the operation."""
    act, _ = VERBS[verb]
    stub.rule = lambda _: Reply(body)
    with pytest.raises(TwilioUncertain) as caught:
        await act(gateway, where)
    assert caught.value.operation == verb


async def test_a_page_that_is_no_200_is_uncertain(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """A paging error is a plain TwilioException in the SDK (SDK-CODES), without status and code."""
    stub.rule = lambda _: Reply(page_json("webhooks"), 202)
    with pytest.raises(TwilioUncertain, match="has not the shape"):
        await gateway.list_webhooks(where)


async def test_an_empty_answer_to_a_read_is_uncertain(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """A success without a body is fine for a deletion only."""
    stub.rule = lambda _: Reply(b"")
    with pytest.raises(TwilioUncertain):
        await gateway.fetch_attributes(where)
    await gateway.delete_webhook(where, WH)


async def test_errors_have_no_colours(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK colours its errors where stderr is a terminal (SDK-COLOURS); ours read the same everywhere."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    stub.answers(Reply(error_json(50361, "\x1b[31mfive webhooks\x1b[0m of +15550100123"), 409))
    with pytest.raises(TwilioError) as caught:
        await gateway.create_webhook(where, STUDIO)
    assert str(caught.value) == ("create_webhook: Twilio refused: [31mfive webhooks [0m of +… (HTTP 409, code 50361)")


async def test_an_error_names_no_address_of_ours(stub: Stub, gateway: TwilioGateway, where: ConversationRef) -> None:
    """An error has neither path nor credentials; the SDK's has the path (SDK-ERRORS)."""
    stub.answers(Reply(error_json(20003, "Authenticate", 401), 401))
    with pytest.raises(TwilioRefused) as caught:
        await gateway.list_webhooks(where)
    assert "token-secret" not in str(caught.value)
    assert CH not in str(caught.value)
    assert "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" in str(caught.value)


async def test_problem_details_come_through_the_gateway(
    stub: Stub, gateway: TwilioGateway, where: ConversationRef
) -> None:
    """The SDK raises another exception for these bodies (PROBLEM-DETAILS); here they are like any other."""
    body = {"type": "https://x", "title": "Bad request", "status": 400, "code": 50365, "detail": "no such filter"}
    stub.answers(Reply(body, 400))
    with pytest.raises(TwilioRefused) as caught:
        await gateway.create_webhook(where, STUDIO)
    assert (caught.value.code, caught.value.message) == (50365, "Twilio refused: Bad request: no such filter")
