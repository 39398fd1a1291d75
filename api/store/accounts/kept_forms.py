"""Forms that a practitioner submitted and that could not be saved as they were.

They are encrypted, shown only to the practitioner who filled them in, and deleted after a day.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import KeptFormRow
from api.store.errors import NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.sign_in import PractitionerSession

RETENTION = timedelta(hours=24)
MAX_KEPT = 20


class KeptForm(NamedTuple):
    """The fields of a form, the page that it belongs to, and whether its session had ended."""

    id: str
    page: str
    fields: dict[str, list[str]]
    is_after_session: bool
    is_returned: bool = False


def keep_form(
    work: Transaction,
    practitioner: str,
    page: str,
    fields: dict[str, list[str]],
    *,
    is_after_session: bool,
) -> str:
    """Store a form and return its id; the oldest of many are deleted. Raises NotFoundError."""
    kept_form = KeptForm(str(uuid4()), page, fields, is_after_session)
    row = {"id": kept_form.id, "practitioner_id": practitioner, "kept_at": work.now}
    work.insert_unique(KeptFormRow, row, NotFoundError(), content=_encode(kept_form))
    query = work.select(KeptFormRow.id).where(col(KeptFormRow.practitioner_id) == practitioner)
    old_ids = work.list_rows(query.order_by(col(KeptFormRow.kept_at).desc()).offset(MAX_KEPT))
    work.delete(KeptFormRow, col(KeptFormRow.id).in_(old_ids))
    return kept_form.id


def find_kept_form(work: Transaction, practitioner: str, form_id: str) -> KeptForm | None:
    """Return a form that this practitioner filled in, or None."""
    row = work.find(KeptFormRow, *_match(work, practitioner), col(KeptFormRow.id) == form_id)
    return None if row is None else _decode(work, row)


def has_kept_forms(store: Store, signed_in: PractitionerSession) -> bool:
    """Return whether a form is stored of this practitioner."""
    query = select(
        exists().where(
            col(KeptFormRow.organisation_id) == signed_in.organisation,
            col(KeptFormRow.practitioner_id) == signed_in.practitioner.id,
        )
    )
    return bool(store.look_up(query)[0])


def take_form_after_session(work: Transaction, practitioner: str) -> KeptForm | None:
    """Return the latest form that was submitted after its session had ended, once."""
    query = work.select(KeptFormRow).where(*_match(work, practitioner))
    for row in work.list_rows(query.order_by(col(KeptFormRow.kept_at).desc())):
        kept_form = _decode(work, row)
        if kept_form.is_after_session and not kept_form.is_returned:
            work.encrypt_row(row, {"content": _encode(kept_form._replace(is_returned=True))}, {})
            work.session.flush()
            return kept_form
    return None


def delete_kept_forms(work: Transaction, practitioner: str) -> None:
    """Delete the forms of a practitioner."""
    work.delete(KeptFormRow, col(KeptFormRow.practitioner_id) == practitioner)


def delete_old_forms(session: Session) -> None:
    """Delete the forms of all organisations that were kept for a day."""
    oldest = datetime.now(UTC) - RETENTION
    session.execute(delete(KeptFormRow).where(col(KeptFormRow.kept_at) < oldest))


def _match(work: Transaction, practitioner: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(KeptFormRow.practitioner_id) == practitioner,
        col(KeptFormRow.kept_at) >= work.now - RETENTION,
    )


def _encode(kept_form: KeptForm) -> bytes:
    return json.dumps(
        [kept_form.page, kept_form.fields, kept_form.is_after_session, kept_form.is_returned]
    ).encode()


def _decode(work: Transaction, row: KeptFormRow) -> KeptForm:
    return KeptForm(row.id, *json.loads(work.decrypt_column(row, "content")))
