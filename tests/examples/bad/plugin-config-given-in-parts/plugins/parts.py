from typing import Any

from router import hookimpl


@hookimpl
def plugin_info() -> dict[str, Any]:
    return {"config_schema": {"required": ["first"], "properties": {"first": {"type": "string"}, "second": {"additionalProperties": {"type": "integer"}}}}}
