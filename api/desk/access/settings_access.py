"""What the settings pages share: fresh proof of identity, and changes of single form settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from api.desk.access.login import verify_own_login
from api.desk.access.session_guard import PractitionerPage
from api.security.scopes import SCOPES
from api.store.accounts import login_credentials
from api.store.forms import form_settings
from api.store.transaction import Transaction
from api.web.page_route import FormFields, read_field
from schemas.organisations.form_settings import FormSettings

GRANT_FAULTS = {
    "scopes": "fault_scopes_not_held",
    "requests_per_minute": "fault_limit_above_own",
}
"""The phrase for each field of a `GrantError`."""
APPROVALS_PATH = "/desk/practice/approvals"
PASSWORD_FIELD = "current_password"  # noqa: S105 # nosec B105 - the name of a field


def has_own_password(desk: PractitionerPage) -> bool:
    """Return whether the practitioner signs in by password, not at an identity provider."""
    practitioner = desk.signed_in.practitioner.id
    organisation = desk.signed_in.organisation
    return bool(login_credentials.read_password_hash(desk.store, organisation, practitioner))


def find_identity_faults(desk: PractitionerPage, fields: FormFields) -> dict[str, str]:
    """Return a fault unless the practitioner typed their own password.

    Those who sign in at an identity provider have none here: their session is the proof. Raises
    TooManyAttemptsError.
    """
    if not has_own_password(desk):
        return {}
    if verify_own_login(desk, read_field(fields, PASSWORD_FIELD)[:300]):
        return {}
    return {PASSWORD_FIELD: "fault_current_password"}


def update_form_settings(work: Transaction, changes: Mapping[str, Any]) -> None:
    """Replace the given settings of the organisation's forms; keep the others."""
    checked_changes = FormSettings.model_validate(dict(changes))
    updated = form_settings.load_form_settings(work).model_copy(
        update={name: getattr(checked_changes, name) for name in changes}
    )
    form_settings.update_form_settings(work, updated)
    work.audit("administer", "form_settings")


def find_faults(
    model: type[BaseModel], values: Mapping[str, Any], phrases: Mapping[str, str]
) -> dict[str, str]:
    """Return the phrase of each field with a fault, in the order of `phrases`."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        faulty = {str(fault["loc"][0]) for fault in error.errors()}
        return {name: phrase for name, phrase in phrases.items() if name in faulty}
    return {}


def read_scopes(fields: FormFields, name: str) -> list[str]:
    """Return the scopes that are ticked, in the order of `SCOPES`; others are ignored."""
    return [scope for scope in SCOPES if scope in fields.get(name, ())]


def read_whole_number(text: str) -> int | str | None:
    """Return the number; None for an empty text; the text itself if it is not a number."""
    text = text.strip()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
