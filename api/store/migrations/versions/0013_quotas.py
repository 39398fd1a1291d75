"""Quotas of organisations."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

COLUMNS = ("requests_per_minute", "render_seconds", "batch_bytes", "waiting_rows")


def upgrade() -> None:
    """Add the columns; an organisation without a quota has that of the settings."""
    for column in COLUMNS:
        op.add_column("organisation", sa.Column(column, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for column in COLUMNS:
        op.drop_column("organisation", column)
