"""What ``handover check --online`` adds: the faults that only Twilio can tell. Imported only where it is asked for."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from router.cli.progress import Progress
from router.config.online import check_online, named_flows
from router.online import PATIENCE, ask
from router.settings import Settings
from router.twilio.gateway import Credentials, TwilioGateway
from router.twilio.transport import Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from router.config import Loaded
    from router.model.diagnostic import Diagnostic
    from router.model.flow import FlowAnswer

LIMITS: Final = Limits(total=10.0, connect=5.0, answer=16 * 1024 * 1024)
"""No customer waits here, and a flow's definition may be long."""


def faults_online(
    loaded: Loaded, environ: Mapping[str, str], *, patience: float = PATIENCE
) -> tuple[tuple[Diagnostic, ...], int]:
    """Ask Twilio about every flow that the configuration names; gives the faults, and how many flows were asked about.

    Raises SettingsError where the credentials in ``environ`` are missing or cannot be right.
    """
    settings = Settings.read(environ)
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
    return check_online(loaded.sources, answers, settings.account_sid), len(flows)


async def _ask(gateway: TwilioGateway, flows: Collection[str], patience: float) -> dict[str, FlowAnswer]:
    with Progress("asking Twilio about flows", len(flows), sys.stderr) as progress:
        async with gateway:
            return await ask(gateway, flows, tell=progress.tell, patience=patience)
