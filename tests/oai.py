"""Twilio's own API descriptions as the measure of requests and answers."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]

ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer"},
    },
    "required": ["code", "message", "more_info", "status"],
    "additionalProperties": False,
}
"""The descriptions leave errors out; this is the object that Twilio's general documentation gives."""

_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(found: object) -> bool:
    return not isinstance(found, str) or datetime.fromisoformat(found).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _is_uri(found: object) -> bool:
    return not isinstance(found, str) or all((urlsplit(found).scheme, urlsplit(found).netloc))


@_FORMATS.checks("uri-map", raises=ValueError)
def _is_uri_map(found: object) -> bool:
    return not isinstance(found, dict) or all(isinstance(link, str) and _is_uri(link) for link in found.values())


class Misfit(AssertionError):
    """A request or an answer does not fit the description; the text says what and where."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path template, with everything that it may be given and may answer."""

    method: str
    template: str
    entry: Mapping[str, Any]


class Description:
    """One of Twilio's API descriptions (OpenAPI 3.0)."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Read the description ``name`` from a folder as ``descriptions_folder`` gives it."""
        return cls(json.loads(_file(folder, name).read_text(encoding="utf-8")))

    def operation(self, method: str, path: str) -> Operation:
        """Find what ``method`` on ``path`` is; of two templates that fit, the one with fewer parameters."""
        fitting = [template for template in self._document["paths"] if _fits(template, path)]
        for template in sorted(fitting, key=lambda found: found.count("{")):
            entry = self._document["paths"][template].get(method.lower())
            if entry is not None:
                return Operation(method, template, entry)
        raise Misfit(f"{method} {path} is not described")

    def form_fields(self, method: str, path: str) -> set[str]:
        """List the form parameters of an operation."""
        return set(_form_schema(self.operation(method, path)).get("properties", {}))

    def check_request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Sequence[str]] | None = None,
        form: Mapping[str, Sequence[str]] | None = None,
    ) -> Operation:
        """Raise ``Misfit`` unless path, query and form have what is described, all that is required, no more."""
        operation = self.operation(method, path)
        described = {entry["name"]: entry for entry in operation.entry.get("parameters", ())}
        self._check_path(operation, path, described)
        in_query = {name: entry["schema"] for name, entry in described.items() if entry["in"] == "query"}
        self._check_fields(f"{method} {path} query", in_query, (), query or {})
        schema = _form_schema(operation)
        self._check_fields(
            f"{method} {path} form", schema.get("properties", {}), schema.get("required", ()), form or {}
        )
        return operation

    def check_response(self, method: str, path: str, status: int, body: Any) -> Operation:
        """Raise ``Misfit`` unless ``status`` is described and ``body`` has each described key, rightly, and no other.

        Refusals are measured by ``ERROR``.
        """
        operation = self.operation(method, path)
        where = f"{method} {path} -> {status}"
        if status >= 400:
            self._check(where, dict(ERROR), body)
            if body["status"] != status:
                raise Misfit(f"{where}: the body says {body['status']}")
            return operation
        answers = operation.entry["responses"]
        if str(status) not in answers:
            raise Misfit(f"{where}: described are {sorted(answers)}")
        content = answers[str(status)].get("content")
        if content is None:
            if body is not None:
                raise Misfit(f"{where}: a body, where none is described: {body!r}")
            return operation
        self._check(where, self._as_json_schema(content["application/json"]["schema"]), body)
        return operation

    def _check_path(self, operation: Operation, path: str, described: Mapping[str, Any]) -> None:
        names = re.findall(r"\{(\w+)\}", operation.template)
        found = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", operation.template), path)
        for name, value in zip(names, found.groups() if found else (), strict=True):
            self._check(f"{path}: {name}", self._as_json_schema(described[name]["schema"]), value)

    def _check_fields(
        self, where: str, known: Mapping[str, Any], required: Sequence[str], found: Mapping[str, Sequence[str]]
    ) -> None:
        unknown, missing = found.keys() - known.keys(), set(required) - found.keys()
        if unknown or missing:
            raise Misfit(f"{where}: not described: {sorted(unknown)}, missing: {sorted(missing)}")
        for name, values in found.items():
            schema = self._as_json_schema(known[name])
            if schema.get("type") == "array":
                self._check(f"{where}: {name}", schema, list(values))
            elif len(values) != 1:
                raise Misfit(f"{where}: {name} is given {len(values)} times")
            else:
                self._check(f"{where}: {name}", schema, _typed(values[0], schema))

    def _check(self, where: str, schema: Mapping[str, Any], found: Any) -> None:
        validator = Draft202012Validator(schema, format_checker=_FORMATS)
        faults = [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in validator.iter_errors(found)]
        if faults:
            raise Misfit(f"{where}\n  " + "\n  ".join(faults))

    def _as_json_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Resolve references, turn ``nullable`` into a type, and demand of objects exactly the described keys."""
        if "$ref" in schema:
            return self._as_json_schema(self._resolve(schema["$ref"]))
        kept = {name: schema[name] for name in _KEPT if name in schema}
        if "items" in schema:
            kept["items"] = self._as_json_schema(schema["items"])
        if "properties" in schema:
            kept["properties"] = {name: self._as_json_schema(part) for name, part in schema["properties"].items()}
            kept["required"] = list(kept["properties"])
            kept["additionalProperties"] = False
        if schema.get("nullable") and "type" in kept:
            kept["type"] = [kept["type"], "null"]
        return kept

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return dict(found)


_KEPT: Final = ("type", "format", "pattern", "enum", "minLength", "maxLength", "minimum", "maximum")


def descriptions_folder() -> Path:
    """Give the folder of Twilio's API descriptions; skips the test, saying why, where there is none."""
    folder = Path(os.environ.get("TWILIO_OAI") or ROOT.parent / "shared" / "twilio-oai")
    if not _file(folder, "conversations_v1").is_file():
        pytest.skip(f"no API descriptions of Twilio in {folder}: set TWILIO_OAI to a clone of twilio/twilio-oai")
    return folder


def _file(folder: Path, name: str) -> Path:
    """Find a description beside the others, or where a clone of twilio/twilio-oai has it."""
    cloned = folder / "spec" / "json" / f"twilio_{name}.json"
    return cloned if cloned.is_file() else folder / f"{name}.json"


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) is not None


def _form_schema(operation: Operation) -> Mapping[str, Any]:
    content = operation.entry.get("requestBody", {}).get("content", {})
    return dict(content.get("application/x-www-form-urlencoded", {}).get("schema", {}))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """Read a form's text as the type that its schema has."""
    if schema.get("type") == "integer":
        return int(text) if text.lstrip("-").isdecimal() else text
    return text
