"""What waits in the database of all organisations, for metrics: counts and ages, no ids."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.observability.metrics import BacklogLevel
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.batches import worker_heartbeats
from api.store.batches.chunks import WAITING
from api.store.database.tables import (
    BatchChunkRow,
    BatchRow,
    DeliveryRow,
    LinkRow,
    NotificationRow,
    OrganisationRow,
    ScreeningRow,
    match_reference,
)
from api.store.screenings import conditions
from api.store.store import Store

URGENT_TIERS = ("T0", "T1")


def read_backlog(store: Store, worker_timeout_seconds: float) -> list[BacklogLevel]:
    """Return every level, in one transaction that only reads."""
    now = datetime.now(UTC)
    with store.read_all_organisations() as session:
        living = worker_heartbeats.list_live_workers(
            session, now - timedelta(seconds=worker_timeout_seconds)
        )
        return [
            *_count_deliveries(session, now),
            *_count_notifications(session),
            *_count_batches(session),
            BacklogLevel("workers_alive", len(living)),
            BacklogLevel("links_due", _count_due_links(session, now)),
            *_count_unacknowledged(store),
        ]


def _count_deliveries(session: Session, now: datetime) -> Iterator[BacklogLevel]:
    states, since = col(DeliveryRow.state), func.min(col(DeliveryRow.created_at))
    is_open = states.in_(("waiting", "under_way", "parked"))
    query = select(states, func.count(), since).where(is_open).group_by(states)
    rows = {state: (count, oldest) for state, count, oldest in session.execute(query)}
    waiting = [rows[state] for state in ("waiting", "under_way") if state in rows]
    oldest = min((at for _, at in waiting), default=now)
    yield BacklogLevel("deliveries_waiting", sum(count for count, _ in waiting))
    yield BacklogLevel("deliveries_parked", rows.get("parked", (0, now))[0])
    yield BacklogLevel("delivery_oldest_waiting_seconds", max(0.0, (now - oldest).total_seconds()))


def _count_notifications(session: Session) -> Iterator[BacklogLevel]:
    states = col(NotificationRow.state)
    query = select(states, func.count()).where(states.in_(("waiting", "parked"))).group_by(states)
    counts = {row[0]: row[1] for row in session.execute(query)}
    for state in ("waiting", "parked"):
        yield BacklogLevel(f"notifications_{state}", counts.get(state, 0))


def _count_batches(session: Session) -> Iterator[BacklogLevel]:
    is_waiting = col(BatchChunkRow.state) == WAITING, col(BatchRow.cancelled_at).is_(None)
    query = (
        select(
            func.count(func.distinct(col(BatchRow.id))),
            func.coalesce(func.sum(col(BatchChunkRow.rows)), 0),
        )
        .join(BatchRow, match_reference(BatchChunkRow.batch_id, BatchRow))
        .where(*is_waiting)
    )
    batches, rows = session.execute(query).one()
    yield BacklogLevel("batches_waiting", batches)
    yield BacklogLevel("batch_rows_waiting", rows)


def _count_due_links(session: Session, now: datetime) -> int:
    query = select(func.count()).select_from(LinkRow).where(col(LinkRow.due_on) <= now.date())
    return int(session.execute(query).scalar_one())


def _count_unacknowledged(store: Store) -> Iterator[BacklogLevel]:
    """Count by tier; the hash of a tier differs by organisation."""
    counts = dict.fromkeys(URGENT_TIERS, 0)
    with store.read_all_organisations() as session:
        ids = _list_screening_organisations(session)
    for organisation in ids:
        with store.continue_read(SERVICE_ACTOR._replace(organisation=organisation)) as work:
            for tier in URGENT_TIERS:
                query = work.select(ScreeningRow.id).where(
                    work.match_hash(ScreeningRow.tier_index, tier),
                    conditions.IS_IN_FORCE,
                    ~conditions.IS_ACKNOWLEDGED,
                )
                counts[tier] += len(work.session.execute(query).all())
    for tier, count in counts.items():
        yield BacklogLevel("red_flags_unacknowledged", count, (("tier", tier),))


def _list_screening_organisations(session: Session) -> list[str]:
    """Return the active organisations that have a screening; no other needs its keys."""
    has_screening = exists().where(col(ScreeningRow.organisation_id) == col(OrganisationRow.id))
    query = select(col(OrganisationRow.id)).where(col(OrganisationRow.active), has_screening)
    return list(session.execute(query).scalars())
