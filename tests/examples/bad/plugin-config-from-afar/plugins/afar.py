from typing import Any

from router import hookimpl


@hookimpl
def plugin_info() -> dict[str, Any]:
    return {"config_schema": {"properties": {"count": {"type": "integer"}, "size": {"type": "number", "maximum": 10}, "old": False, "active": {"type": "boolean"}, "third": {"type": "boolean"}, "api_key": {"const": "x"}}, "patternProperties": {"^x-": {"type": ["array", "null"]}}, "additionalProperties": False, "propertyNames": {"minLength": 3}}}
