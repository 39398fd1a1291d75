"""Searches screenings by any part of a patient's number or name, in any case.

Numbers and names are encrypted, so every screening of the organisation is decrypted as far as its
patient and compared here. The text of a search is never stored.
"""

import json
import unicodedata
from typing import NamedTuple

from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.keys.field_encryption import FieldLocation
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient, parse_stored_patient

MAX_TEXT_LENGTH = 200


class SearchMatch(NamedTuple):
    """A screening whose patient matches."""

    id: str
    patient: KnownPatient


def list_matches(work: Transaction, text: str) -> list[SearchMatch]:
    """Return the screenings whose patient's number or name has every word, newest first."""
    words = fold_text(text[:MAX_TEXT_LENGTH]).split()
    if not words:
        return []
    query = work.select(ScreeningRow.id, ScreeningRow.key_id, ScreeningRow.patient).order_by(
        col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc()
    )
    table, matches = str(ScreeningRow.__tablename__), []
    plain_words = [word for word in words if json.dumps(word, ensure_ascii=False) == f'"{word}"']
    for screening_id, key_id, encrypted in work.session.execute(query).all():
        content = work.data_keys.decrypt(
            key_id, FieldLocation(table, "patient", screening_id), encrypted
        )
        patient_text = fold_text(content.decode())
        if not all(
            word in patient_text for word in plain_words
        ):  # most patients are passed over here
            continue
        fields = json.loads(content)
        searched = fold_text(f"{fields['reference']}\n{fields.get('name') or ''}")
        if all(word in searched for word in words):
            matches.append(SearchMatch(screening_id, parse_stored_patient(content)))
    return matches


def fold_text(text: str) -> str:
    """Return the text without case and accents, as it is compared."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))
