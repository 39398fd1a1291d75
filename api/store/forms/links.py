"""Links: made for one patient, found by the hash of their secret, used up by sending the answers.

The secret is shown when the link is made and kept nowhere. A wrong, used, revoked or expired link
is found as none.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hashed, new_link_secret
from api.store.database.tables import DraftRow, LinkRow, OrganisationRow
from api.store.forms import drafts
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.links import KeptLink, Language, Link, LinkKind, LinkState
from schemas.patient import KnownPatient

TABLE = "link"
KEPT_AFTER = timedelta(days=30)
"""For so long an expired link stays in sight, with what was answered under it."""


class Wanted(NamedTuple):
    """A link to be made."""

    patient: KnownPatient
    rulebook: str
    ask_again_days: int
    kind: LinkKind = "until_submitted"
    language: Language | None = None
    days: int = 14


class Open(NamedTuple):
    """A link by its secret: whose, for what; `holder` where one browser has it."""

    organisation: str
    id: str
    kind: LinkKind
    rulebook: str
    language: Language | None
    holder: str | None


class Page(NamedTuple):
    """Some links, newest first, and the id after which the next ones stand."""

    links: tuple[Link, ...]
    next: str | None


def make(work: Transaction, wanted: Wanted) -> tuple[Link, str]:
    """A new link and its secret."""
    link_id, secret = str(uuid4()), new_link_secret()
    row = {
        "organisation_id": work.organisation,
        "id": link_id,
        "sha256": hashed(secret),
        "kind": wanted.kind,
        "rulebook": wanted.rulebook,
        "language": wanted.language,
        "ask_again_days": wanted.ask_again_days,
        "created_at": work.now,
        "expires_at": work.now + timedelta(days=wanted.days),
        "actor": work.actor.id,
        "holder_sha256": None,
        "revoked_at": None,
        "submitted_at": None,
        "screening_id": None,
        "key_id": work.key_id,
        **indexes(work, wanted.patient),
        "patient": work.seal(
            TABLE, "patient", link_id, wanted.patient.model_dump_json(exclude_none=True).encode()
        ),
    }
    work.session.put(LinkRow, row)
    return found(work, link_id), secret


def open_now(store: Store, secret: str) -> Open | None:
    """The link of this secret, where it may be answered now; None for every other."""
    return _by_secret(store, secret, "new")


def sent(store: Store, secret: str) -> Open | None:
    """The link of this secret, where what was answered under it was sent; else None."""
    return _by_secret(store, secret, "submitted")


def enter(work: Transaction, link: Open) -> None:
    """Have the link to oneself until the transaction ends; waits for whoever has it.

    Raises Problem `not_found` where it may not be answered any more as it was found.
    """
    here = work.session.execute(
        select(col(LinkRow.id))
        .where(
            *_may_be_answered(work, link.id),
            col(LinkRow.holder_sha256).is_not_distinct_from(link.holder),
        )
        .with_for_update()
    ).one_or_none()
    if here is None:
        raise Problem("not_found")


def hold(work: Transaction, link_id: str, holder: str) -> None:
    """From now on only who knows `holder` may go on. Raises Problem `not_found` if another does."""
    done: Any = work.session.execute(
        update(LinkRow)
        .where(*_is(work, link_id), col(LinkRow.holder_sha256).is_(None))
        .values(holder_sha256=hashed(holder))
    )
    if not done.rowcount:
        raise Problem("not_found")


def use_up(work: Transaction, link_id: str) -> KnownPatient:
    """Use the link up; for whom it was. Raises Problem `not_found` where it is no longer open."""
    done: Any = work.session.execute(
        update(LinkRow).where(*_may_be_answered(work, link_id)).values(submitted_at=work.now)
    )
    if not done.rowcount:
        raise Problem("not_found")
    row = work.session.execute(select(LinkRow).where(*_is(work, link_id))).scalar_one()
    return patient_of(work, row)


def became(work: Transaction, link_id: str, screening_id: str) -> None:
    """What was answered under the link is kept as this screening; the draft goes."""
    work.session.execute(
        update(LinkRow).where(*_is(work, link_id)).values(screening_id=screening_id)
    )
    drafts.drop(work, link_id)


def revoke(work: Transaction, link_id: str) -> None:
    """Nobody can answer under it any more. Raises Problem `not_found`, `conflict` once sent."""
    link = found(work, link_id)
    if link.state == "submitted":
        raise Problem("conflict", "The answers were sent already; the link is used up.")
    work.session.execute(
        update(LinkRow)
        .where(*_is(work, link_id), col(LinkRow.revoked_at).is_(None))
        .values(revoked_at=work.now)
    )


def found(work: Transaction, link_id: str) -> Link:
    """The link. Raises Problem `not_found`."""
    rows = _rows(work, *_is(work, link_id), limit=1)
    if not rows:
        raise Problem("not_found")
    return _told(work, *rows[0])


def urgent(work: Transaction) -> tuple[Link, ...]:
    """The links under which a red flag was answered and nothing was sent yet, newest first."""
    return tuple(_told(work, *each) for each in _urgent(work))


def begun_urgent(work: Transaction) -> tuple[KeptLink, ...]:
    """The same with what was answered under each."""
    return tuple(kept(work, *each) for each in _urgent(work))


def page(work: Transaction, limit: int, after: str | None = None) -> Page:
    """So many links, newest first. Raises Problem `not_found` for `after` that is no link."""
    which: list[Any] = []
    if after is not None:
        last = found(work, after)
        which = [
            (col(LinkRow.created_at) < last.created_at)
            | ((col(LinkRow.created_at) == last.created_at) & (col(LinkRow.id) < last.id))
        ]
    rows = _rows(work, *which, limit=limit + 1)
    told = tuple(_told(work, *each) for each in rows[:limit])
    return Page(told, told[-1].id if len(rows) > limit else None)


def kept(work: Transaction, link: Any, draft: Any) -> KeptLink:
    """A link with what is kept under it."""
    told = _told(work, link, draft)
    return KeptLink(**dict(told), draft=None if draft is None else drafts.draft_of(work, draft))


def of_person(work: Transaction, *which: Any) -> list[tuple[Any, Any]]:
    """The rows of links, each with its draft or None, that these conditions choose."""
    return _rows(work, *which, limit=None)


def erase(work: Transaction, ids: list[str]) -> None:
    """Erase links with what was answered under them."""
    work.session.execute(
        delete(LinkRow).where(
            col(LinkRow.organisation_id) == work.organisation, col(LinkRow.id).in_(ids)
        )
    )


def any_stale(session: Session, organisation: str) -> bool:
    """Whether `stale` may find any."""
    found_one = session.execute(
        select(col(LinkRow.id))
        .where(
            col(LinkRow.organisation_id) == organisation,
            col(LinkRow.submitted_at).is_(None),
            col(LinkRow.expires_at) < datetime.now(UTC) - KEPT_AFTER,
        )
        .limit(1)
    ).first()
    return found_one is not None


def stale(work: Transaction, held: set[bytes]) -> list[str]:
    """The ids of links that nobody sent anything under, long expired and on no hold."""
    rows = work.session.execute(
        select(col(LinkRow.id), col(LinkRow.patient_index)).where(
            col(LinkRow.organisation_id) == work.organisation,
            col(LinkRow.submitted_at).is_(None),
            col(LinkRow.expires_at) < work.now - KEPT_AFTER,
        )
    ).all()
    return [row.id for row in rows if row.patient_index not in held]


def patient_of(work: Transaction, row: Any) -> KnownPatient:
    """For whom a link is."""
    content = work.open(row.key_id, TABLE, "patient", row.id, row.patient)
    return KnownPatient.model_validate_json(content)


def move(work: Transaction, row: Any, patient: KnownPatient) -> None:
    """From now on the link is this patient's; what was answered under it hangs on the link."""
    content = patient.model_dump_json(exclude_none=True).encode()
    row.patient = work.seal(TABLE, "patient", row.id, content)
    for name, index in indexes(work, patient).items():
        setattr(row, name, index)
    row.key_id = work.key_id
    work.session.flush()


