"""routes.yaml: from its text to Routes, or to every fault of it at its place. ``load`` is the one door.

A server that reads it again and again does so by a ``Source``, which loads in the same way.
"""

from router.config.last_good import LastGood
from router.config.loading import Loaded, load
from router.config.source import Source

__all__ = ["LastGood", "Loaded", "Source", "load"]
