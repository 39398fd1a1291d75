"""Rules for HL7 messages, links known by the order they were made for, and revoked tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

OWNED = ("message_rules", "revoked_token")
ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the tables with their row-level security policies, and the column."""
    op.create_table(
        "message_rules",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "revoked_token",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("jti_sha256", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "jti_sha256"),
    )
    op.add_column("link", sa.Column("order_sha256", sa.String(64), nullable=True))
    op.create_index("link_by_order", "link", ["organisation_id", "order_sha256"])
    if op.get_bind().dialect.name == "postgresql":
        _create_policies()


def downgrade() -> None:
    """Drop them again; links stay."""
    op.drop_index("link_by_order", table_name="link")
    op.drop_column("link", "order_sha256")
    for table in OWNED:
        op.drop_table(table)


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
