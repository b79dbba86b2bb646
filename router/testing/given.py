"""The plugins that a test gives, as files of the directory in which the router looks for them."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHIM: Final = '''\
"""Stands for the plugin that a test gave."""

import sys

if {name!r} not in sys.modules:
    raise ImportError("a test gave it as an object, which another process, as for a reload, has not: give a file")
vars().update(sys.modules[{name!r}].hooks)
'''


@contextlib.contextmanager
def given(plugin: Any, directory: Path) -> Iterator[None]:
    """Let ``plugin`` be found in ``directory`` while the block runs.

    A file goes by its own name, a module by the last part of its name, and a class, of which an object is made, or an
    object by its class's: ``AskFirst`` is the plugin ``ask-first``. Raises FileNotFoundError for a file that is not
    there, and FileExistsError for a second plugin of one name.
    """
    if isinstance(plugin, str | Path):
        (directory / Path(plugin).name).symlink_to(Path(plugin).resolve(strict=True))
        yield
        return
    name = _name_of(plugin)
    shared = ModuleType(f"handover_given_{name}_{id(plugin):x}")
    vars(shared)["hooks"] = _hooks_of(plugin() if inspect.isclass(plugin) else plugin)
    with (directory / f"{name}.py").open("x", encoding="utf-8") as file:
        file.write(_SHIM.format(name=shared.__name__))
    # A file can name an object of the test only by way of a module.
    sys.modules[shared.__name__] = shared
    try:
        yield
    finally:
        del sys.modules[shared.__name__]


def _name_of(plugin: Any) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2]
    kind = plugin if inspect.isclass(plugin) else type(plugin)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower().strip("_")


def _hooks_of(plugin: Any) -> dict[str, Any]:
    return {name: getattr(plugin, name) for name in dir(plugin) if not name.startswith("__")}
