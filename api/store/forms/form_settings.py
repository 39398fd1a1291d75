"""An organisation's settings for its patient forms."""

from sqlalchemy import delete, select
from sqlmodel import col

from api.store.database.tables import FormSettingsRow
from api.store.transaction import Transaction
from schemas.form_settings import FormSettings

TABLE = "form_settings"


def load_form_settings(work: Transaction) -> FormSettings:
    """Return the organisation's settings, or the defaults if it has none."""
    row = work.session.execute(
        select(FormSettingsRow).where(col(FormSettingsRow.organisation_id) == work.organisation)
    ).scalar_one_or_none()
    if row is None:
        return FormSettings()
    content = work.decrypt_field(row.key_id, TABLE, "content", work.organisation, row.content)
    return FormSettings.model_validate_json(content)


def update_form_settings(work: Transaction, settings: FormSettings) -> None:
    """Replace the organisation's settings."""
    work.session.execute(
        delete(FormSettingsRow).where(col(FormSettingsRow.organisation_id) == work.organisation)
    )
    content = settings.model_dump_json().encode()
    row = {
        "organisation_id": work.organisation,
        "changed_at": work.now,
        "actor": work.actor.id,
        "key_id": work.current_key_id,
        "content": work.encrypt_field(TABLE, "content", work.organisation, content),
    }
    work.session.insert_row(FormSettingsRow, row)
