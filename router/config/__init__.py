"""routes.yaml: from its text to Routes, or to every fault of it at its place. ``load`` is the one door."""

from router.config.loading import Loaded, load

__all__ = ["Loaded", "load"]
