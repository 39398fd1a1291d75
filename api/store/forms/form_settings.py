"""An organisation's settings for its patient forms."""

from sqlalchemy import select

from api.store.database.prepared_queries import OrganisationQuery, list_columns
from api.store.database.tables import FormSettingsRow
from api.store.transaction import Transaction
from schemas.organisations.form_settings import FormSettings
from schemas.text import accept_stored_text

_SETTINGS = OrganisationQuery(select(*list_columns(FormSettingsRow)))


@accept_stored_text()
def load_form_settings(work: Transaction) -> FormSettings:
    """Return the organisation's settings, or the defaults if it has none."""
    row = work.fetch_row(FormSettingsRow, _SETTINGS)
    if row is None:
        return FormSettings()
    return FormSettings.model_validate_json(work.decrypt_column(row, "content"))


def update_form_settings(work: Transaction, settings: FormSettings) -> None:
    """Replace the organisation's settings."""
    work.delete(FormSettingsRow)
    row = {"changed_at": work.now, "actor": work.actor.id}
    work.insert(FormSettingsRow, row, content=settings.model_dump_json().encode())
