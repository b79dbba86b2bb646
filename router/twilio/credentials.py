"""Who we are to Twilio, and what a login is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.errors import SettingsError
from router.model.sids import is_sid


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to Twilio, and where. An API key with its secret authenticates where it is given, else the token."""

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    edge: str = ""
    region: str = ""

    @property
    def login(self) -> tuple[str, str]:
        """User name and password of the REST API; raises SettingsError where something is missing or malformed."""
        if not is_sid("AC", self.account_sid):
            lack = "TWILIO_ACCOUNT_SID" if self.account_sid else "TWILIO_ACCOUNT_SID is not set"
            found = f"; found {_shape(self.account_sid)}" if self.account_sid else ""
            raise SettingsError(f"{lack}: expected AC and 32 hex digits, as the Twilio Console shows it{found}")
        if bool(self.api_key) != bool(self.api_secret):
            raise SettingsError("TWILIO_API_KEY and TWILIO_API_SECRET go together: set both, or neither")
        if not self.api_key and not self.auth_token:
            raise SettingsError(
                "TWILIO_AUTH_TOKEN is not set, nor TWILIO_API_KEY and TWILIO_API_SECRET: set one of the two"
            )
        return (self.api_key, self.api_secret) if self.api_key else (self.account_sid, self.auth_token)


def _shape(text: str) -> str:
    """Describe what stands where a SID should: a token may have been put there by mistake, so it is not shown."""
    begin = f"beginning with {text[:2]}" if text[:2] in ("AC", "SK") else "not beginning with AC"
    return f"{len(text)} characters, {begin}"
