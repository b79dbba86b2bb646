"""Files as bytes and text: read within bounds, and a fault where that cannot be done."""

from __future__ import annotations

import stat
from itertools import islice
from typing import TYPE_CHECKING, Final

from router.model.place import Place

if TYPE_CHECKING:
    from pathlib import Path

    from router.config.faults import Faults

LARGEST: Final = 10_000_000
"""Bytes that a file may have."""


class Unreadable(Exception):
    """A file that cannot be read, and why, in words that continue a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def contents(path: Path) -> bytes:
    """Read a regular file; raises Unreadable where there is none, or it is not ours to read, or too large."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("file-unreadable", "is a directory" if path.is_dir() else "is no regular file")
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Unreadable("file-missing", "does not exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is no file's name"
        raise Unreadable("file-unreadable", f"cannot be read: {reason}") from None
    if len(found) > LARGEST:
        raise Unreadable("file-large", f"has more than {LARGEST:,} bytes")
    return found


def matching(directory: Path, pattern: str, most: int) -> list[Path]:
    """Find the files that ``pattern`` names, ``most`` of them at the most; none where it is no file's name."""
    try:
        return list(islice((path for path in directory.glob(pattern) if path.is_file()), most))
    except OSError:  # a pattern that is longer than any name
        return []


def decoded(found: bytes, file: str, faults: Faults) -> str | None:
    """Read the bytes as UTF-8, with or without its mark; None, and a fault at the first wrong byte, if they are not."""
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line = before.rpartition(b"\n")[2].decode("utf-8", "replace")
        place = Place(file, before.count(b"\n") + 1, len(line) + 1)
        wrong = error.object[error.start]
        faults.error(place, "file-encoding", f"the byte 0x{wrong:02X} is no UTF-8; save the file as UTF-8")
        return None
