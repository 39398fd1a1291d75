"""Renames the stored outcomes of delivery attempts. The audit trail keeps the former words."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

RENAMED_OUTCOMES = {
    "half": "incomplete_frame",
    "silence": "timeout",
    "cut_off": "connection_lost",
    "no_tls": "tls_failed",
    "not_signed_in": "login_failed",
    "not_all_taken": "partially_rejected",
    "unfit": "incompatible_with_destination",
}
COLUMNS = (("attempt", "outcome"), ("delivery", "reason"))


def upgrade() -> None:
    """Store the new words."""
    _replace_values(RENAMED_OUTCOMES)


def downgrade() -> None:
    """Store the former words."""
    _replace_values({new: old for old, new in RENAMED_OUTCOMES.items()})


def _replace_values(renamed: dict[str, str]) -> None:
    if op.get_bind().dialect.name == "postgresql":  # policies hide the rows even from their owner
        op.execute("SELECT set_config('nociscreen.every_organisation', 'on', true)")
    for table_name, column_name in COLUMNS:
        column: sa.ColumnClause[str] = sa.column(column_name)
        table = sa.table(table_name, column)
        for old, new in renamed.items():
            op.execute(table.update().where(column == old).values({column_name: new}))
