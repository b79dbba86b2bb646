"""What a plugin implements, looked at before it is called: unknown hooks, wrong arguments, a bad description."""

from __future__ import annotations

import inspect
import linecache
import re
from dataclasses import dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import pluggy
from jsonschema import Draft202012Validator, SchemaError
from jsonschema_rs import meta

from router.hooks.attempt import answered_at_once
from router.hooks.markers import PROJECT
from router.hooks.specs import API, ARGUMENTS, BACKGROUND, KINDS
from router.model.masking import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_DEF: Final = re.compile(r"\s*(async\s+)?def\b")
_INFO: Final = "plugin_info"
_DIALECT: Final = Draft202012Validator.META_SCHEMA["$id"]
_TEXTS: Final = ("name", "version")
_KEYS: Final = (*_TEXTS, "config_schema", "api", "blocking", "background")


@dataclass(frozen=True, slots=True)
class PluginFault:
    """Why a plugin, or a part of it, cannot be used. ``line`` counts from 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a plugin says of itself: the hooks that it implements and its description, good only without ``faults``."""

    hooks: tuple[str, ...]
    info: Mapping[str, Any]
    faults: tuple[PluginFault, ...]

    @property
    def background(self) -> tuple[str, ...]:
        """The hooks that run in the background."""
        wanted = self.info.get("background", False)
        return BACKGROUND if wanted is True else tuple(wanted or ())


def examine(plugin: object, name: str) -> Inspection:
    """Look at the functions that are marked, at those that lack the mark, and at what ``plugin_info`` returns.

    Raises what the plugin raises while it is looked at.
    """
    manager = pluggy.PluginManager(PROJECT)  # knows no hooks, so that it takes misspelt ones too
    manager.register(plugin, name)
    found = [(caller.name, impl) for caller in manager.get_hookcallers(plugin) or () for impl in caller.get_hookimpls()]
    faults = [_at(impl.function, message) for hook, impl in found for message in _complaints(hook, impl)]
    faults += _unmarked(plugin)
    described = next((impl.function for hook, impl in found if hook == _INFO), None)
    info: Any = {}
    if described is not None and not faults:
        info = answered_at_once(described)  # what waits answers no dict, and so is a fault at its place
        faults = [_at(described, message) for message in _misdescribed(info)]
    implemented = {hook for hook, _impl in found}
    return Inspection(tuple(hook for hook in KINDS if hook in implemented), info, tuple(faults))


def _unmarked(plugin: object) -> Iterator[PluginFault]:
    if isinstance(plugin, ModuleType):
        for hook in KINDS:
            function = vars(plugin).get(hook)
            if inspect.isfunction(function) and not hasattr(function, f"{PROJECT}_impl"):
                yield _at(function, f"'{hook}' is not marked @hookimpl, so it would never be called")


def _complaints(hook: str, impl: pluggy.HookImpl) -> Iterator[str]:
    if hook not in KINDS:
        if not impl.optionalhook:
            yield f"unknown hook '{hook}'{_guess(hook, KINDS)} (the hooks are: {', '.join(KINDS)})"
        return
    if impl.wrapper or impl.hookwrapper:
        yield f"'{hook}' is marked as a wrapper, and wrappers are not called here: implement the hook itself"
        return
    if inspect.isgeneratorfunction(impl.function) or inspect.isasyncgenfunction(impl.function):
        remedy = ": put @asynccontextmanager below @hookimpl" if hook == "around_swap" else ""
        yield f"'{hook}' has a 'yield', so calling it would not run it{remedy}"
    known = ARGUMENTS[hook]
    for name in impl.argnames:
        if name not in known:
            yield f"'{hook}' has no argument '{name}'{_guess(name, known)} (it has: {', '.join(known) or 'none'})"
    for parameter in inspect.signature(impl.function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            yield f"'{hook}' takes '{parameter.name}' by keyword only: remove the '*' before it"


def _misdescribed(info: Any) -> Iterator[str]:
    if not isinstance(info, dict):
        yield f"plugin_info returned {type(info).__name__}, expected a dict"
        return
    for key, value in info.items():
        if key not in _KEYS:
            yield f"plugin_info has the key {fit(repr(key))}{_guess(key, _KEYS)} (it may have: {', '.join(_KEYS)})"
        elif key in _TEXTS and not isinstance(value, str):
            yield f"plugin_info's '{key}' is {type(value).__name__}, expected a text"
    yield from _miswished(info)
    schema = info.get("config_schema")
    if isinstance(schema, dict):
        if not _is_schema(schema):
            yield from _misjudged(schema)
    elif schema is not None:
        yield f"plugin_info's 'config_schema' is {type(schema).__name__}, expected a dict: a JSON Schema"


def _is_schema(schema: dict[str, Any]) -> bool:
    """Say yes at once where that is so; a no is for the one to explain that can."""
    try:
        for pattern in _patterns(schema):
            re.compile(pattern)
        return schema.get("$schema", _DIALECT) == _DIALECT and meta.is_valid(schema)
    except (ValueError, re.error, RecursionError):
        return False


def _patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "pattern" and isinstance(value, str):
                yield value
            if key == "patternProperties" and isinstance(value, dict):
                yield from map(str, value)
            yield from _patterns(value)
    elif isinstance(node, list):
        for value in node:
            yield from _patterns(value)


def _misjudged(schema: dict[str, Any]) -> Iterator[str]:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield f"plugin_info's 'config_schema' is no JSON Schema: {error.json_path}: {fit(error.message)}"


def _miswished(info: Mapping[Any, Any]) -> Iterator[str]:
    """Say what is wrong about how a plugin wants to be called."""
    api, blocking, background = info.get("api", API), info.get("blocking", False), info.get("background", False)
    if type(api) is not int:
        yield f"plugin_info's 'api' is {type(api).__name__}, expected {API}"
    elif api != API:
        yield f"it was written for version {api} of the plugin API, and this router has {API}: take another of the two"
    if not isinstance(blocking, bool):
        yield f"plugin_info's 'blocking' is {type(blocking).__name__}, expected true or false"
    if not isinstance(background, bool | list | tuple):
        yield f"plugin_info's 'background' is {type(background).__name__}, expected true, false or a list of hooks"
    elif not isinstance(background, bool):
        for hook in background:
            if hook not in BACKGROUND:
                yield f"plugin_info's 'background' names {fit(repr(hook))}; it may name {', '.join(BACKGROUND)}"


def _guess(word: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _at(function: Callable[..., Any], message: str) -> PluginFault:
    code = inspect.unwrap(function).__code__
    linecache.checkcache(code.co_filename)
    below = enumerate(linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :], code.co_firstlineno)
    # A function begins at its first marker; its author looks for the line with "def".
    line = next((number for number, text in below if _DEF.match(text)), code.co_firstlineno)
    return PluginFault(code.co_filename, line, message)
