"""Whether a file fits the grammar: a compiled validator says so at once, and jsonschema explains what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from referencing import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError


class Validation:
    """A schema in both forms. They must agree, and the tests hold them to it: a file has one meaning.

    Explaining costs a hundred times what saying yes costs, so of a large mapping or list only those parts are
    explained that do not fit.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions = schema.get("$defs", {})
        self._compiled: dict[int, jsonschema_rs.Draft202012Validator] = {}
        self._whole = schema
        by_parts = {
            "items": self._items,
            "additionalProperties": self._additional,
            "propertyNames": self._names,
        }
        explaining = extend(Draft202012Validator, by_parts)  # type: ignore[no-untyped-call]  # jsonschema left it untyped
        self._explaining = explaining(schema, registry=Registry())

    def iter_errors(self, data: Any) -> Iterator[ValidationError]:
        """Yield what is wrong with ``data``, in any order."""
        if not self._fits(self._whole, data):
            yield from self._explaining.iter_errors(data)

    def _fits(self, schema: Mapping[str, Any], data: Any) -> bool:
        """Ask the compiled form; text that is no Unicode (from the environment) is left to the other one."""
        compiled = self._compiled.get(id(schema))
        if compiled is None:
            whole = {**schema, "$defs": self._definitions}
            compiled = self._compiled[id(schema)] = jsonschema_rs.Draft202012Validator(whole)
        try:
            return compiled.is_valid(data)
        except UnicodeEncodeError:
            return False

    def _items(self, validator: Any, schema: Any, data: Any, _around: Any) -> Iterator[ValidationError]:
        for index, item in enumerate(data if isinstance(data, list) else []):
            if not self._fits(schema, item):
                yield from validator.descend(item, schema, path=index)

    def _additional(self, validator: Any, schema: Any, data: Any, around: Any) -> Iterator[ValidationError]:
        if schema is False:
            yield from Draft202012Validator.VALIDATORS["additionalProperties"](validator, schema, data, around)
            return
        known = around.get("properties", {})
        for key in data if isinstance(data, dict) else ():
            if key not in known and not self._fits(schema, data[key]):
                yield from validator.descend(data[key], schema, path=key)

    def _names(self, validator: Any, schema: Any, data: Any, _around: Any) -> Iterator[ValidationError]:
        for key in data if isinstance(data, dict) else ():
            if not self._fits(schema, key):
                yield from validator.descend(key, schema)
