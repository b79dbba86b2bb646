"""``${env:NAME}``, ``${env:NAME:-default}``, ``${file:PATH}`` in texts: put in after parsing, so that places hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from router.config.document import ROOT, Document, Origin, Trail
from router.config.files import Unreadable, contents
from router.config.wording import is_telling, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.faults import Faults

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SLIP: Final = re.compile(r"([Ee][Nn][Vv][:.])?([A-Za-z_][A-Za-z0-9_]*)")
"""What a reference was meant to be: a variable by its name, with or without something like ``env:`` before it."""

_VARIABLE: Final = re.compile(r"\$\{(?:[Ee][Nn][Vv][:.])?[A-Z_][A-Z0-9_]*(?:[^A-Za-z0-9_{}][^{}]*)?\}")
"""A text that is a slip for a variable from begin to end, named as variables are: its name is no part of a secret."""

_FORMS: Final = "${env:NAME}, ${env:NAME:-default} and ${file:PATH}; a plain ${ is written $${"

_LONGEST: Final = 400
"""Characters of a path that is told in full."""

_MOST: Final = 10_000_000
"""Characters that references may stand for, all together."""


class _Missing(Exception):
    """A reference to what is not there, or that is none."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Interpolation:
    """Puts in what texts refer to, from ``environ`` and from files; ``read`` gathers the files that were read."""

    def __init__(self, environ: Mapping[str, str], faults: Faults) -> None:
        self._environ = environ
        self._faults = faults
        self._room = _MOST
        self.read: dict[Path, bytes] = {}

    def apply(self, document: Document) -> None:
        """Replace the references in every text of ``document``; what is missing is a fault at its place."""
        document.data = self._walk(document, document.data, ROOT)

    def _walk(self, document: Document, value: Any, trail: Trail) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(document, inner, (*trail, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(document, inner, (*trail, index)) for index, inner in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._replaced(document, value, trail)
        return value

    def _replaced(self, document: Document, text: str, trail: Trail) -> str:
        place = document.value(trail)
        values = {"$${": "${"}
        origins: list[Origin] = []
        is_secret = is_telling(trail) and not _VARIABLE.fullmatch(text)
        for found in _REFERENCE.finditer(text):
            reference = found.group()
            if reference in values:
                continue
            values[reference] = ""
            try:
                values[reference], origin = self._look_up(found, Path(place.file).parent, is_secret=is_secret)
                origins.append(origin)
            except _Missing as missing:
                self._faults.error(place, missing.code, str(missing))
                document.spoilt.add(trail)
        if origins:
            references = " and ".join(dict.fromkeys(origin.reference for origin in origins))
            document.origins[trail] = Origin(references, all(origin.is_default for origin in origins))
        self._room -= sum(len(values[found.group()]) for found in _REFERENCE.finditer(text))
        if self._room < 0:
            message = f"what the references of all files stand for has more than {_MOST:,} characters"
            self._faults.error(place, "reference-large", message)
            document.spoilt.add(trail)
            return ""
        return _REFERENCE.sub(lambda found: values[found.group()], text)

    def _look_up(self, found: re.Match[str], directory: Path, *, is_secret: bool) -> tuple[str, Origin]:
        kind, colon, rest = (found.group(1) or "").partition(":")
        if kind == "env" and colon:
            return self._variable(rest, is_secret=is_secret)
        if kind == "file" and rest:
            return self._file(rest, directory), Origin(f"${{file:{rest}}}")
        if found.group(1) is None:
            raise _Missing("reference-unknown", f"no '}}' closes the '${{' in this text; there are {_FORMS}")
        raise _Missing("reference-unknown", _about_unknown(found.group(1), is_secret=is_secret))

    def _variable(self, text: str, *, is_secret: bool) -> tuple[str, Origin]:
        name, dash, default = text.partition(":-")
        if not _NAME.fullmatch(name):
            raise _Missing("reference-unknown", _about_name(text, is_secret=is_secret))
        value = self._environ.get(name)
        if dash and not value:
            return default, Origin(f"${{env:{name}}}", is_default=True)
        if value is None:
            remedy = f"set it, or give a default: ${{env:{name}:-default}}"
            raise _Missing("env-missing", f"the environment variable {name} is not set; {remedy}")
        return value, Origin(f"${{env:{name}}}")

    def _file(self, name: str, directory: Path) -> str:
        path = directory / name
        try:
            found = self.read[path] if path in self.read else contents(path)
            text = found.decode("utf-8-sig")
        except Unreadable as error:
            raise _Missing("reference-file", f"the file {_looked_for(name, path)} {error}") from None
        except UnicodeDecodeError:
            raise _Missing("reference-file", f"the file {_looked_for(name, path)} is not UTF-8") from None
        self.read[path] = found
        return text.removesuffix("\n").removesuffix("\r")


def _about_name(text: str, *, is_secret: bool) -> str:
    """Say why ``${env:TEXT}`` names no variable; what follows the name, or all of it, may be a secret: not repeated."""
    name = _NAME.match(text)
    if name is None or is_secret:
        return f"'${{env:…}}' names no variable; there are {_FORMS}"
    remedy = f"a name has letters, digits and '_', and a default is written ${{env:{name[0]}:-default}}"
    return f"{quoted(f'${{env:{name[0]}…}}')} names no variable; {remedy}"


def _about_unknown(text: str, *, is_secret: bool) -> str:
    """Say what was probably meant by ``${TEXT}``; what follows the name, or all that ``is_secret``, is not repeated."""
    slip = _SLIP.match(text)
    if slip is None or is_secret:
        return f"'${{…}}' refers to nothing; there are {_FORMS}"
    name, rest = slip[2], text[slip.end() :]
    shown = quoted(f"${{{slip[0]}{'…' if rest else ''}}}")
    hint = ""
    if slip[1] or not rest or rest.startswith(":-"):
        hint = f"; did you mean ${{env:{name}{':-default' if rest.startswith(':-') else ''}}}?"
    return f"{shown} refers to nothing; there are {_FORMS}{hint}"


def _looked_for(name: str, path: Path) -> str:
    """Name a file as it is referred to, and in full, as it is looked for beside the file that refers to it."""
    whole = str(path.absolute())
    is_told = name == whole or len(whole) > _LONGEST or not whole.isprintable()
    return quoted(name) if is_told else f"{quoted(name)} ({whole})"
