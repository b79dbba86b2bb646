"""Where a plugin failed: the file beside the line, so that whoever reads of it can go there."""

from __future__ import annotations

import inspect
import re
from typing import Final

from router.hooks.specs import new_manager

_LINE: Final = re.compile(r"(.*) \(line (\d+)\)")


def located(reason: str, plugin: object, hook: str) -> str:
    """Put file and line before ``reason``, which ``hook`` of ``plugin`` failed for, where it ends in a line.

    They come first, as a report may cut what is long.
    """
    found = _LINE.fullmatch(reason)
    return f"{_file_of(plugin, hook)}:{found[2]}: {found[1]}" if found else reason


def _file_of(plugin: object, hook: str) -> str:
    """Find the file that has the function, which may be another than the plugin's: the line is one of that file."""
    manager = new_manager()
    manager.register(plugin)
    implementation, *_others = getattr(manager.hook, hook).get_hookimpls()
    file: str = inspect.unwrap(implementation.function).__code__.co_filename
    return file
