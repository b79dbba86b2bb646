from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.request import TwilioRequest

URL = "https://conversations.twilio.com/v1/Services/IS1/Conversations/CH1/Messages"


def checked(
    url: Any = URL, method: Any = "POST", form: dict[Any, Any] | None = None, query: dict[Any, Any] | None = None
) -> TwilioRequest:
    return TwilioRequest.checked(method, url, form or {}, query or {})


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}?PageSize=50&Page=1&PageToken=PT%2f1",
        "https://conversations.dublin.ie1.twilio.com/v1/Conversations",
        "https://conversations.ie1.twilio.com/",
        "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",
        "https://lookups.twilio.com/v2/PhoneNumbers/%2B15550100",
        "https://sync.twilio.com/v1/Services/IS1/Documents/a..b/...",
        "https://studio.twilio.com/v2/Flows?a=../b",
    ],
)
def test_addresses_of_twilio_pass_as_they_are(url: str) -> None:
    """Any product, region and edge, a page's address too, and nothing of it is changed."""
    assert checked(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "conversations.twilio.com/v1",
        "http://conversations.twilio.com/v1",
        "HTTPS://conversations.twilio.com/v1",
        "//conversations.twilio.com/v1",
        "https://evil.example/v1",
        "https://eviltwilio.com/v1",
        "https://twilio.com/v1",
        "https://.twilio.com/v1",
        "https://a.b.c.d.twilio.com/v1",
        "https://conversations.twilio.com.evil.example/v1",
        "https://evil.example/.twilio.com/v1",
        "https://evil.example?.twilio.com/v1",
        "https://evil.example#.twilio.com/v1",
        "https://evil.example\\.twilio.com/v1",
        "https://conversations.twilio.com",
        "https://conversations.twilio.com?a=b",
        "https://conversations.twilio.com:443/v1",
        "https://conversations.twilio.com:8443/v1",
        "https://conversations.twilio.com@evil.example/v1",
        "https://AC1:s3cret@conversations.twilio.com/v1",
        "https://conversations.twilio.com\n/v1",
        " https://conversations.twilio.com/v1",
        "https://c\u043enversations.twilio.com/v1",
    ],
)
def test_credentials_leave_for_twilio_alone(url: str) -> None:
    """Another host, scheme or port, and a user name, are refused; a password is not shown."""
    with pytest.raises(ValueError, match=r"begins with https://NAME\.twilio\.com/ and has no port, found ") as caught:
        checked(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "rest",
    [
        "/../Accounts",
        "/x/..",
        "/./x",
        "/%2e%2E/x",
        "/.%2e",
        "/a%2F..%2FAccounts",
        "/a%5c..%5cAccounts",
        "/a\\..\\b",
        "/a#b",
        "/a b",
        "/a\tb",
        "/a\n",
        "/a\x00",
        "/ü",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a?b=c d",
        "/{sid}",
        '/"',
    ],
)
def test_what_would_lead_astray_is_refused(rest: str) -> None:
    """No segment goes up, escaped or not, and all that is not a URL's own must be escaped (SDK-PATH)."""
    with pytest.raises(
        ValueError, match=r"at https://conversations\.twilio\.com has '\.\.', '#' or what is not escaped"
    ):
        checked(f"https://conversations.twilio.com{rest}")


def test_a_refusal_names_nobody() -> None:
    """What stands in a URL may be a customer's number or name."""
    for url in ("https://lookups.twilio.com/v2/Jane Doe", "https://+15550100.twilio.com/v2"):
        with pytest.raises(ValueError, match="https://") as caught:
            checked(url)
        assert not {"Jane", "15550100"} & set(str(caught.value).replace("+", " ").split())


@given(st.text(max_size=60))
def test_no_text_gets_past_the_host(text: str) -> None:
    """Whatever is put in place of a path, the host stays Twilio's, or the URL is refused."""
    try:
        url = checked(f"https://conversations.twilio.com{text}").url
    except ValueError:
        return
    assert url.startswith("https://conversations.twilio.com/")
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "get", "", "POST /x HTTP/1.1\r\n", None, 7])
def test_other_methods_are_refused(method: Any) -> None:
    """Three methods are all that Twilio's form-encoded API has."""
    with pytest.raises(ValueError, match="expected the method GET, POST or DELETE, found "):
        checked(method=method)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_only_a_post_has_a_form(method: str) -> None:
    """A field in the wrong place would be ignored without a word."""
    with pytest.raises(ValueError, match=f"what a {method} asks for goes into query"):
        checked(method=method, form={"PageSize": "1"})


def test_fields_are_texts_and_lists_of_texts() -> None:
    """Each becomes a list; a lone surrogate, which UTF-8 cannot say, becomes a question mark."""
    request = checked(form={"Body": "Hällo", "Filters": ("a", "b"), "None": []}, query={"Odd": "a\ud800"})
    assert request.form == {"Body": ["Hällo"], "Filters": ["a", "b"], "None": []}
    assert request.query == {"Odd": ["a?"]}


@pytest.mark.parametrize("value", [1, None, True, b"x", ["a", 1], {"a": "b"}, {"a"}])
@pytest.mark.parametrize("kind", ["form", "query"])
def test_other_values_are_refused(kind: str, value: Any) -> None:
    """``None`` would be dropped and ``True`` be written as Python does: neither is what Twilio reads."""
    with pytest.raises(TypeError, match=f"the field 'Index' of {kind}: expected a text or a list of texts, found "):
        checked(**{kind: {"Index": value}})


def test_what_it_is_about_is_not_shown() -> None:
    """The text of a message and a number in a path stay out of every log."""
    request = checked("https://lookups.twilio.com/v2/PhoneNumbers/%2B15550100", form={"Body": "Hello Jane"})
    assert repr(request) == "TwilioRequest(method='POST')"


def test_a_write_that_is_not_made_has_an_answer() -> None:
    """An empty object for a POST, as for a deletion nothing: that is all that is certain."""
    assert (checked().is_read, checked().unmade_answer) == (False, {})
    assert (checked(method="DELETE").is_read, checked(method="DELETE").unmade_answer) == (False, None)
    assert checked(method="GET").is_read
