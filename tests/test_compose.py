"""The compose file that docs/operate.md names: what it refers to is there, and what it sets is known."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import COMMANDS
from router.config import load
from router.config.loading import attempt
from router.ledger.address import Address
from router.rehearsal.rehearsal import rehearse

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "compose"
CONFIG = FOLDER / "config"
SETTINGS = (ROOT / "docs" / "settings.md").read_text()


ENVIRON = {"REFUNDS_FLOW_SID": "FW" + "a" * 32, "BILLING_FLOW_SID": "FW" + "b" * 32}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Give what is mounted, by where."""
    return {where: what for what, _colon, where in (volume.partition(":") for volume in service["volumes"])}


def named_by_routes() -> set[str]:
    """Give the variables that the mounted routes and their fragments refer to."""
    texts = [path.read_text() for path in CONFIG.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"\$\{env:(\w+)", text)}


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
    """The folder that the image is built from is the project's, and what is mounted of it exists."""
    build = services["router"]["build"]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    mounted = [path for path in mounts(services["router"]).values() if path.startswith(".")]
    assert mounted
    assert all((FOLDER / path).is_dir() for path in mounted), "a file would show its old text after a save by rename"


def test_the_mounted_folder_holds_all_that_is_read(services: dict[str, Any]) -> None:
    """The routes, their fragments and plugins stand in one read-only mount, so that each change of them is seen."""
    router = services["router"]
    config = Path(router["environment"]["HANDOVER_CONFIG"])
    assert (FOLDER / mounts(router)[f"{config.parent}:ro"]).resolve() == CONFIG
    watch = attempt(CONFIG / config.name, environ=ENVIRON).watch
    assert {CONFIG / "routes.d" / "billing.yaml", CONFIG / "plugins" / "ask_first.py"} <= set(watch.files)
    report = asyncio.run(rehearse(load(CONFIG / config.name, environ=ENVIRON)))
    assert report.results
    assert (report.failed, report.unreached) == ((), ())


def test_what_the_routes_refer_to_is_passed_on(services: dict[str, Any]) -> None:
    """What the routes refer to is in the environment under its own name: ``.env`` alone reaches no container."""
    environment = services["router"]["environment"]
    for name in named_by_routes():
        assert environment[name].startswith(f"${{{name}:"), name


def test_the_state_outlives_the_router(services: dict[str, Any]) -> None:
    """What went live last stands in a volume that is declared, and the image's user may write there."""
    router = services["router"]
    state = router["environment"]["HANDOVER_STATE"]
    declared = yaml.safe_load((FOLDER / "compose.yaml").read_text())["volumes"]
    assert mounts(router)[state] in declared
    text = (FOLDER / "Dockerfile").read_text()
    user = re.search(r"^USER (.*)$", text, re.MULTILINE)
    assert user is not None
    assert re.search(rf"^RUN install --directory --owner {user[1]} .*{state}$", text, re.MULTILINE)


def test_the_image_starts_the_server() -> None:
    """Its command is one of ours."""
    command = re.search(r"^CMD (.*)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert command is not None
    program, name, *_ = json.loads(command[1])
    assert program == "handover"
    assert name in COMMANDS
