"""What an organisation does with the HL7 messages that it receives, as JSON text."""

from sqlalchemy import select
from sqlmodel import col

from api.store.database.tables import MessageRulesRow
from api.store.store import Store
from api.store.transaction import Transaction


def look_up_message_rules(store: Store, organisation: str) -> str | None:
    """Return the rules of the organisation; None if it has none."""
    is_own = col(MessageRulesRow.organisation_id) == organisation
    row = store.look_up(select(col(MessageRulesRow.content)).where(is_own))
    return row.content if row else None


def load_message_rules(work: Transaction) -> str | None:
    """Return the rules of the organisation; None if it has none."""
    row = work.find(MessageRulesRow)
    return row.content if row else None


def replace_message_rules(work: Transaction, content: str) -> None:
    """Replace the rules of the organisation."""
    work.delete(MessageRulesRow)
    row = {"changed_at": work.now, "actor": work.actor.id, "content": content}
    work.insert(MessageRulesRow, row)
