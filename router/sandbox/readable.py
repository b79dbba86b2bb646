"""Answers for people with curl."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class ReadableResponse(JSONResponse):
    """JSON for people: a line for each value."""

    def render(self, content: Any) -> bytes:
        """Write ``content`` with indents and a line feed at the end."""
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
