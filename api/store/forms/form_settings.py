"""What an organisation chose for its forms, or what holds until it chooses."""

from sqlalchemy import delete, select
from sqlmodel import col

from api.store.database.tables import FormSettingsRow
from api.store.transaction import Transaction
from schemas.form_settings import FormSettings

TABLE = "form_settings"


def own(work: Transaction) -> FormSettings:
    """The settings of the organisation."""
    row = work.session.execute(
        select(FormSettingsRow).where(col(FormSettingsRow.organisation_id) == work.organisation)
    ).scalar_one_or_none()
    if row is None:
        return FormSettings()
    content = work.open(row.key_id, TABLE, "content", work.organisation, row.content)
    return FormSettings.model_validate_json(content)


def change(work: Transaction, chosen: FormSettings) -> None:
    """From now on these hold."""
    work.session.execute(
        delete(FormSettingsRow).where(col(FormSettingsRow.organisation_id) == work.organisation)
    )
    content = chosen.model_dump_json().encode()
    row = {
        "organisation_id": work.organisation,
        "changed_at": work.now,
        "actor": work.actor.id,
        "key_id": work.key_id,
        "content": work.seal(TABLE, "content", work.organisation, content),
    }
    work.session.put(FormSettingsRow, row)
