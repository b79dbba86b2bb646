"""The README's way to a folder of one's own, walked as it stands there, with free ports in the place of fixed ones."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from router.bundled import ROUTES
from router.sandbox.flows import SHIPPED
from router.sandbox.server import ROUTER_HERE
from tests.cli.programs import HANDOVER, started, url_in

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README.partition("\n## Start your own folder\n")[2].partition("\n## ")[0]
(BLOCK,) = re.findall(r"^```\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
SAYS = "Our refunds desk takes over now."
SANDBOX = "handover sandbox\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the folder by the README's own commands, all but the last, which stays up."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(ROUTES, checkout)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "HANDOVER_"))}
    path = f"{Path(HANDOVER).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-ec", BLOCK.removesuffix(SANDBOX)],
        cwd=checkout,
        env={**bare, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "my-handover"


def calls(told: str) -> Iterator[list[str]]:
    """Yield the words of each ``curl`` that the sandbox printed."""
    for line in told.replace("\\\n", " ").splitlines():
        if line.startswith("  curl "):
            yield shlex.split(line)[1:]


async def called(words: list[str]) -> str:
    """Make the call as ``curl`` would."""
    url, *options = words
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(text.split(": ", 1) for option, text in pairs if option == "-H")
    form = dict(text.split("=", 1) for option, text in pairs if option == "-d")
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as answer:
        return await answer.text()


async def test_the_readme_leads_to_a_folder_of_ones_own(folder: Path) -> None:
    """Its commands make one with a schema, and what the sandbox prints hands a conversation over to a flow."""
    assert BLOCK.endswith(f"\n{SANDBOX}")
    assert (folder / ".routes.schema.json").is_file()
    assert f"`{SAYS}`" in SECTION
    async with started(folder, "sandbox", "--port", "0") as sandbox:
        await sandbox.until("Let the next request go wrong")
        settings = dict(re.findall(r"^  export (\w+)=(\S+)$", sandbox.output, re.MULTILINE))
        async with started(folder, "serve", "--port", "0", **settings) as server:
            here = url_in(await server.until("serving on "))
            hand_over, say, *_look = calls(sandbox.output.replace(ROUTER_HERE, here))
            assert await called(hand_over) == SAYS
            assert "Studio: Hello, this is the refunds desk." in await called(say)
            assert await server.stop(signal.SIGINT) == 0
        assert await sandbox.stop(signal.SIGINT) == 0


def test_the_readme_names_flows_that_the_sandbox_plays() -> None:
    """Who adds the README's handover and asks ``check --online`` of the sandbox gets no fault."""
    assert set(re.findall(r"\bFW[0-9a-f]{32}\b", README)) <= set(SHIPPED)
