"""A document held against a JSON Schema: every error at its place, in words for whoever wrote the file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from jsonschema import Draft202012Validator
from referencing import Registry

from router import bundled
from router.config.document import at
from router.config.expected import may_stand_at
from router.config.fragments import about_fragment
from router.config.remedies import is_a, misplaced, one_off, remedy_for
from router.config.scalars import AmbiguousScalar, meaning
from router.config.validation import Validation
from router.config.wording import about_sid, described, either, is_telling, named, quoted, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

    from router.config.document import Document, Trail
    from router.config.faults import Faults
    from router.model.place import Place

_KINDS: Final = {
    "string": "text",
    "object": "a mapping",
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}
_LIMITS: Final = {
    "minLength": "is too short: at least {limit} characters",
    "maxLength": "is too long: at most {limit} characters",
    "minItems": "has too few entries: at least {limit}",
    "maxItems": "has too many entries: at most {limit}",
    "minProperties": "has too few entries: at least {limit}",
    "maxProperties": "has too many entries: at most {limit}",
    "uniqueItems": "names something twice",
    "minimum": "is too small: at least {limit}",
    "maximum": "is too large: at most {limit}",
    "exclusiveMinimum": "is too small: more than {limit}",
    "exclusiveMaximum": "is too large: less than {limit}",
}
_NAME: Final = re.compile(r"[\w.-]+")
"""A key that is nothing but a key; another one may have run into its value."""

_LEAST: Final = ("minLength", "minItems", "minProperties")
_MOST: Final = 2_000
"""So many violations are looked at; far fewer are told."""


class _Explains(Protocol):
    """What a judge needs of a schema."""

    def iter_errors(self, instance: Any, /) -> Iterator[ValidationError]: ...


@cache
def grammar() -> Validation:
    """The schema of routes.yaml, ready to use."""
    return Validation(json.loads(bundled.SCHEMA.read_text("utf-8")))


def validator(schema: Mapping[str, Any]) -> Validator:
    """Make a schema ready to use. It reaches no other schema, least of all over the network."""
    return Draft202012Validator(schema, registry=Registry())


@dataclass(frozen=True, slots=True)
class _Violation:
    """One error of jsonschema's: ``wanted`` is the value of the keyword, ``schema`` what the keyword stands in."""

    trail: Trail
    keyword: str
    wanted: Any
    found: Any
    schema: Mapping[str, Any]
    is_of_key: bool

    @classmethod
    def of(cls, error: ValidationError) -> _Violation:
        return cls(
            trail=tuple(error.absolute_path),
            keyword=str(error.validator),
            wanted=error.validator_value,
            found=error.instance,
            schema=error.schema if isinstance(error.schema, dict) else {},
            is_of_key="propertyNames" in error.absolute_schema_path,
        )

    @property
    def kinds(self) -> list[str]:
        """The types that the keyword ``type`` allows."""
        return [self.wanted] if isinstance(self.wanted, str) else list(self.wanted)


