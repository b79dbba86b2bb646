from typing import Any

from router import hookimpl


@hookimpl
def plugin_info() -> dict[str, Any]:
    return {
        "config_schema": {
            "type": "object",
            "required": ["api_token", "url"],
            "properties": {
                "limit": {"type": "integer", "maximum": 10},
                "api_token": {"type": "string"},
                "page": {"type": "string", "pattern": "^https?://"},
                "mode": {"oneOf": [{"const": "a"}, {"type": "null"}]},
            },
            "patternProperties": {"^x-": {}},
            "additionalProperties": False,
        }
    }
