"""What ``handover check --online`` adds: the faults that only Twilio can tell. Imported only where it is asked for."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from router.cli.progress import Progress
from router.config.online import check_online, named_flows
from router.errors import SettingsError, TwilioBusy
from router.online import PATIENCE, ask
from router.settings import Settings
from router.twilio.credentials import Credentials
from router.twilio.gateway import TwilioGateway
from router.twilio.transport import Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from router.config import Loaded
    from router.model.diagnostic import Diagnostic
    from router.model.flow import FlowAnswer

LIMITS: Final = Limits(total=10.0, connect=5.0, answer=16 * 1024 * 1024)
"""No customer waits here, and a flow's definition may be long."""

_INSTEAD: Final = ", or TWILIO_API_KEY and TWILIO_API_SECRET for the token"


def faults_online(
    loaded: Loaded, environ: Mapping[str, str], *, patience: float = PATIENCE
) -> tuple[tuple[Diagnostic, ...], int]:
    """Ask Twilio about every flow that the configuration names; gives the faults, and how many flows were asked about.

    A flow counts only where something was sent. Raises SettingsError where the credentials in ``environ`` are missing
    or cannot be right.
    """
    settings = Settings.read(environ)
    _expect_credentials(settings)
    gateway = TwilioGateway(
        Credentials(
            account_sid=settings.account_sid,
            auth_token=settings.auth_token,
            api_key=settings.api_key,
            api_secret=settings.api_secret,
            edge=settings.edge,
            region=settings.region,
        ),
        base_url=settings.twilio_url,
        limits=LIMITS,
    )
    flows = named_flows(loaded.sources)
    try:
        answers = asyncio.run(_ask(gateway, flows, patience))
    except KeyboardInterrupt:
        sys.stderr.write("handover: stopped; nothing was changed\n")
        sys.exit(130)
    return check_online(loaded.sources, answers, settings.account_sid), sum(map(_was_sent, answers.values()))


def _expect_credentials(settings: Settings) -> None:
    """Raise SettingsError that names each setting without which Twilio cannot be asked."""
    if settings.api_key or settings.api_secret:
        wanted, instead = {"TWILIO_API_KEY": settings.api_key, "TWILIO_API_SECRET": settings.api_secret}, ""
    else:
        wanted, instead = {"TWILIO_AUTH_TOKEN": settings.auth_token}, _INSTEAD
    missing = [name for name, value in {"TWILIO_ACCOUNT_SID": settings.account_sid, **wanted}.items() if not value]
    if missing:
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        remedy = f"set {them}{instead if 'TWILIO_AUTH_TOKEN' in missing else ''}"
        raise SettingsError(f"{' and '.join(missing)} {are} not set, so Twilio cannot be asked; {remedy}")


def _was_sent(answer: FlowAnswer) -> bool:
    """Say whether the question reached Twilio; a busy one without a status came to no connection, or to no turn."""
    return not (isinstance(answer, TwilioBusy) and not answer.status)


async def _ask(gateway: TwilioGateway, flows: Collection[str], patience: float) -> dict[str, FlowAnswer]:
    with Progress("asking Twilio about flows", len(flows), sys.stderr) as progress:
        async with gateway:
            return await ask(gateway, flows, tell=progress.tell, patience=patience)
