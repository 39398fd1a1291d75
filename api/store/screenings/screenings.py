"""Screenings: kept once and whole, found again by their organisation, never changed.

What becomes of one is a row of its own: a screening that replaces it, that it was entered in error,
that its red flags were acknowledged.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import AcknowledgementRow, EnteredInErrorRow, ScreeningRow
from api.store.deliveries import outbox
from api.store.screenings import events
from api.store.transaction import Transaction
from schemas.assessment import Assessment
from schemas.patient import KnownPatient
from schemas.screening import (
    Acknowledgement,
    Context,
    EnteredInError,
    Means,
    Origin,
    Screening,
    State,
)

TABLE = "screening"
SOFTWARE_VERSION = version("nociscreen")


class Kept(NamedTuple):
    """What is kept of one intake."""

    patient: KnownPatient
    context: Context
    answers: Mapping[str, Any]
    assessment: Assessment
    means: Means = "api"


def add(
    work: Transaction, kept: Kept, *, replaces: str | None = None, named: str | None = None
) -> Screening:
    """Keep a screening, under this id if one is given.

    Raises Problem `conflict` where another replaces the same one already, or has the id.
    """
    screening_id = named or str(uuid4())
    assessment = kept.assessment
    made = new(kept, screening_id, work.actor.id, work.now, replaces)
    sealed = {
        "patient": kept.patient.model_dump_json(exclude_none=True).encode(),
        "context": kept.context.model_dump_json(exclude_none=True).encode(),
        "answers": json.dumps(kept.answers, ensure_ascii=False).encode(),
        "assessment": zlib.compress(assessment.model_dump_json(by_alias=True).encode(), 1),
    }
    row = {
        "organisation_id": work.organisation,
        "id": screening_id,
        "created_at": work.now,
        **made.origin.model_dump(),
        "rulebook": assessment.rulebook,
        "rulebook_sha256": assessment.rulebook_sha256,
        "replaces": replaces,
        "key_id": work.key_id,
        **indexes(work, kept.patient, assessment),
        **{name: work.seal(TABLE, name, screening_id, plain) for name, plain in sealed.items()},
    }
    try:
        work.session.put(ScreeningRow, row)
    except IntegrityError:
        raise Problem(
            "conflict",
            "Another screening replaces this one already or has its identifier, or it was erased.",
        ) from None
    work.kept.append(assessment.status)
    return made


def new(
    kept: Kept, screening_id: str, actor: str, now: datetime, replaces: str | None = None
) -> Screening:
    """The screening that keeping this makes; nothing is kept by it."""
    return Screening(
        id=screening_id,
        created_at=now,
        replaces=replaces,
        state="final",
        patient=kept.patient,
        assessment=kept.assessment,
        replaced_by=None,
        entered_in_error=None,
        acknowledgements=(),
        origin=Origin(actor=actor, means=kept.means, software_version=SOFTWARE_VERSION),
        context=kept.context,
        answers=dict(kept.answers),
    )


def found(work: Transaction, screening_id: str) -> Screening:
    """The screening with all that became of it. Raises Problem `not_found`."""
    row = work.session.execute(
        select(ScreeningRow).where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.id) == screening_id,
        )
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    replaced_by = events.replaced_by(work, screening_id)
    error = events.error(work, screening_id)
    return Screening(
        id=row.id,
        created_at=row.created_at,
        replaces=row.replaces,
        state=state(replaced=replaced_by is not None, in_error=error is not None),
        patient=patient_of(work, row),
        assessment=assessment_of(work, row),
        replaced_by=replaced_by,
        entered_in_error=error,
        acknowledgements=events.acknowledgements(work, screening_id),
        moves=events.moves(work, screening_id),
        origin=Origin(
            actor=row.actor,
            means=cast("Means", row.means),
            software_version=row.software_version,
        ),
        context=Context.model_validate_json(opened(work, row, "context")),
        answers=json.loads(opened(work, row, "answers")),
    )


def amend(work: Transaction, original: Screening, kept: Kept) -> Screening:
    """Keep a correction of this screening.

    Raises Problem `conflict` where it was corrected already, entered in error, or is another
    patient's.
    """
    if original.state == "entered_in_error":
        raise Problem("conflict", "What was entered in error cannot be amended.")
    if original.state == "amended":
        raise Problem("conflict", "Another screening replaces this one already.")
    same = (original.patient.reference, original.patient.system)
    if (kept.patient.reference, kept.patient.system) != same:
        raise Problem("conflict", "An amendment stays with its patient.")
    amended = add(work, kept, replaces=original.id)
    outbox.replaced(work, original.id, amended.id)
    return amended


def enter_in_error(work: Transaction, screening: Screening, reason: str) -> EnteredInError:
    """Say that a screening must not be relied on.

    Raises Problem `conflict` the second time, `not_found` where it was erased meanwhile.
    """
    already = Problem("conflict", "The screening is marked as entered in error already.")
    if screening.entered_in_error is not None:
        raise already
    try:
        with work.session.begin_nested():
            work.session.execute(
                insert(EnteredInErrorRow).values(
                    organisation_id=work.organisation,
                    screening_id=screening.id,
                    at=work.now,
                    actor=work.actor.id,
                    key_id=work.key_id,
                    reason=work.seal("entered_in_error", "reason", screening.id, reason.encode()),
                )
            )
    except IntegrityError:  # another was faster
        if events.error(work, screening.id) is None:
            raise Problem("not_found") from None
        raise already from None
    outbox.withdrawn(work, screening.id, screening.replaced_by)
    return EnteredInError(at=work.now, by=work.actor.id, reason=reason)


def acknowledge(
    work: Transaction, screening: Screening, practitioner: str, done: str
) -> Acknowledgement:
    """Say who saw the red flags and what was done.

    Raises Problem `conflict` without any flag, `not_found` where it was erased meanwhile.
    """
    if not screening.assessment.safety.flags:
        raise Problem("conflict", "The screening raised no red flag.")
    made = Acknowledgement(
        id=str(uuid4()), at=work.now, by=work.actor.id, practitioner=practitioner, done=done
    )
    content = made.model_dump_json(include={"practitioner", "done"}).encode()
    row = {
        "organisation_id": work.organisation,
        "id": made.id,
        "screening_id": screening.id,
        "at": made.at,
        "actor": made.by,
        "key_id": work.key_id,
        "content": work.seal("acknowledgement", "content", made.id, content),
    }
    try:
        work.session.put(AcknowledgementRow, row)
    except IntegrityError:
        raise Problem("not_found") from None
    return made


def state(*, replaced: bool, in_error: bool) -> State:
    """What a screening is worth now: an error outweighs an amendment."""
    if in_error:
        return "entered_in_error"
    return "amended" if replaced else "final"


def indexes(work: Transaction, patient: KnownPatient, assessment: Assessment) -> dict[str, bytes]:
    """What a screening is searched by, each a keyed hash."""
    words = {
        "patient_index": patient.reference,
        "system_index": patient.system,
        "status_index": assessment.status,
        "tier_index": assessment.safety.tier,
        "band_index": band_of(assessment),
    }
    return {name: work.keys.current.keyed(name, word) for name, word in words.items()}


def band_of(assessment: Assessment) -> str | None:
    """The band that was given, where one was."""
    return next((each.band for each in (assessment.totals or {}).values() if each.band), None)


def patient_of(work: Transaction, row: Any) -> KnownPatient:
    """The patient of a row."""
    return KnownPatient.model_validate_json(opened(work, row, "patient"))


def assessment_of(work: Transaction, row: Any) -> Assessment:
    """The assessment of a row."""
    return Assessment.model_validate_json(zlib.decompress(opened(work, row, "assessment")))


def opened(work: Transaction, row: Any, column: str) -> bytes:
    """A sealed column of a row of screenings."""
    return work.open(row.key_id, TABLE, column, row.id, getattr(row, column))
