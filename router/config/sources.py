"""Where each value of a loaded configuration was written, for those who ask why it is as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from router.config.checks import is_left_out
from router.config.document import Document, at, has, trails_in
from router.config.faults import Faults
from router.config.inheritance import intent_layers, patch, plugin_layers, tool_layers
from router.config.plugins import entries
from router.config.review import Review
from router.config.wording import SECRETIVE, kind
from router.hooks.names import same_name
from router.model.place import Place
from router.model.routes import OnError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from router.config.document import Trail
    from router.config.inheritance import Layer


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it may be shown. ``place`` is None where nobody wrote it: it is built in.

    ``hidden`` is told instead of what may be secret or came from elsewhere; ``value`` is None then. ``removed_by`` is
    the place of a null that removed what was inherited.
    """

    value: Any = None
    place: Place | None = None
    hidden: str = ""
    removed_by: Place | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A key and what it is set to; a key within others is spelt ``include[0]`` or ``headers.accept``."""

    key: str
    written: Written


@dataclass(frozen=True, slots=True)
class WrittenProof:
    """An entry of ``auth``: ``index`` counts the entries that are in use; None for one that is left out."""

    kind: str
    written: Written
    index: int | None


@dataclass(frozen=True, slots=True)
class WrittenPlugin:
    """An entry of ``plugins`` as one route has it: ``config`` is merged, and leaf by leaf; empty where ``off``.

    ``off`` is the place of the ``false`` that switches the plugin off for this route.
    """

    name: str
    place: Place
    on_error: Written
    config: tuple[Setting, ...] = ()
    off: Place | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Answers from the reviewed document; it holds the whole of it, so a server lets go of it.

    An ``owner`` is the trail of a tool or of an intent: what it inherits is its own too.
    """

    review: Review

    @classmethod
    def nowhere(cls) -> Self:
        """Give the sources of a configuration that nobody will ask about."""
        return cls(Review(Document(None, Place("", 1, 1)), {}, Faults()))

    def key(self, trail: Trail) -> Place:
        """Give the place of the key that ``trail`` ends in."""
        return self.review.document.key(trail)

    def value(self, trail: Trail) -> Place:
        """Give the place of what stands at ``trail``."""
        return self.review.document.value(trail)

    def written(self, trail: Trail) -> Written:
        """Give what stands at ``trail``."""
        return self._written(trail, at(self.review.data, trail))

    def setting(self, owner: Trail, keys: Trail, default: Any) -> Written:
        """Say who has the last word on the setting ``keys`` of ``owner``; nobody has it on a ``default``."""
        for trail, layer in reversed(self._layers(owner)):
            for length in range(1, len(keys) + 1):
                if not has(layer, keys[:length]):
                    break
                if at(layer, keys[:length]) is None:
                    return Written(default, removed_by=self.value((*trail, *keys[:length])))
            else:
                return self._written((*trail, *keys), at(layer, keys))
        return Written(default)

    def flow(self, alias: str) -> Written | None:
        """Say where ``flows`` lists ``alias``; None for a flow that a route spells out itself."""
        flows: Mapping[str, str] = self.review.data.get("flows", {})
        return self._written(("flows", alias), flows[alias]) if alias in flows else None

    def proofs(self) -> Iterator[WrittenProof]:
        """Yield the entries of ``auth`` in their order, with those that are left out as their secret is empty."""
        in_use = 0
        for index, proof in self.review.entries("auth"):
            trail: Trail = ("auth", index)
            is_out = False
            if isinstance(proof, str):
                name, written = proof, self._written(trail, proof)
            else:
                trail = (*trail, "secret")
                name, written = "secret", self._written(trail, proof["secret"], ("secret",))
                is_out = not proof["secret"] and is_left_out(self.review, trail)
            yield WrittenProof(name, written, None if is_out else in_use)
            in_use += not is_out

    def plugins(self, owner: Trail) -> Iterator[WrittenPlugin]:
        """Yield the plugins in the order of the file, as ``owner`` has them, with those that are switched off there."""
        layers = self._layers(owner)
        for entry in entries(self.review):
            trail: Trail = ("plugins", entry.index)
            given = at(self.review.data, trail)
            on_error = self._written((*trail, "on_error"), str(entry.on_error))
            yield WrittenPlugin(
                name=entry.name,
                place=self.value((*trail, "use")),
                on_error=on_error if "on_error" in given else Written(str(OnError.STOP)),
                config=tuple(self._config(plugin_layers(entry.name, entry.layer, layers) or [])),
                off=self._switch(entry.name, layers),
            )

    def _layers(self, owner: Trail) -> list[Layer]:
        """Give the levels that ``owner`` has its settings from; of a tool that is out of order only the defaults."""
        data = self.review.data
        match owner:
            case ("tools", str(path), "intents", str(name)):
                return intent_layers(data, path, name)
            case ("tools", str(path)) if path in data["tools"]:
                return tool_layers(data, path)
        return [(("defaults",), data.get("defaults", {}))]

    def _config(self, chain: list[Layer]) -> Iterator[Setting]:
        merged: dict[str, Any] = {}
        for _trail, config in chain:
            merged = patch(merged, config)
        for trail in trails_in(merged):
            value = at(merged, trail)
            if isinstance(value, dict | list) and value:
                continue
            root = next(above for above, config in reversed(chain) if has(config, trail))
            yield Setting(_spelt(trail), self._written((*root, *trail), value, trail))

    def _switch(self, name: str, layers: list[Layer]) -> Place | None:
        """Find the last word on whether the plugin is on; None where it is."""
        for trail, layer in reversed(layers):
            settings = layer.get("plugins", {})
            if settings is None:
                return None
            for key, setting in settings.items():
                if same_name(key) == name and setting is not None:
                    return self.value((*trail, "plugins", key)) if setting is False else None
        return None

    def _written(self, trail: Trail, value: Any, keys: Trail = ()) -> Written:
        """Say what may be shown of ``value``; ``keys`` are those that would tell that it is secret."""
        place, origin = self.value(trail), self.review.document.origins.get(trail)
        if origin is not None:
            return Written(None, place, f"the {'default' if origin.is_default else 'value'} of {origin.reference}")
        if any(SECRETIVE.search(key) for key in keys if isinstance(key, str)):
            return Written(None, place, f"a {kind(value)} that is not shown here")
        return Written(value, place)


def _spelt(trail: Trail) -> str:
    """Write the way to a value of a config as people do: ``headers.accept[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in trail).removeprefix(".")
