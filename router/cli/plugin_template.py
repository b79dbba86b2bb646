"""A new plugin's project, written from the template that travels with the package."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Final

from router import __version__, bundled
from router.errors import SettingsError
from router.hooks.names import same_name

TEMPLATE: Final = Path(__file__).parent / "template"
"""Each file's name ends in ``.txt``, so that no tool takes it for one of the router's own."""

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 50


class WrongName(Exception):
    """A plugin cannot be called so; the text says why."""


def write(name: str, directory: Path | None) -> tuple[list[Path], Path]:
    """Write the project of the plugin ``name``; gives its files, and its directory, by default ``handover-NAME``.

    Raises WrongName, and SettingsError where something stands there already or cannot be written.
    """
    name = _checked(same_name(name))
    home = directory or Path(f"handover-{name}")
    words = {
        "name": name,
        "distribution": f"handover-{name}",
        "module": f"handover_{name.replace('-', '_')}",
        "title": name.replace("-", " ").capitalize(),
        "router": __version__,
    }
    try:
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise SettingsError(f"{home} is there already and not empty; name another place with --directory")
        return list(_written(home, words)), home
    except OSError as error:
        raise SettingsError(
            f"{error.filename or home}: {error.strerror}; name another place with --directory"
        ) from error


def _written(home: Path, words: dict[str, str]) -> list[Path]:
    files = []
    for template in sorted(TEMPLATE.rglob("*.txt")):
        named = Template(str(template.relative_to(TEMPLATE).with_suffix(""))).substitute(words)
        file = home / named
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(template.read_text("utf-8")).substitute(words), encoding="utf-8")
        files.append(file)
    return files


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        expected = f"expected small letters and digits, parted by '-', {_LONGEST} at the most, such as ask-first"
        raise WrongName(f"{expected}; found {name[:60]!r}")
    if (bundled.PLUGINS / f"{name.replace('-', '_')}.py").exists():
        raise WrongName(f"'{name}' comes with the router, which would be found first; choose another name")
    return name
