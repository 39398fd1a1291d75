"""Mappings of columns, named and versioned by each organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "mapping",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rulebook", sa.String(80), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("mapping_by_name", "mapping", ["organisation_id", "name", "version"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE mapping ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE mapping FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_one_organisation ON mapping USING ({HELD}) WITH CHECK ({HELD})"
        )
        if _role_exists():
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON mapping TO {ROLE}")


def downgrade() -> None:
    """Drop the table; batches keep what was read by its mappings."""
    op.drop_table("mapping")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
