"""The rows of the ledger of withdrawals, and requests that await a second person's approval."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

OWNED = ("withdrawal", "approval")
ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the tables with their row-level security policies."""
    op.create_table(
        "withdrawal",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("targets", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_table(
        "approval",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.add_column(
        "organisation",
        sa.Column("second_approval", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    if op.get_bind().dialect.name == "postgresql":
        _create_policies()


def downgrade() -> None:
    """Drop the tables with the requests in them; the ledger file stays."""
    op.drop_column("organisation", "second_approval")
    op.drop_table("approval")
    op.drop_table("withdrawal")


def _create_policies() -> None:
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_one_organisation ON {table} USING ({HELD}) WITH CHECK ({HELD})"
        )
        if _role_exists():
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
