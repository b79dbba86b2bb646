"""Lines of a configuration with the secrets that may stand in them made unreadable, also where the file is broken.

What is secret is judged by keys and indentation alone, line by line, and rather once too often.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from router.config.wording import SECRETIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST: Final = 2_000
"""Characters. What follows them in a line is hidden, as it takes too long to tell which word of it is secret."""

_MARGIN: Final = 400
"""So many characters before that are hidden too: an address among them may be cut off, and not be known for one."""

_OPEN: Final = re.compile(r"\$\{[^{}]*$")

_KEY: Final = re.compile(rf"(?:{SECRETIVE.pattern}|identity)[\w-]*[\"']?\s*[:=]\s*", re.IGNORECASE)
_REFERENCE: Final = re.compile(
    r"\$\{(?:env:[A-Za-z_]\w*(?::-[^{}]*)?|file:[^{}]*)\}|(?P<head>(?<!\$)\$\{(?:[A-Za-z]+[:.])?\w*)(?P<rest>[^{}]*)\}"
)
_ADDRESS: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]+\.[\w.-]+"
    r"|\+\d(?:[ ().-]{0,2}\d)+"
    r"|(?<![\w.+/-])(?!\d{4}-\d{1,2}-\d)\(?\d+(?:[ ().-]{1,2}\d+){2,}"
)
_LEAST_DIGITS: Final = 7
"""So many digits a telephone number has, with its ``+`` or with something between its parts."""

_PROOFS: Final = re.compile(r"[\"']?auth[\"']?\s*:")
_ENTRY: Final = re.compile(r"\s*(?:- |-$|[^\s#:]+(?: [^\s#:]+)*\s*:(?:\s|$))")
_SHOWN: Final = re.compile(
    r"(\$\{(?:env:(?:[A-Za-z_]\w*(?=[:}])(?::-)?)?|file:[\w./-]*(?=\}))|\b(?:secrets?|auth|twilio[\w-]*)\b|[\s\[\]{},:]|(?<!\S)-(?=\s))|."
)


def veiled(line: str, *, is_secret: bool) -> str:
    """Put a star for each character that may be secret: of the whole line, or of what follows a telling key.

    References such as ``${env:NAME}`` stay; their defaults do not. Telephone numbers and mail addresses are hidden
    wherever they stand, and so is what follows the name in a malformed reference. Of a very long line only the begin is
    judged in this way, and all that follows is hidden. No character is added or removed.
    """
    if len(line) > LONGEST and not is_secret:
        known = _OPEN.sub("", line[:LONGEST])[: LONGEST - _MARGIN]
        begin = veiled(line[:LONGEST], is_secret=False)[: len(known)]
        return begin + veiled(line[len(known) :], is_secret=True)
    if is_secret:
        return _SHOWN.sub(lambda found: found[1] or "*", line)
    key = _PROOFS.match(line) or _KEY.search(line)
    if key:
        return veiled(line[: key.start()], is_secret=False) + key[0] + veiled(line[key.end() :], is_secret=True)
    line = _REFERENCE.sub(_without_rest, line)
    return _ADDRESS.sub(lambda found: found[0] if _is_short(found[0]) else _stars(found[0]), line)


def _without_rest(found: re.Match[str]) -> str:
    """Hide what follows the name in a reference, unless it is well formed: then it is a default to be read."""
    return found[0] if found["rest"] is None else f"{found['head']}{_stars(found['rest'])}}}"


def _is_short(digits: str) -> bool:
    return "@" not in digits and sum(map(str.isdigit, digits)) < _LEAST_DIGITS


def _stars(text: str) -> str:
    return "*" * len(text)


def secret_lines(lines: Sequence[str]) -> Iterator[bool]:
    """Say of each line in turn whether all of it may be secret, as it stands below ``auth`` or below a telling key."""
    above: list[tuple[int, bool]] = []
    for line in lines:
        bare = line.lstrip()
        if not bare:
            yield bool(above) and above[-1][1]
            continue
        if _ENTRY.match(line[:LONGEST]) or bare.startswith("#"):
            depth = len(line) - len(bare) + bare.startswith("-")  # the entries of a list may stand right below its key
            while above and above[-1][0] >= depth:
                above.pop()
        else:
            depth = above[-1][0] + 1 if above else 0  # goes on with the text before it, wherever it stands
        is_secret = bool(above) and above[-1][1]
        yield is_secret
        if not bare.startswith("#"):
            is_telling = _KEY.search(line[:LONGEST]) or (depth == 0 and _PROOFS.match(bare))
            above.append((depth, is_secret or bool(is_telling)))
