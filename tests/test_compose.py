"""The compose file that docs/operate.md names: what it refers to is there, and what it sets is known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import COMMANDS
from router.ledger.address import Address

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "compose"
SETTINGS = (ROOT / "docs" / "settings.md").read_text()


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


def test_every_setting_is_a_documented_one(services: dict[str, Any]) -> None:
    """What the router's environment holds stands in docs/settings.md, or is what the shipped routes name."""
    names = set(services["router"]["environment"])
    assert {name for name in names if f"`{name}`" not in SETTINGS} == set()
    assert {"HANDOVER_DATABASE_URL", "HANDOVER_PUBLIC_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"} <= names


def test_the_routers_share_the_database(services: dict[str, Any]) -> None:
    """There are several, and their ledger is the PostgreSQL beside them, with the user that it makes."""
    database = services["database"]["environment"]
    address = Address.parse(re.sub(r"\$\{\w+\}", "pass", services["router"]["environment"]["HANDOVER_DATABASE_URL"]))
    assert services["router"]["deploy"]["replicas"] > 1
    assert (address.url.host, address.url.username) == ("database", database["POSTGRES_USER"])
    assert address.url.database == database["POSTGRES_DB"]


def test_what_it_is_built_of_is_there(services: dict[str, Any]) -> None:
    """The folder that the image is built from is the project's, and the mounted files exist."""
    build = services["router"]["build"]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    mounted = [volume.partition(":")[0] for volume in services["router"]["volumes"]]
    assert all((FOLDER / path).is_file() for path in mounted)


def test_the_image_starts_the_server() -> None:
    """Its command is one of ours."""
    command = re.search(r"^CMD (.*)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert command is not None
    program, name, *_ = json.loads(command[1])
    assert program == "handover"
    assert name in COMMANDS
