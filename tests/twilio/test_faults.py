from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from router.errors import TwilioBusy, TwilioError, TwilioRefused, TwilioUncertain
from router.model.masking import fit
from router.twilio.faults import fault_of_answer, fault_of_network, seconds_to_wait
from router.twilio.wire.answer import Answer, NotSent

NOW = datetime(2026, 10, 5, 12, 0, 0, tzinfo=UTC)


def fault(status: int, said: Any, **headers: str) -> TwilioError:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    found = fault_of_answer(
        "list_webhooks", Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, body), lambda: NOW
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, 20429, TwilioBusy),
        (429, 0, TwilioBusy),
        (400, 50063, TwilioBusy),
        (400, 50074, TwilioBusy),
        (503, 20429, TwilioBusy),
        (409, 50391, TwilioBusy),
        (409, 50349, TwilioBusy),
        (412, 50449, TwilioBusy),
        (400, 50361, TwilioRefused),
        (409, 50361, TwilioRefused),
        (404, 20404, TwilioRefused),
        (404, 50350, TwilioRefused),
        (400, 50377, TwilioRefused),
        (401, 20003, TwilioRefused),
        (403, 20403, TwilioRefused),
        (408, 0, TwilioUncertain),
        (302, 0, TwilioUncertain),
        (500, 20500, TwilioUncertain),
        (502, 0, TwilioUncertain),
        (503, 0, TwilioUncertain),
    ],
)
def test_the_kind_of_an_error(status: int, code: int, expected: type[TwilioError]) -> None:
    """Twilio's code decides first, then the HTTP status (ERROR-CODES)."""
    found = fault(status, {"code": code, "message": "no", "status": status})
    assert type(found) is expected
    assert (found.status, found.code, found.operation) == (status, code, "list_webhooks")


def test_the_words_are_ours_and_twilios() -> None:
    """An error says what happened in our words and in Twilio's, and names the request."""
    found = fault(404, {"code": 20404, "message": "The requested resource was not found"}, Twilio_Request_Id="RQ12")
    assert str(found) == (
        "list_webhooks: Twilio refused: The requested resource was not found (HTTP 404, code 20404, request RQ12)"
    )


def test_problem_details_are_read_as_well() -> None:
    """The newer error bodies say title and detail instead of a message (PROBLEM-DETAILS)."""
    found = fault(400, {"type": "https://x", "title": "Bad page", "status": 400, "code": 20001, "detail": "Page size"})
    assert found.message == "Twilio refused: Bad page: Page size"
    assert found.code == 20001


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, 20003, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET"),
        (403, 20403, "what the key may do"),
        (307, 0, "HANDOVER_TWILIO_URL"),
        (429, 20429, "too many requests"),
        (409, 50391, "another change of the conversation is under way"),
        (500, 0, "Twilio failed"),
    ],
)
def test_an_error_says_what_to_check(status: int, code: int, words: str) -> None:
    """Where somebody can do something about it, the error says what."""
    assert words in fault(status, {"code": code, "message": "no"}).message


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[1]", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_object_has_no_code(body: bytes) -> None:
    """The SDK gives such an error the HTTP status as its code (SDK-CODES); here it has none."""
    found = fault(502, body)
    assert (found.code, found.message) == (0, "Twilio failed: the answer is no JSON object")


def test_an_error_without_words_has_ours() -> None:
    """A JSON error without a message still reads as a sentence."""
    assert fault(400, {"code": 50361, "message": None}).message == "Twilio refused"


@pytest.mark.parametrize(
    ("code", "expected"), [("20429", 20429), (True, 0), (None, 0), ("2e4", 0), (1.5, 0), (-1, 0), (10**30, 0)]
)
def test_odd_codes(code: object, expected: int) -> None:
    """A code is a whole number, or the text of one; all else is none."""
    assert fault(429, {"code": code, "message": "no"}).code == expected


def test_what_can_be_read_is_no_fault() -> None:
    """A success with a JSON object, or with no body at all, is none."""
    for status, body in ((200, b"{}"), (201, b'{"sid": "WH"}'), (204, b"")):
        assert fault_of_answer("list_webhooks", Answer(status, {}, body), lambda: NOW) is None


