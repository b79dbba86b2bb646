from __future__ import annotations

from router.errors import ConfigError, TwilioBusy, TwilioError
from router.model.diagnostic import Diagnostic, Severity

FAULT = Diagnostic("routes.yaml", 31, 15, "flow-unknown", "no such flow")


def test_a_fault_reads_as_place_code_and_words() -> None:
    """The form that editors and terminals make a link of."""
    assert str(FAULT) == "routes.yaml:31:15: error[flow-unknown]: no such flow"


def test_a_fault_is_an_object_of_six_names() -> None:
    """As JSON it has exactly what the contract names."""
    warning = Diagnostic("routes.yaml", 1, 2, "flow-unused", "x", Severity.WARNING)
    assert warning.as_json() == {
        "file": "routes.yaml",
        "line": 1,
        "column": 2,
        "severity": "warning",
        "code": "flow-unused",
        "message": "x",
    }


def test_a_config_error_is_its_faults_line_by_line() -> None:
    """Each fault is one line of the error, in their order."""
    error = ConfigError([FAULT, FAULT])
    assert error.diagnostics == (FAULT, FAULT)
    assert str(error) == f"{FAULT}\n{FAULT}"


def test_an_error_of_twilio_says_what_is_known_of_it() -> None:
    """Status, code and request stand in brackets where Twilio gave them."""
    error = TwilioBusy("create_webhook", "try later", status=429, code=20429, retry_after=1.5, request_id="RQ1")
    assert str(error) == "create_webhook: try later (HTTP 429, code 20429, request RQ1)"
    assert str(TwilioError("list_webhooks", "no answer")) == "list_webhooks: no answer"
    assert error.retry_after == 1.5
