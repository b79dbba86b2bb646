"""Who gets in: the methods of ``auth`` that can pass at all, and the refusal to start where none can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.errors import SettingsError
from router.model.routes import AuthKind

if TYPE_CHECKING:
    from router.model.routes import AuthMethod, Routes
    from router.settings import Settings


def usable_methods(routes: Routes, settings: Settings) -> tuple[AuthMethod, ...]:
    """Give the methods by which a caller can prove itself; raises SettingsError where there is none.

    A signature can pass only with an auth token to check it with.
    """
    methods = tuple(method for method in routes.auth if method.kind is AuthKind.SECRET or settings.auth_tokens)
    if not methods:
        listed = " and ".join(f"'{method.kind}'" for method in routes.auth) or "nothing that is set"
        raise SettingsError(
            f"auth: no caller could prove itself: routes.yaml lists {listed}, and TWILIO_AUTH_TOKEN is not set."
            " Set TWILIO_AUTH_TOKEN for 'twilio_signature', or HANDOVER_SECRET with"
            " 'secret: ${env:HANDOVER_SECRET}' under 'auth'"
        )
    return methods
