from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.model.messages import LONGEST, Messages, is_known_placeholder, one_sentence, placeholders, render

VALUES: st.SearchStrategy[Any] = st.text() | st.integers() | st.none() | st.lists(st.text(), max_size=3)
ANY_TEXT = st.text(st.characters())  # lone surrogates too


def is_one_line(text: str) -> bool:
    return len(text.splitlines()) <= 1 and not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text)


def test_no_two_ends_share_a_sentence() -> None:
    """Each end that a call can have is told in words of its own, ready for the model."""
    sentences = asdict(Messages())
    assert tuple(sentences) == Messages.names()
    assert len(set(sentences.values())) == len(sentences)
    assert all(is_one_line(text) and text.strip() == text for text in sentences.values())


def test_our_own_sentences_use_only_what_can_be_filled() -> None:
    """Every placeholder of the built-in sentences is known under its key."""
    for key, text in asdict(Messages()).items():
        assert all(is_known_placeholder(name, key) for name in placeholders(text))


def test_given_sentences_replace_ours_one_by_one() -> None:
    """What is not given stays ours; a key that there is not raises."""
    found = Messages.of({"success": "Done"})
    assert (found.success, found.failure) == ("Done", Messages().failure)
    with pytest.raises(TypeError):
        Messages.of({"sucess": "Done"})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no", []),
        ("{intent} of {tool}", ["intent", "tool"]),
        ("{{intent}}", []),
        ("{}", [""]),
        ("{intent!r} {input.a:>9}", ["intent!r", "input.a:>9"]),
        ("{input.a.b[0]}", ["input.a.b[0]"]),
    ],
)
def test_placeholders_are_named_as_they_stand(text: str, names: list[str]) -> None:
    """Conversions and formats are part of the name, so that they are found to be unknown."""
    assert list(placeholders(text)) == names


@pytest.mark.parametrize("text", ["{", "}", "{intent", "a } b", "{{}"])
def test_a_brace_without_its_partner_raises(text: str) -> None:
    """Braces that do not match are a ValueError, for the configuration to place."""
    with pytest.raises(ValueError, match=r"."):
        list(placeholders(text))


@pytest.mark.parametrize(
    ("name", "key", "known"),
    [
        ("intent", "", True),
        ("tool", "success", True),
        ("identity", "failure", True),
        ("input.a", "", True),
        ("input.", "", False),
        ("input", "", False),
        ("known", "unknown_intent", True),
        ("known", "success", False),
        ("known", "", False),
        ("flow", "", False),
        ("intent!r", "", False),
        ("", "", False),
    ],
)
def test_only_some_names_can_be_filled(name: str, key: str, *, known: bool) -> None:
    """``{known}`` belongs to one sentence, an input needs a name, and formats are not ours."""
    assert is_known_placeholder(name, key) is known


def test_placeholders_are_filled() -> None:
    """Words and inputs stand where they were named; what is not there is empty; double braces are braces."""
    words = {"intent": "refund", "tool": "/t", "identity": "sms:+1"}
    inputs = {"a": "{intent}", "n": 7, "a.b": "dotted"}
    assert render("{intent} {tool} {identity} {{x}}", words, inputs) == "refund /t sms:+1 {x}"
    assert (
        render("<{input.a}><{input.n}><{input.a.b}><{input.c}><{other}>", words, inputs) == "<{intent}><7><dotted><><>"
    )


def test_an_input_that_is_no_text_is_shown_as_json() -> None:
    """A model that reads the sentence knows JSON, and no Python."""
    inputs = {"yes": True, "none": None, "list": ["é", 1]}
    assert render("{input.yes} {input.none} {input.list}", {}, inputs) == 'true null ["é", 1]'


@given(ANY_TEXT, VALUES, st.sampled_from(["{input.a}", "x {input.a}{intent} y", "{identity}" * 40]))
@example("a\x85b\u2028c\r\nd\x1ce", None, "{intent}")
@example("é" * LONGEST, None, "{intent}")
def test_a_rendered_sentence_is_one_line_of_bounded_size(word: str, value: Any, text: str) -> None:
    """Whatever the model and the caller wrote, the answer has one line and at most 1 kB of UTF-8."""
    told = render(text, {"intent": word, "identity": word}, {"a": value})
    assert len(told.encode()) <= LONGEST
    assert is_one_line(told)


@given(ANY_TEXT)
def test_a_sentence_loses_only_what_a_line_cannot_have(text: str) -> None:
    """Printable text that fits stays as it is, and doing it twice changes nothing but a cut end."""
    told = one_sentence(text)
    assert len(told.encode()) <= LONGEST
    assert is_one_line(told)
    if text.isprintable() and len(text.encode()) <= LONGEST:
        assert told == text.strip()
    assert one_sentence(told) == told.strip()


def test_a_cut_falls_between_two_letters() -> None:
    """A letter of several bytes is left out whole where it would not fit."""
    assert one_sentence("a" + "é" * LONGEST) == "a" + "é" * ((LONGEST - 1) // 2)