def indexes(work: Transaction, patient: KnownPatient) -> dict[str, bytes]:
    """What a link is searched by, each a keyed hash."""
    return {
        "patient_index": work.keys.current.keyed("patient_index", patient.reference),
        "system_index": work.keys.current.keyed("system_index", patient.system),
    }


def _by_secret(store: Store, secret: str, state: LinkState) -> Open | None:
    with store.glance() as session:
        row = session.execute(
            select(LinkRow, col(OrganisationRow.active))
            .join(OrganisationRow, col(OrganisationRow.id) == col(LinkRow.organisation_id))
            .where(col(LinkRow.sha256) == hashed(secret))
        ).one_or_none()
    if row is None or not row.active or _state(row[0], None, datetime.now(UTC)) != state:
        return None
    link = row[0]
    return Open(
        organisation=link.organisation_id,
        id=link.id,
        kind=cast("LinkKind", link.kind),
        rulebook=link.rulebook,
        language=link.language,
        holder=link.holder_sha256,
    )


def _urgent(work: Transaction) -> list[tuple[Any, Any]]:
    calm = work.keys.keyed("tier_index", drafts.NO_TIER)
    which = col(DraftRow.tier_index).not_in(calm), col(LinkRow.submitted_at).is_(None)
    return _rows(work, *which, limit=200)


def _is(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return col(LinkRow.organisation_id) == work.organisation, col(LinkRow.id) == link_id


def _may_be_answered(work: Transaction, link_id: str) -> tuple[Any, ...]:
    return (
        *_is(work, link_id),
        col(LinkRow.submitted_at).is_(None),
        col(LinkRow.revoked_at).is_(None),
        col(LinkRow.expires_at) > work.now,
    )


def _rows(work: Transaction, *which: Any, limit: int | None) -> list[tuple[Any, Any]]:
    query = (
        select(LinkRow, DraftRow)
        .outerjoin(
            DraftRow,
            (col(DraftRow.organisation_id) == col(LinkRow.organisation_id))
            & (col(DraftRow.link_id) == col(LinkRow.id)),
        )
        .where(col(LinkRow.organisation_id) == work.organisation, *which)
        .order_by(col(LinkRow.created_at).desc(), col(LinkRow.id).desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in work.session.execute(query).all()]


def _told(work: Transaction, row: Any, draft: Any) -> Link:
    sent = row.submitted_at
    return Link(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        kind=row.kind,
        state=_state(row, draft, work.now),
        rulebook=row.rulebook,
        language=row.language,
        patient=patient_of(work, row),
        started_at=None if draft is None else draft.started_at,
        submitted_at=sent,
        tier=None if draft is None else drafts.draft_of(work, draft).tier,
        screening=row.screening_id,
        ask_again_on=sent and (sent + timedelta(days=row.ask_again_days)).date(),
    )


def _state(row: Any, draft: Any, now: datetime) -> LinkState:
    if row.submitted_at is not None:
        return "submitted"
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at <= now:
        return "expired"
    return "new" if draft is None else "started"
