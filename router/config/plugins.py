"""The plugins that the file switches on: known, sound, and each config held against the plugin's own schema."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from referencing.exceptions import Unresolvable

from router.config.document import Document, at, has, trails_in
from router.config.faults import Faults
from router.config.inheritance import levels, patch, plugin_layers, routes
from router.config.schema import Judge, validator
from router.config.wording import quoted
from router.hooks.names import same_name
from router.model.place import Place
from router.model.routes import OnError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from router.config.document import Trail
    from router.config.inheritance import Layer
    from router.config.review import Review
    from router.hooks.discovery import Discovery, FoundPlugin, PluginFault

Configs: TypeAlias = "Mapping[tuple[Trail, ...], Mapping[str, Any]]"

_UNUSABLE: Final[dict[type[Exception], str]] = {
    Unresolvable: "it refers to another schema, and only its own parts can be reached",
    RecursionError: "it refers to itself without end",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list ``plugins``: the plugin's name in its one spelling, and the entry's own config."""

    name: str
    index: int
    layer: Layer
    on_error: OnError


def entries(review: Review) -> list[Entry]:
    """List the plugins that are switched on, in the order of the file."""
    return [
        Entry(
            name=same_name(entry["use"]),
            index=index,
            layer=(("plugins", index, "config"), entry.get("config", {})),
            on_error=OnError(entry.get("on_error", OnError.STOP)),
        )
        for index, entry in review.entries("plugins")
        if "use" in entry
    ]


def check_plugins(review: Review, found: Discovery) -> Configs:
    """Each plugin must be known and sound, be named once, and get a config that it understands.

    Gives the configs as they are for the routes, by the trails of what lies over each other in them.
    """
    configs: dict[tuple[Trail, ...], Mapping[str, Any]] = {}
    first: dict[str, Entry] = {}
    for entry in entries(review):
        trail: Trail = ("plugins", entry.index, "use")
        if first.setdefault(entry.name, entry) is not entry:
            name = review.shown(trail, entry.name)
            message = f"the plugin {name} stands here a second time; a plugin has one place in the order"
            review.error(trail, "plugin-twice", message)
    _tell_broken(review, found, first)
    for entry in first.values():
        if entry.name in found.plugins:
            _check_hooks(review, entry, found.plugins[entry.name])
            _check_configs(review, entry, found.plugins[entry.name], configs)
    _check_settings(review, found, first)
    return configs


def _tell_broken(review: Review, found: Discovery, used: Mapping[str, Entry]) -> None:
    """Tell of plugins that cannot be used: an error where one is switched on, else a warning at its own file."""
    broken = {name: fault for fault in reversed(found.faults) for name in _names(fault)}
    for name in used.keys() - found.plugins.keys():
        trail: Trail = ("plugins", used[name].index, "use")
        title = review.shown(trail, name)
        if name in broken:
            review.error(trail, "plugin-broken", f"the plugin {title} cannot be used: {broken[name]}")
        else:
            guess = review.near(trail, name, found.plugins) or f"; there are: {', '.join(found.plugins) or 'none'}"
            review.error(trail, "plugin-unknown", f"there is no plugin {title}{guess}")
    for fault in found.faults:
        if used.keys().isdisjoint(_names(fault)):
            message = f"this plugin cannot be used, and is not switched on: {fault.message}"
            review.faults.warning(Place(fault.file, fault.line, 1), "plugin-broken", message)


def _check_hooks(review: Review, entry: Entry, plugin: FoundPlugin) -> None:
    """A plugin without any hook does nothing: its file was emptied, or its functions are not marked."""
    if not plugin.hooks:
        trail: Trail = ("plugins", entry.index, "use")
        remedy = "mark its functions with @hookimpl, or remove it here"
        message = f"the plugin {review.shown(trail, entry.name)} has no hook, so it does nothing; {remedy}"
        review.error(trail, "plugin-empty", message)


def _names(fault: PluginFault) -> set[str]:
    """Give the names that a broken plugin may go by: its file's, or its entry point's."""
    before, _, entry_point = fault.file.partition("entry point ")
    return {same_name(Path(fault.file).stem if before else entry_point.partition(" = ")[0])}


