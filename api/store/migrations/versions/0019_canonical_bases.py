"""What canonical URLs begin with, and the addresses that the service has had."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

ROLE = "nociscreen_app"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "canonical_base",
        sa.Column("url", sa.String(200), nullable=False),
        sa.Column("fixed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )
    if op.get_bind().dialect.name == "postgresql" and _role_exists():
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON canonical_base TO {ROLE}")


def downgrade() -> None:
    """Drop the table: without it, canonical URLs begin with the address of the service."""
    op.drop_table("canonical_base")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
