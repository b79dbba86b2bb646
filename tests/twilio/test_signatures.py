from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from twilio.request_validator import RequestValidator

from router.twilio.signatures import SignatureCheck, sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOKEN = "12345"
URL = "https://router.example/tools/support?flowSid=FW1&msg=a%20b+c"
FORM = {"From": ["+15550100"], "Body": ["hé llo "], "Empty": [""]}
BODY = b'{"intent": "refund"}'
CHECK = SignatureCheck((TOKEN,))


def hashed(body: bytes = BODY, url: str = URL) -> str:
    return f"{url}&bodySHA256={hashlib.sha256(body).hexdigest()}"


def passes_form(
    signature: str | None,
    url: str = URL,
    params: Mapping[str, Sequence[str]] = FORM,
    settings: str = "",
    check: SignatureCheck = CHECK,
) -> bool:
    return check.passes(url=url, params=params, body=None, signature=signature, settings=settings)


def passes_body(url: str, body: bytes = BODY, signature: str | None = None) -> bool:
    return CHECK.passes(url=url, params={}, body=body, signature=signature or sign(TOKEN, url, {}))


def test_the_documented_example_passes() -> None:
    """A signature is the Base64 of HMAC-SHA1 over URL and sorted form, as in Twilio's own example (SIGNATURE)."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": ["CA1234567890ABCDE"],
        "Digits": ["1234"],
        "From": ["+14158675309"],
        "To": ["+18005551212"],
        "Caller": ["+14158675309"],
    }
    assert sign("12345", url, form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert passes_form("RSOYDt4T1cUTdK1PDd93/VVr8B8=", url, form)


@pytest.mark.parametrize(
    ("url", "params", "token"),
    [
        (URL.replace("support", "other"), FORM, TOKEN),
        (URL.replace("https", "http"), FORM, TOKEN),
        (URL.replace("%20", "+"), FORM, TOKEN),
        (URL.replace("flowSid=FW1&", ""), FORM, TOKEN),
        (URL, {**FORM, "Body": ["hé llo"]}, TOKEN),
        (URL, {**FORM, "Extra": ["1"]}, TOKEN),
        (URL, {"From": ["+15550100"]}, TOKEN),
        (URL, FORM, "54321"),
    ],
)
def test_another_url_form_or_token_fails(url: str, params: dict[str, list[str]], token: str) -> None:
    """A signature is good for one URL byte for byte, one form and one token."""
    assert passes_form(sign(TOKEN, URL, FORM))
    assert not passes_form(sign(token, url, params))


@pytest.mark.parametrize("signature", ["", None, "ü" * 28, "a\udc80", "short", "=" * 28])
def test_a_missing_or_odd_signature_fails_without_an_exception(signature: str | None) -> None:
    """A missing header raises in the SDK, and one that is not ASCII in compare_digest: here both just fail."""
    assert passes_form(signature) is False


def test_repeated_parameters_count_once_each_in_sorted_order() -> None:
    """Repeated names are signed by their unique values in sorted order (SIGNATURE-REPEATS)."""
    assert sign(TOKEN, URL, {"a": ["2", "1", "2"]}) == sign(TOKEN, URL, {"a": ["1", "2"]})
    assert sign(TOKEN, URL, {"a": ["1", "2"]}) == sign(TOKEN, URL + "a1a2", {})
    assert passes_form(sign(TOKEN, URL, {"a": ["2", "1"]}), params={"a": ["1", "2"]})


def test_a_single_text_is_one_value() -> None:
    """A text in place of a list is one value and not a list of letters."""
    assert sign(TOKEN, URL, {"a": "21"}) == sign(TOKEN, URL, {"a": ["21"]}) != sign(TOKEN, URL, {"a": ["2", "1"]})


def test_a_get_is_signed_by_its_url_alone() -> None:
    """A request without form and body passes by its URL."""
    assert passes_form(sign(TOKEN, URL, {}), params={})


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        ("https://a.example/x?y=1", "https://a.example:443/x?y=1"),
        ("https://a.example:443/x?y=1", "https://a.example/x?y=1"),
        ("http://a.example:80/x", "http://a.example/x"),
        ("http://a.example", "http://a.example:80"),
        ("https://a.example/x", "https://a.example:8443/x"),
        ("https://[::1]:443/x", "https://[::1]/x"),
        ("https://[::1]/x", "https://[::1]:8443/x"),
        ("https://a.example/x?", "https://a.example:443/x?"),
    ],
)
def test_a_port_may_be_there_or_not(signed: str, called: str) -> None:
    """The sender is not consistent about ports, so the URL passes with and without (SIGNATURE-PORT)."""
    assert passes_form(sign(TOKEN, signed, FORM), called)
    assert passes_form(sign(TOKEN, called, FORM), called)


def test_a_port_is_not_ignored_altogether() -> None:
    """A signature for one port does not pass for another."""
    assert not passes_form(sign(TOKEN, "https://a.example:444/x", FORM), "https://a.example:8443/x")


@pytest.mark.parametrize("url", ["https://a.example/x?", "HTTPS://a.example/x", "https://a.example/x;?y#", "/x?y=1"])
def test_the_url_is_taken_byte_for_byte(url: str) -> None:
    """The SDK puts the URL together anew and loses an empty query; here every byte counts."""
    assert passes_form(sign(TOKEN, url, FORM), url)
    assert not passes_form(sign(TOKEN, url + " ", FORM), url)


def test_both_tokens_of_a_rotation_pass_and_empty_ones_are_dropped() -> None:
    """During a rotation either token may have signed; an unset one never has."""
    check = SignatureCheck(("old", "", "new"))
    assert passes_form(sign("old", URL, FORM), check=check)
    assert passes_form(sign("new", URL, FORM), check=check)
    assert not passes_form(sign("", URL, FORM), check=check)


@pytest.mark.parametrize("tokens", [(), ("",)])
def test_without_a_token_nothing_passes(tokens: tuple[str, ...]) -> None:
    """No token means closed, not open."""
    assert not passes_form(sign("", URL, FORM), check=SignatureCheck(tokens))


def test_tokens_stay_out_of_the_repr() -> None:
    """A check may be logged without giving a token away."""
    assert "s3cret" not in repr(SignatureCheck(("s3cret",)))


def test_a_body_passes_by_its_hash_in_the_url() -> None:
    """A body that is no form passes where the URL is signed and names the body's hash, in either case (BODY-HASH)."""
    assert passes_body(hashed())
    upper = f"{URL}&bodySHA256={hashlib.sha256(BODY).hexdigest().upper()}"
    assert passes_body(upper)


