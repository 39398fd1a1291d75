"""Red flags acknowledged one by one, also in unsent answers; screenings by tier; kept forms."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

OWNED = ("draft_acknowledgement", "kept_form")
ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Add the column and the tables; each acknowledgement so far was for all red flags."""
    op.add_column(
        "acknowledgement",
        sa.Column("settles_all", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.create_index("screening_by_tier", "screening", ["organisation_id", "tier_index"])
    op.create_table(
        "draft_acknowledgement",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("link_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "link_id"],
            ["link.organisation_id", "link.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index(
        "draft_acknowledgement_by_link", "draft_acknowledgement", ["organisation_id", "link_id"]
    )
    op.create_table(
        "kept_form",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("practitioner_id", sa.String(64), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "practitioner_id"],
            ["practitioner.organisation_id", "practitioner.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index(
        "kept_form_by_practitioner", "kept_form", ["organisation_id", "practitioner_id", "kept_at"]
    )
    if op.get_bind().dialect.name == "postgresql":
        _create_policies()


def downgrade() -> None:
    """Drop the tables and the column; each acknowledgement then counts for all red flags."""
    op.drop_table("kept_form")
    op.drop_table("draft_acknowledgement")
    op.drop_index("screening_by_tier", table_name="screening")
    op.drop_column("acknowledgement", "settles_all")


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
