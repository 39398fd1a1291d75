"""The ways to send a notification that the settings provide."""

from api.settings import Settings
from schemas.notification import Medium


def list_mediums(settings: Settings) -> tuple[Medium, ...]:
    """Return the mediums that are set up, e-mail first."""
    email: tuple[Medium, ...] = ("email",) if settings.smtp_host else ()
    return (*email, "sms") if settings.sms_gateway_file is not None else email