def test_a_body_passes_as_raw_bytes_whatever_they_are() -> None:
    """The hash is over the bytes, so a body that is not UTF-8, or empty, is checked as well."""
    assert passes_body(hashed(b"\xff\x00"), b"\xff\x00")
    assert passes_body(hashed(b""), b"")
    assert not passes_body(hashed(b""), b"x")


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL + "&bodySHA256=",
        URL + "&bodySHA256=%C3%BC",
        URL + "&bodySHA256=%ED%B2%80",
        URL + "&bodysha256=" + hashlib.sha256(BODY).hexdigest(),
        hashed(b"another body"),
        hashed(url=hashed()),
        hashed(b"x", url=hashed()),
        URL + "&body%53HA256=00&bodySHA256=" + hashlib.sha256(BODY).hexdigest(),
        URL + "#&bodySHA256=" + hashlib.sha256(BODY).hexdigest(),
    ],
)
def test_a_body_without_exactly_one_right_hash_fails(url: str) -> None:
    """A well-signed URL is not enough for a body: its hash must be there, once, and right."""
    assert not passes_body(url)


def test_a_right_hash_without_a_right_signature_fails() -> None:
    """Anybody can hash a body; only Twilio can sign the URL."""
    assert not passes_body(hashed(), signature=sign("54321", hashed(), {}))


def test_a_forms_parameters_do_not_vouch_for_a_body() -> None:
    """Where there is a body, the signature is over the URL alone."""
    url = hashed()
    assert not CHECK.passes(url=url, params=FORM, body=BODY, signature=sign(TOKEN, url, FORM))
    assert CHECK.passes(url=url, params=FORM, body=BODY, signature=sign(TOKEN, url, {}))


def test_the_settings_header_names_the_algorithm() -> None:
    """HMAC_SHA256 is used where the header asks for it, HMAC_SHA1 where it asks for nothing (SIGNATURE-SETTINGS)."""
    strong = RequestValidator(TOKEN).compute_signature(URL, {}, "HMAC_SHA256")
    assert passes_form(strong, params={}, settings="key=webhooks_sharedkey_1,algorithm=HMAC_SHA256")
    assert not passes_form(strong, params={})
    assert passes_form(sign(TOKEN, URL, {}), params={}, settings="key=1, algorithm=hmac_sha1")
    assert passes_form(sign(TOKEN, URL, {}), params={}, settings="key=1")


def test_an_unknown_algorithm_fails_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK logs a warning that a stranger can cause at will; here it just fails."""
    with caplog.at_level(logging.DEBUG):
        assert not passes_form(sign(TOKEN, URL, FORM), settings="algorithm=HMAC_MD5")
    assert caplog.records == []


def test_a_lone_surrogate_fails_without_an_exception() -> None:
    """What cannot be UTF-8 cannot have been signed."""
    assert passes_form("A" * 28, params={"Body": ["\udc80"]}) is False
    assert passes_form("A" * 28, url="https://a.example/\udc80") is False


def test_signatures_do_not_import_the_rest_client() -> None:
    """Checking a signature is cheap to import: no REST client, no HTTP library."""
    script = "import sys, router.twilio.signatures; print({'twilio.rest', 'aiohttp', 'requests'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
