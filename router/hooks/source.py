"""A plugin's file, executed: always from its source, always into a module of its own."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

from router.hooks.failure import deepest_line, reason_of

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType, ModuleType


class _GivenLoader(SourceFileLoader):
    """Takes the source that it is given, and no cached bytecode, which may be that of a file of the same size."""

    def __init__(self, fullname: str, path: str, source: bytes) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader knows its one file
        return self.source_to_code(self._source, self.path)


def execute(path: Path, source: bytes) -> ModuleType:
    """Execute ``source``, which stands at ``path``, as a new module that no other import finds.

    Raises whatever the source raises.
    """
    name = f"handover_plugin_{path.stem}"
    spec = spec_from_file_location(name, path, loader=_GivenLoader(name, str(path), source))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a loader was given; this tells mypy
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up while the file runs
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name, None)
    return module


def place_of(error: BaseException, path: Path) -> tuple[int, str]:
    """Say at which line of ``path`` its execution ended in ``error``, and why; line 1 where no line is known."""
    # By its type first: to ask an exception of the plugin's own for its class is a call into the plugin.
    if issubclass(type(error), SyntaxError) and isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1, f"{type(error).__name__}: {error.msg}"
    return deepest_line(error, str(path)) or 1, reason_of(error)
