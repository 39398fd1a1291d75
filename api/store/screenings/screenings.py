"""Screenings: stored once, read within their organisation, never changed.

Every later event is a row of its own: a replacement, an entry in error, an acknowledgement of red
flags.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.store.database.prepared_queries import OrganisationQuery, list_columns
from api.store.database.tables import EnteredInErrorRow, ScreeningRow
from api.store.deliveries import follow_ups, subscriptions
from api.store.deliveries.subscriptions import StoredEvent
from api.store.errors import ConflictError, NotFoundError
from api.store.keys.field_encryption import DataKey, DecryptionError
from api.store.screenings import acknowledgements, events
from api.store.screenings.acknowledgements import FlagAction
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.assessments.assessment import Assessment
from schemas.assessments.assessment_json import write_assessment
from schemas.patients.patient import KnownPatient, parse_stored_patient
from schemas.patients.screening import (
    Acknowledgement,
    EnteredInError,
    Screening,
    ScreeningContext,
    ScreeningOrigin,
    ScreeningSource,
    ScreeningState,
)
from schemas.text import accept_stored_text

SOFTWARE_VERSION = version("nociscreen")
_WITH_ID = OrganisationQuery(
    select(*list_columns(ScreeningRow)).where(col(ScreeningRow.id) == bindparam("id"))
)


def add_screening(
    work: Transaction,
    intake: ScoredIntake,
    *,
    replaces: str | None = None,
    requested_id: str | None = None,
) -> Screening:
    """Store a screening and return it. Raises ConflictError for a used id or replacement."""
    screening_id = requested_id or str(uuid4())
    screening = build_screening(intake, screening_id, work.actor.id, work.now, replaces)
    insert_sealed_screening(work, seal_screening(work.data_keys.current, screening))
    return screening


class SealedScreening(NamedTuple):
    """A screening as it will be stored: its row, and its assessment as bytes."""

    screening: Screening
    row: Mapping[str, Any]
    assessment_json: bytes


def seal_screening(key: DataKey, screening: Screening) -> SealedScreening:
    """Encrypt a screening that is not stored yet; this needs no transaction."""
    assessment = screening.assessment
    assessment_json = write_assessment(assessment)
    plaintexts = {
        "patient": screening.patient.model_dump_json(exclude_none=True).encode(),
        "context": screening.context.model_dump_json(exclude_none=True).encode(),
        "answers": json.dumps(screening.answers, ensure_ascii=False).encode(),
        "assessment": zlib.compress(assessment_json, 1),
        "line": encode_line(assessment),
    }
    row = {
        "id": screening.id,
        "created_at": screening.created_at,
        **screening.origin.model_dump(),
        "rulebook": assessment.rulebook,
        "rulebook_sha256": assessment.rulebook_sha256,
        "replaces": screening.replaces,
        **compute_indexes(key, screening.patient, assessment),
        **key.encrypt_columns("screening", screening.id, plaintexts),
    }
    return SealedScreening(screening, row, assessment_json)


def insert_sealed_screening(work: Transaction, sealed_screening: SealedScreening) -> None:
    """Store a sealed screening. Raises ConflictError as `add_screening` does.

    Raises DecryptionError if the data key was rotated since: no row may be stored under an old one.
    """
    if sealed_screening.row["key_id"] != work.current_key_id:
        raise DecryptionError("the data key was rotated since the screening was sealed")
    try:
        work.insert(ScreeningRow, sealed_screening.row)
    except IntegrityError:
        raise ConflictError(
            "The screening has already been amended, its id is taken, or it was erased."
        ) from None
    screening = sealed_screening.screening
    work.stored_statuses.append(screening.assessment.status)
    if screening.replaces is None:
        has_red_flags = bool(screening.assessment.safety.flags)
        event = StoredEvent(screening.id, screening.patient, has_red_flags)
        subscriptions.notify_subscribers(work, event)


def build_screening(
    intake: ScoredIntake, screening_id: str, actor: str, now: datetime, replaces: str | None = None
) -> Screening:
    """Build the screening of a scored intake without storing it."""
    return Screening(
        id=screening_id,
        created_at=now,
        replaces=replaces,
        state="final",
        patient=intake.patient,
        assessment=intake.assessment,
        replaced_by=None,
        entered_in_error=None,
        acknowledgements=(),
        origin=ScreeningOrigin(actor=actor, means=intake.means, software_version=SOFTWARE_VERSION),
        context=intake.context,
        answers=dict(intake.answers),
    )


def find_screening(work: Transaction, screening_id: str) -> Screening:
    """Return the screening with its later events. Raises NotFoundError."""
    row = work.fetch_row(ScreeningRow, _WITH_ID, id=screening_id)
    if row is None:
        raise NotFoundError
    later = events.load_later_events(work, screening_id)
    return Screening(
        id=row.id,
        created_at=row.created_at,
        replaces=row.replaces,
        state=derive_state(replaced=later.is_replaced, in_error=later.error is not None),
        patient=decrypt_patient(work, row),
        assessment=decrypt_assessment(work, row),
        replaced_by=later.replaced_by,
        entered_in_error=later.error,
        acknowledgements=later.acknowledgements,
        moves=later.moves,
        rescored_from=later.rescored_from,
        rescored_as=later.rescored_as,
        origin=ScreeningOrigin(
            actor=row.actor,
            means=cast("ScreeningSource", row.means),
            software_version=row.software_version,
        ),
        context=decrypt_context(work, row),
        answers=json.loads(work.decrypt_column(row, "answers")),
    )


def has_screenings(work: Transaction) -> bool:
    """Return whether the organisation has any screening."""
    return work.count(ScreeningRow) > 0


def amend_screening(work: Transaction, original: Screening, intake: ScoredIntake) -> Screening:
    """Store a correction for the same patient and return it. Raises ConflictError."""
    if original.state == "entered_in_error":
        raise ConflictError("A screening entered in error cannot be amended.")
    if original.state == "amended":
        raise ConflictError("The screening has already been amended.")
    patient = (original.patient.reference, original.patient.system)
    if (intake.patient.reference, intake.patient.system) != patient:
        raise ConflictError("An amendment can't change the patient.")
    amended = add_screening(work, intake, replaces=original.id)
    amended = acknowledgements.carry_over(work, amended, original.acknowledgements)
    follow_ups.enqueue_replacements(work, original.id, amended.id)
    return amended


def mark_entered_in_error(work: Transaction, screening: Screening, reason: str) -> EnteredInError:
    """Mark a screening as entered in error. Raises ConflictError and NotFoundError."""
    is_marked = ConflictError("The screening is already marked as entered in error.")
    if screening.entered_in_error is not None:
        raise is_marked
    row = {"screening_id": screening.id, "at": work.now, "actor": work.actor.id}
    try:
        work.insert_unique(EnteredInErrorRow, row, is_marked, reason=reason.encode())
    except ConflictError:  # another request marked or erased it just now
        if events.find_error_record(work, screening.id) is None:
            raise NotFoundError from None
        raise
    follow_ups.enqueue_withdrawals(work, screening.id, screening.replaced_by)
    work.withdraw("entered_in_error", screening.id)
    return EnteredInError(at=work.now, by=work.actor.id, reason=reason)


def acknowledge_red_flags(
    work: Transaction, screening: Screening, practitioner: str, action_taken: str
) -> Acknowledgement:
    """Record who saw all red flags and the action. Raises ConflictError without any."""
    return acknowledgements.acknowledge_flags(
        work, screening, practitioner, FlagAction(action_taken)
    )


def derive_state(*, replaced: bool, in_error: bool) -> ScreeningState:
    """Return the state of a screening; entered in error outranks amended."""
    if in_error:
        return "entered_in_error"
    return "amended" if replaced else "final"


def compute_indexes(
    key: DataKey, patient: KnownPatient, assessment: Assessment
) -> dict[str, bytes]:
    """Return the keyed hashes that a screening is searched by."""
    return key.hash_columns(
        {
            "patient_index": patient.reference,
            "system_index": patient.system,
            "status_index": assessment.status,
            "tier_index": assessment.safety.tier,
            "band_index": assessment.find_band(),
        }
    )


def encode_line(assessment: Assessment) -> bytes:
    """Return the column of a screening that holds what lists show of its assessment."""
    return json.dumps(summarize_assessment(assessment)).encode()


def summarize_assessment(assessment: Assessment) -> dict[str, Any]:
    """Return what lists show of an assessment, by the members of a `ScreeningListItem`."""
    safety = assessment.safety
    return {
        "status": assessment.status,
        "tier": safety.tier,
        "band": assessment.find_band(),
        "flags": len(safety.flags),
        "all_asked": safety.all_asked,
        "not_asked": len(safety.unanswered),
    }


def decrypt_patient(work: Transaction, row: ScreeningRow) -> KnownPatient:
    """Decrypt the patient of a screening row."""
    return parse_stored_patient(work.decrypt_column(row, "patient"))


@accept_stored_text()
def decrypt_context(work: Transaction, row: ScreeningRow) -> ScreeningContext:
    """Decrypt what was submitted together with the answers of a screening row."""
    return ScreeningContext.model_validate_json(work.decrypt_column(row, "context"))


def decrypt_assessment(work: Transaction, row: ScreeningRow) -> Assessment:
    """Decrypt the assessment of a screening row."""
    return Assessment.model_validate_json(decrypt_assessment_json(work, row))


def decrypt_assessment_json(work: Transaction, row: ScreeningRow) -> bytes:
    """Decrypt the assessment of a screening row, as the bytes that were stored."""
    return zlib.decompress(work.decrypt_column(row, "assessment"))