@pytest.mark.parametrize("body", [b'{"a":', b"[]", b"null", b"<html>", b'{"a": "\xff"}', b"[" * 100_000])
def test_a_success_that_cannot_be_read_is_uncertain(body: bytes) -> None:
    """Broken JSON after a 2xx raises JSONDecodeError in the SDK (SDK-CODES); here it is uncertain."""
    found = fault(201, body, Twilio_Request_Id="RQ12")
    assert isinstance(found, TwilioUncertain)
    assert (found.message, found.status, found.request_id) == ("Twilio's answer is no JSON object", 201, "RQ12")


def test_a_success_that_is_too_long_is_uncertain() -> None:
    """A body of which we read only the beginning is not taken for the whole."""
    found = fault_of_answer("list_webhooks", Answer(200, {}, b"{}", is_cut=True), lambda: NOW)
    assert isinstance(found, TwilioUncertain)
    assert found.message == "Twilio's answer has more than 2 bytes"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-1", None),
        ("٣", None),
        ("soon", None),
        ("1" * 400, None),
        ("Mon, 05 Oct 2026 12:00:07 GMT", 7.0),
        ("Mon, 05 Oct 2026 12:00:07 -0000", 7.0),
        ("Mon, 05 Oct 2026 11:00:00 GMT", 0.0),
        ("Mon, 99 Oct 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_in_all_its_forms(header: str, expected: float | None) -> None:
    """Seconds or an HTTP date; anything else is as if it were not there (RETRY-AFTER)."""
    assert seconds_to_wait(header, NOW) == expected
    assert fault(429, {}, Retry_After=header).retry_after == expected


@pytest.mark.parametrize("found", ["", "RQ1 2", "RQ\n", "R" * 65, "RQü"])
def test_an_odd_request_id_is_dropped(found: str) -> None:
    """A request id goes into logs, so only a plain one is kept."""
    assert fault(500, {}, Twilio_Request_Id=found).request_id == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\x1b[31m\u2028c\u202e", "a b [31m c"),
        ("whatsapp:+15550100123 is taken", "whatsapp:+… is taken"),
        ("%2B15550100123 and +1 (555) 010-0123", "+… and +…"),
        ("IS1234567890 1+1", "IS1234567890 1+1"),
        ("x" * 500, "x" * 199 + "…"),
    ],
)
def test_foreign_words_are_made_harmless(text: str, expected: str) -> None:
    """One line, no control characters, no customers' numbers, bounded."""
    assert fit(text) == expected


def test_a_reset_is_uncertain() -> None:
    """A connection that breaks says nothing about what was done."""
    found = fault_of_network("create_webhook", ConnectionResetError(104, "reset"), 2.0)
    assert isinstance(found, TwilioUncertain)
    assert str(found) == "create_webhook: the connection broke before the answer was there: ConnectionResetError"


def test_a_certificate_that_is_not_trusted_is_busy() -> None:
    """Nothing is sent to a host that cannot prove its name."""
    error = NotSent("the certificate of conversations.twilio.com is not trusted")
    found = fault_of_network("create_webhook", error, 2.0)
    assert isinstance(found, TwilioBusy)
    assert found.message == "the certificate of conversations.twilio.com is not trusted; nothing was sent"


def test_why_there_is_no_connection_is_made_harmless() -> None:
    """The words of the system or of a proxy come last, and fit a line."""
    found = fault_of_network("create_webhook", NotSent("no connection to 127.0.0.1:1", "for\n+15550100123"), 2.0)
    assert isinstance(found, TwilioBusy)
    assert found.message == "no connection to 127.0.0.1:1; nothing was sent: for +…"


def test_no_answer_in_time_is_uncertain() -> None:
    """The request may have been taken up all the same."""
    found = fault_of_network("create_webhook", TimeoutError(), 2.0)
    assert isinstance(found, TwilioUncertain)
    assert found.message == "Twilio did not answer within 2 s"
