from __future__ import annotations

import pytest

from router.errors import SettingsError
from router.model.routes import AuthKind, AuthMethod, Routes
from router.settings import Settings
from router.web.access import usable_methods

SIGNATURE = AuthMethod(AuthKind.TWILIO_SIGNATURE)
SHARED = AuthMethod(AuthKind.SECRET, "s")


def routes(*auth: AuthMethod) -> Routes:
    return Routes(tools={}, flows={}, auth=auth)


def test_a_signature_needs_a_token() -> None:
    """Without an auth token a signature cannot pass, so only the secret is left; with one of the two both are."""
    both = routes(SIGNATURE, SHARED)
    assert usable_methods(both, Settings()) == (SHARED,)
    assert usable_methods(both, Settings(auth_token="t")) == (SIGNATURE, SHARED)
    assert usable_methods(both, Settings(auth_token_secondary="t")) == (SIGNATURE, SHARED)


@pytest.mark.parametrize(("auth", "listed"), [((SIGNATURE,), "'twilio_signature'"), ((), "nothing that is set")])
def test_without_a_method_there_is_no_start(auth: tuple[AuthMethod, ...], listed: str) -> None:
    """Where nobody could prove anything, the error says what is listed, what is missing, and what to set."""
    with pytest.raises(SettingsError) as refused:
        usable_methods(routes(*auth), Settings())
    for told in (listed, "TWILIO_AUTH_TOKEN", "HANDOVER_SECRET", "${env:HANDOVER_SECRET}"):
        assert told in str(refused.value)
