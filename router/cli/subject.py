"""What a command is about: a configuration, named by PATH or by the settings, and the plugins beside it."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from router.config import LastGood, load
from router.config.garbage import uncollected
from router.config.loading import plugin_directories
from router.config.reading import Running
from router.hooks.discovery import discover
from router.settings import plugins_directories, state_directory, with_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from router.config import Loaded
    from router.hooks.discovery import Discovery

PLUGINS_DIR: Final = click.option(
    "--plugins-dir",
    "plugins_dirs",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="Look for plugins here instead of in plugins/ beside the file; may be given several times.",
)
"""The option with which a command finds plugins elsewhere."""

_PATH: Final = click.argument("path", type=click.Path(path_type=Path), required=False)
_STDOUT: Final = 1
_STDERR: Final = 2


@contextlib.contextmanager
def plugins_aside() -> Iterator[None]:
    """Let stdout be stderr while plugins run: what they print, or their children, is none of a command's output."""
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as undo:
        with contextlib.suppress(OSError):  # one of the two is closed: nothing of a plugin's gets through there
            kept = os.dup(_STDOUT)
            undo.callback(os.close, kept)
            os.dup2(_STDERR, _STDOUT)
            undo.callback(os.dup2, kept, _STDOUT)
        yield


@dataclass(frozen=True, slots=True)
class Subject:
    """The configuration at ``path``, read with ``environ``; ``plugins_dirs`` is None for those beside it."""

    path: Path
    environ: Mapping[str, str]
    plugins_dirs: Sequence[Path] | None

    @classmethod
    def of(cls, path: Path | None, plugins_dirs: Sequence[Path]) -> Subject:
        """Take what was typed; what was not comes from the environment and ``.env``."""
        environ = with_dotenv(os.environ, Path.cwd())
        tell_of_missing(plugins_dirs, environ)
        named = path or Path(environ.get("HANDOVER_CONFIG") or "routes.yaml")
        return cls(named, environ, plugins_dirs or plugins_directories(environ) or None)

    @property
    def directories(self) -> Sequence[Path]:
        """Where plugins are looked for, the bundled ones last."""
        return plugin_directories(self.path, self.plugins_dirs)

    def load(self) -> Loaded:
        """Load it; raises ConfigError. A file that lost much of what runs from here gets a warning."""
        state = state_directory(self.environ)
        running = LastGood(state, self.path).read() if state else None
        with uncollected(), plugins_aside():
            return load(
                self.path,
                environ=self.environ,
                plugins_dirs=self.plugins_dirs,
                running=Running(running.contents) if running else Running(),
            )

    def discover(self) -> Discovery:
        """Find the plugins that it may switch on; it need not exist yet."""
        with plugins_aside():
            return discover(self.directories)


def tell_of_missing(plugins_dirs: Sequence[Path], environ: Mapping[str, str]) -> None:
    """Tell of each directory of plugins that was named and is not there: the other ones are looked into all the same.

    That is no error, as a server must come up again with its last good form also where a directory has gone.
    """
    name = "--plugins-dir" if plugins_dirs else "HANDOVER_PLUGINS_DIR"
    for directory in plugins_dirs or plugins_directories(environ):
        if not directory.is_dir():
            click.echo(
                f"handover: {name}: {directory} is no directory, so no plugin is found there; make it, or name another",
                err=True,
            )


def about_a_configuration(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument PATH and the option ``--plugins-dir``, and the function the ``subject`` of both."""

    @wraps(function)
    def with_subject(path: Path | None, plugins_dirs: tuple[Path, ...], **given: Any) -> None:
        function(subject=Subject.of(path, plugins_dirs), **given)

    return _PATH(PLUGINS_DIR(with_subject))