def _check_configs(
    review: Review, entry: Entry, plugin: FoundPlugin, configs: dict[tuple[Trail, ...], Mapping[str, Any]]
) -> None:
    """Hold the plugin's config, as each route has it, against the plugin's schema; each combination once.

    What a tool has only for its intents to add to may lack something: it is read in the same way, but not judged.
    """
    schema = validator(plugin.config_schema or {})
    final = [(layers, review.faults) for layers in routes(review.data)]
    sound: set[str] = set()
    for layers, faults in (*final, *((layers, Faults()) for layers in levels(review.data))):
        if review.faults.is_full:
            return
        chain = plugin_layers(entry.name, entry.layer, layers) or []
        trails = key_of(chain)
        if not chain or trails in configs or any(_is_in_doubt(review.document, trail) for trail in trails):
            continue
        merged = _merged(review.document, chain)
        configs[trails] = merged.data
        if repr(merged.data) in sound:
            continue
        judge = Judge(schema, faults, code="plugin-config", prefix=trails[0], names=review.document)
        try:
            if judge.judge(merged) and not merged.origins:
                sound.add(repr(merged.data))
        except (Unresolvable, RecursionError) as error:
            reason = next(text for kind, text in _UNUSABLE.items() if isinstance(error, kind))
            trail: Trail = ("plugins", entry.index, "use")
            message = f"the config schema of the plugin {review.shown(trail, entry.name)} cannot be used: {reason}"
            review.error(trail, "plugin-broken", message)
            return


def is_sound_alone(review: Review, entry: Entry, plugin: FoundPlugin) -> bool:
    """Say whether the config of an entry fits the plugin's schema without what routes lay over it; if not, tell it.

    What a plugin registers at load it must make of that alone.
    """
    if _is_in_doubt(review.document, entry.layer[0]):
        return False
    schema = validator(plugin.config_schema or {})
    judge = Judge(schema, review.faults, code="plugin-config", prefix=entry.layer[0], names=review.document)
    try:
        return judge.judge(_merged(review.document, [entry.layer]))
    except (Unresolvable, RecursionError):
        return False  # that is told already


def _is_in_doubt(document: Document, trail: Trail) -> bool:
    """Say whether a fault of a config is already told, or a part of it could not be read."""
    return document.hides_fault(trail) or trail in document.unfinished


def key_of(chain: Sequence[Layer]) -> tuple[Trail, ...]:
    """Give the trails of configs that lie over each other: two routes with the same ones have the same config."""
    return tuple(trail for trail, _config in chain)


def _merged(document: Document, configs: Sequence[Layer]) -> Document:
    """Lay the configs over each other; each value keeps the place at which it was set, or removed.

    What nobody set is to be told where the config was changed last: there it could be given.
    """
    data: dict[str, Any] = {}
    for _trail, config in configs:
        data = patch(data, config)
    merged = Document(data, document.key(configs[-1][0]))
    for above, config in configs:
        for trail in trails_in(config):
            if at(config, trail) is None:
                merged.keys[trail] = document.key((*above, *trail))
    for trail in trails_in(data):
        source = next((*above, *trail) for above, config in reversed(configs) if has(config, trail))
        merged.keys[trail] = document.key(source)
        merged.values[trail] = document.value(source)
        if source in document.origins:
            merged.origins[trail] = document.origins[source]
    return merged


def _is_meant(found: Discovery, name: str, used: Iterable[str]) -> bool:
    """Say whether one of the plugins in use that there are not is a slip for ``name``; that is told already."""
    return bool(get_close_matches(name, [each for each in used if each not in found.plugins]))


def _check_settings(review: Review, found: Discovery, used: Mapping[str, Entry]) -> None:
    """What a route sets must be for a plugin that is switched on, and for each plugin once."""
    is_sure = not (review.document.hides_fault(("plugins",)) or review.may_lack(("plugins", "more")))
    for layers in levels(review.data):
        trail, layer = layers[-1]
        spelt: dict[str, str] = {}
        if review.faults.is_full:
            return
        for key in layer.get("plugins") or {}:
            name, here = same_name(key), (*trail, "plugins", key)
            if spelt.setdefault(name, key) != key:
                review.key_error(here, "plugin-twice", f"{quoted(key)} and {quoted(spelt[name])} are the same plugin")
            elif is_sure and name not in used and not (name in found.plugins and _is_meant(found, name, used)):
                guess = review.faults.near(name, used) or f"; switch it on there with '- use: {name}'"
                message = f"{review.name(trail)} sets the plugin {quoted(key)}, which is not in 'plugins'{guess}"
                review.key_error(here, "plugin-off", message)
