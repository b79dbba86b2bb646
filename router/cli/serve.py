"""``handover serve``: the server."""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from router.cli.subject import PLUGINS_DIR, tell_of_missing
from router.errors import SettingsError
from router.settings import Settings, with_dotenv

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from starlette.applications import Starlette

_BY_PLUGIN: Final = "handover: a task or a callback of a plugin called sys.exit, which ended the server; let it raise"


@click.command("serve")
@click.option("--config", type=click.Path(path_type=Path), help="The routes; default $HANDOVER_CONFIG or routes.yaml.")
@PLUGINS_DIR
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes to serve with.")
def command(config: Path | None, plugins_dirs: tuple[Path, ...], host: str, port: int, workers: int) -> None:
    """Answer the agent's tool calls.

    \b
    Needed: TWILIO_ACCOUNT_SID, and TWILIO_AUTH_TOKEN or TWILIO_API_KEY with TWILIO_API_SECRET.
    Needed for signatures: TWILIO_AUTH_TOKEN, and HANDOVER_PUBLIC_URL as the agent calls it.
    Useful: HANDOVER_SECRET (a shared secret).
    Useful: HANDOVER_ADMIN_TOKEN (for /-/reload and /-/plugins; it passes for /-/hand-back too).
    The files are looked at every two seconds, and a change goes live without losing a call; so does SIGHUP.

    \b
    Example:
      TWILIO_ACCOUNT_SID=AC... TWILIO_AUTH_TOKEN=... HANDOVER_PUBLIC_URL=https://handover.example.com handover serve
    """
    from router.serving import listen

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what a plugin prints is seen at once
    try:
        listener, here = listen(host, port)
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port}: {error.strerror}; choose another") from error
    environ = with_dotenv(os.environ, Path.cwd())
    if config:
        environ["HANDOVER_CONFIG"] = str(config)
    tell_of_missing(plugins_dirs, environ)
    if plugins_dirs:
        environ["HANDOVER_PLUGINS_DIR"] = os.pathsep.join(map(str, plugins_dirs))
    if not environ.get("HANDOVER_PUBLIC_URL"):
        environ["HANDOVER_PUBLIC_URL"] = here
        click.echo(f"handover: HANDOVER_PUBLIC_URL is not set; signatures are checked against {here}", err=True)
    os.environ.update(environ)  # the workers are processes of their own and inherit nothing else
    with listener:
        app = from_environ()
        tell = partial(click.echo, f"handover: serving on {here}", err=True)
        _run(app, listener, workers, tell, patience=math.ceil(Settings.read(environ).deadline))


def _run(app: Starlette, listener: socket.socket, workers: int, tell: Callable[[], None], patience: int) -> None:
    """Serve until SIGINT or SIGTERM, which is no failure; a request in flight then has ``patience`` seconds.

    ``tell`` is called once it serves.
    """
    import uvicorn

    from router.arrivals import Arrivals
    from router.cli.supervisor import Supervisor, TellingServer
    from router.whole_answers import WholeAnswers

    make = partial(
        uvicorn.Config,
        access_log=False,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=patience,
    )
    if workers > 1:
        config = make("router.cli.serve:from_environ", factory=True, http=WholeAnswers, workers=workers)
        supervisor = Supervisor(config, sockets=[listener], tell=tell)
        supervisor.run()
        sys.exit(supervisor.is_refused)
    server = TellingServer(make(app, http=Arrivals(listener)), tell)  # type: ignore[arg-type]  # uvicorn does but call it
    # Uvicorn stops in good order and then raises the signal again: what plugins left running must not delay the end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _end(0))
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the app does not start, or see below
        server.run(sockets=[listener])
    if server.started and not server.should_exit:
        click.echo(_BY_PLUGIN, err=True)
    _end(0 if server.started and server.should_exit else 1)


def _end(code: int) -> NoReturn:
    """End the process now, whatever threads there are; Python would wait for each of them, for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def from_environ() -> Starlette:
    """Make the app that the environment describes; each worker process calls it."""
    from router.cli.supervisor import follow
    from router.log import hear_libraries, new_log
    from router.web.app import create_app

    follow(multiprocessing.parent_process())
    log = new_log(sys.stderr)
    hear_libraries(log)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return create_app(Settings.read(os.environ), os.environ, log, owns_process=True)


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether a line of uvicorn's says more than ours, which told already why the app does not start."""
    return record.getMessage() != "Application startup failed. Exiting."
