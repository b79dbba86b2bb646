"""A plugin's name: its file's or its entry point's, where ``-`` and ``_`` are the same."""

from __future__ import annotations


def same_name(name: str) -> str:
    """Give the one spelling of a plugin's name by which it is kept and compared: with ``-``."""
    return name.replace("_", "-")
