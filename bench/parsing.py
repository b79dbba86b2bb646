"""What it costs to read many intents, by each parser that is at hand, and to hold them to the grammar, by each way."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml
from jsonschema import Draft202012Validator

from bench.configuration import ROOT, write
from bench.results import ROOT as CHECKOUT
from router.config import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def parsing(intents: int, rounds: int) -> dict[str, float]:
    """Read a configuration with so many intents in each way; gives the seconds of CPU, medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), intents)
        texts = [fragment.read_text() for fragment in sorted((path.parent / "routes.d").iterdir())]
        data = [yaml.load(text, yaml.CSafeLoader) for text in texts]
        whole = yaml.safe_load(ROOT) | {part: _merged(part, data) for part in ("flows", "tools")}
        del whole["include"]
        schema = json.loads((CHECKOUT / "schemas" / "routes.schema.json").read_text())
        ways: Mapping[str, Callable[[], object]] = {
            "PyYAML's loader": lambda: [yaml.load(text, yaml.SafeLoader) for text in texts],
            "libyaml's loader": lambda: [yaml.load(text, yaml.CSafeLoader) for text in texts],
            "libyaml's events alone": lambda: [deque(yaml.parse(text, yaml.CSafeLoader), 0) for text in texts],
            "jsonschema": lambda: _demand(Draft202012Validator(schema).is_valid(whole)),
            "jsonschema-rs": lambda: _demand(jsonschema_rs.Draft202012Validator(schema).is_valid(whole)),
            "all of ours, from files to routes": lambda: load(path, environ={}),
        }
        return {name: statistics.median(_cpu(way) for _ in range(rounds)) for name, way in ways.items()}


def _merged(part: str, data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for each in data for name, value in each[part].items()}


def _demand(is_valid: bool) -> None:  # noqa: FBT001 - the one thing that is said
    if not is_valid:
        raise RuntimeError("the made-up configuration does not fit the grammar")


def _cpu(way: Callable[[], object]) -> float:
    began = time.process_time()
    way()
    return time.process_time() - began
