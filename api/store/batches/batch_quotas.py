"""Quotas of the batches of an organisation: bytes stored, and rows that wait."""

from sqlalchemy import func, select
from sqlmodel import col

from api.settings import Settings
from api.store.accounts.quotas import find_effective_quotas, load_quotas
from api.store.batches.chunks import WAITING
from api.store.database.tables import BatchChunkRow, BatchRow, match_reference
from api.store.errors import QuotaExceededError
from api.store.transaction import Transaction

WAITING_RETRY_SECONDS = 30
STORED_RETRY_SECONDS = 3600


def require_batch_quotas(
    work: Transaction, settings: Settings, *, new_rows: int = 0, new_bytes: int = 0
) -> None:
    """Raise QuotaExceededError if the batches and the new content exceed a quota.

    The quotas stay locked until the transaction ends, so that two uploads do not both fit.
    """
    own_quotas = load_quotas(work.session, work.organisation, for_update=True)
    quotas = find_effective_quotas(own_quotas, settings)
    if _count_waiting_rows(work) + new_rows > quotas.waiting_rows:
        raise QuotaExceededError(
            f"At most {quotas.waiting_rows:,} rows of your organisation's batches may wait to be "
            "processed.",
            retry_after=WAITING_RETRY_SECONDS,
        )
    if _count_stored_bytes(work) + new_bytes > quotas.batch_bytes:
        raise QuotaExceededError(
            f"The batches of your organisation may take {quotas.batch_bytes:,} bytes. Erase a "
            "batch, or wait until one expires.",
            retry_after=STORED_RETRY_SECONDS,
        )


def _count_waiting_rows(work: Transaction) -> int:
    query = (
        select(func.coalesce(func.sum(col(BatchChunkRow.rows)), 0))
        .join(BatchRow, match_reference(BatchChunkRow.batch_id, BatchRow))
        .where(
            col(BatchChunkRow.organisation_id) == work.organisation,
            col(BatchChunkRow.state) == WAITING,
            col(BatchRow.cancelled_at).is_(None),
        )
    )
    return int(work.session.execute(query).scalar_one())


def _count_stored_bytes(work: Transaction) -> int:
    """Return the bytes of uploads, results and reports; neither database reads the content."""
    sizes = func.length(col(BatchChunkRow.given)) + func.coalesce(
        func.length(col(BatchChunkRow.made)), 0
    )
    is_own = col(BatchChunkRow.organisation_id) == work.organisation
    query = select(func.coalesce(func.sum(sizes), 0)).where(is_own)
    return int(work.session.execute(query).scalar_one())