class Judge:
    """Holds documents against one schema and tells ``faults``; ``code`` replaces the code of each where it is given.

    ``prefix`` is the trail by which messages call the document's root within the whole file, which is ``names``.
    """

    def __init__(
        self, schema: _Explains, faults: Faults, *, code: str = "", prefix: Trail = (), names: Document | None = None
    ) -> None:
        self._schema = schema
        self._faults = faults
        self._code = code
        self._prefix = prefix
        self._names = names

    def judge(self, document: Document) -> bool:
        """Tell every error of ``document``, and mark what it spoils; say whether there was none.

        What came from the environment is text; where the schema wants true or a number, it is first read as that.
        """
        self._names = self._names or document
        found = self._violations(document)
        if [True for each in found if each.keyword == "type" and _convert(document, each)]:
            found = self._violations(document)
        found.sort(key=lambda each: document.value(each.trail))  # jsonschema goes through unknown keys in any order
        mistyped = {each.trail for each in found if each.keyword == "type" and not each.is_of_key}
        for each in found:
            is_cut = each.found is None and each.trail in document.unfinished
            is_told = document.is_spoilt(each.trail) or (each.keyword != "type" and each.trail in mistyped)
            if not (is_told or is_cut):
                self._tell(document, each)
        document.spoilt |= mistyped
        if len(found) == _MOST:
            document.spoilt |= {(key,) for key in document.data}  # what was not looked at cannot be relied on
        return not found

    def _violations(self, document: Document) -> list[_Violation]:
        return [_Violation.of(error) for error in islice(self._schema.iter_errors(document.data), _MOST)]

    def _tell(self, document: Document, error: _Violation) -> None:
        if error.is_of_key:
            self._tell_name(document, error)
        elif error.keyword == "additionalProperties":
            self._tell_unknown(document, error)
        elif error.keyword == "required":
            self._tell_missing(document, error)
        elif error.keyword == "type":
            self._error(document.value(error.trail), "type-wrong", self._about_type(document, error))
        elif error.keyword not in _LEAST or error.trail not in document.unfinished:
            if error.trail:
                document.spoilt.add(error.trail)
            self._error(document.value(error.trail), "value-wrong", self._about_value(document, error))

    def _tell_name(self, document: Document, error: _Violation) -> None:
        """Tell of a key that is no name here."""
        key = (*error.trail, error.found)
        if key not in document.spoilt:
            document.spoilt.add(key)
            message = str(error.schema.get("x-message", "{found} is no name that can stand here"))
            hint = "; references are put into values, not into keys" if "${" in error.found else ""
            self._error(document.key(key), "name-wrong", message.replace("{found}", quoted(error.found)) + hint)

    def _tell_unknown(self, document: Document, error: _Violation) -> None:
        known = error.schema.get("properties", {})
        patterns = error.schema.get("patternProperties", {})
        for key in error.found:
            if self._faults.is_full:
                return
            trail = (*error.trail, key)
            if key in known or trail in document.spoilt or any(re.search(pattern, key) for pattern in patterns):
                continue
            document.spoilt.add(trail)
            guess = "" if self._code else _cut_off(document, error, key) or _meant(error, key)
            guess = guess or self._faults.near(key, known) or f"; it may have: {', '.join(known) or 'nothing'}"
            title = "such a key" if is_telling(trail) and not _NAME.fullmatch(key) else f"key {quoted(key)}"
            message = f"{self._name(error.trail)} has no {title}{guess}"
            self._error(document.key(trail), "key-unknown", message)

    def _tell_missing(self, document: Document, error: _Violation) -> None:
        for key in error.wanted:
            trail = (*error.trail, key)
            if key in error.found or trail in document.spoilt or error.trail in document.unfinished:
                continue
            document.spoilt.add(trail)
            examples = error.schema.get("properties", {}).get(key, {}).get("examples", [None])
            example = "" if isinstance(examples[0], dict | list | None) else f"; for example {key}: {examples[0]}"
            hint = "" if self._code or error.trail else about_fragment(error.found)
            message = f"{self._name(error.trail)} lacks {quoted(key)}{hint or example}"
            place = document.keys.get(trail) or document.key(error.trail)  # a layer of a config may have removed it
            self._error(place, "key-missing", message)

    def _about_type(self, document: Document, error: _Violation) -> str:
        expected = " or ".join(_KINDS[each] for each in error.kinds if each != "null") or "nothing"
        remedy = "" if error.trail in document.origins else remedy_for(error.trail, error.found, error.kinds)
        found = described(document, error.trail, error.found)
        return f"{self._name(error.trail)} is {found}, expected {expected}{remedy}"

    def _about_value(self, document: Document, error: _Violation) -> str:
        name, found = self._name(error.trail), shown(document, error.trail, error.found)
        if error.keyword in _LIMITS:
            limit = _LIMITS[error.keyword].replace("{limit}", str(error.wanted))
            return f"{name} is empty" if error.keyword in _LEAST and error.wanted == 1 else f"{name} {limit}"
        is_written = error.trail not in document.origins
        guess, message = "", f"{name} does not fit the schema ({error.keyword})"
        if error.keyword == "None":  # the schema ``false``, which jsonschema places at the mapping around it
            message = f"{name} has something in it that may not be there"
        elif error.trail[:1] == ("auth",) and str(error.found).startswith("secret:"):
            guess = "; a space is missing behind the colon: 'secret: ...'"
        elif error.keyword == "enum" and (choices := _choices(error.wanted)):
            message = f"{name} is {found}; expected {either(choices)}"
            guess = self._faults.near(error.found, choices) if found == quoted(str(error.found)) else ""
            if not any(choice in error.schema.get("x-message", message) for choice in choices):
                guess = f"; expected {either(choices)}{guess}"
        elif error.keyword == "const" and is_written and error.found == str(error.wanted):
            guess = f"; write {error.wanted}, without quotes"
        elif error.schema.get("title") == "Flow SID" and is_written and isinstance(error.found, str):
            guess = about_sid(error.found)
        elif error.keyword == "pattern":
            told = described(document, error.trail, error.found)
            message = f"{name} is {told}, which does not match {quoted(str(error.wanted))}"
        return str(error.schema.get("x-message", message)).replace("{found}", found) + guess

    def _name(self, trail: Trail) -> str:
        return named((*self._prefix, *trail), self._names)

    def _error(self, place: Place, code: str, message: str) -> None:
        self._faults.error(place, self._code or code, message)


def _choices(values: list[Any]) -> list[str]:
    """Write the values of an enum as they are written in a file, less the one that says nothing."""
    return [value if isinstance(value, str) else json.dumps(value) for value in values if value is not None]


def _cut_off(document: Document, error: _Violation, key: str) -> str:
    """Say what makes a key of the end of a sentence: a comma, where the mapping around it stands on one line."""
    keys = list(error.found)
    before = (*error.trail, keys[keys.index(key) - 1])
    is_text = error.found[key] is None and " " in key and isinstance(at(document.data, before), str)
    is_cut = is_text and document.key(before).line == document.key((*error.trail, key)).line
    return "; within { } a text with a comma in it needs quotes" if is_cut else ""


def _meant(error: _Violation, key: str) -> str:
    """Guess what was meant by a key: one beside it with a letter amiss, if that may have such a value, else a place."""
    near = one_off(key, error.schema.get("properties", {}))
    is_slip = near and may_stand_at((*error.trail, near), error.found[key])
    return f"; did you mean {quoted(near)}?" if is_slip else misplaced(key, error.trail)


def _convert(document: Document, error: _Violation) -> bool:
    """Read a text from the environment as what the schema wants there; say whether that could be done."""
    if error.trail not in document.origins:
        return False
    try:
        value = meaning(error.found)
    except AmbiguousScalar:
        return False
    if not is_a(value, error.kinds):
        return False
    at(document.data, error.trail[:-1])[error.trail[-1]] = value
    return True
