"""The two markers of pluggy under our project's name."""

from __future__ import annotations

from typing import Final

import pluggy

PROJECT: Final = "handover"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
