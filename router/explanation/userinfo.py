"""User and password in URLs, such as those of databases: nobody needs them to see where a value was written."""

from __future__ import annotations

import re
from typing import Final

# A password may hold '/' and '@' as people write it, so with a ':' all is taken up to the last '@' of the word.
_USERINFO: Final = re.compile(r"(?<=://)(?:[^\s:/?#@]*:\S*|[^\s/?#]*)@")


def without_userinfo(text: str) -> str:
    """Replace what stands before the host of each URL in ``text``; rather too much than too little."""
    return _USERINFO.sub("…@", text)
