"""The links from screenings to the ones whose answers they score under another version."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the table and its row-level security policy."""
    op.create_table(
        "rescoring",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("screening_id", sa.String(64), nullable=False),
        sa.Column("original_id", sa.String(64), nullable=False),
        sa.Column("first_stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "screening_id"],
            ["screening.organisation_id", "screening.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "original_id"],
            ["screening.organisation_id", "screening.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "screening_id"),
    )
    op.create_index("rescoring_by_original", "rescoring", ["organisation_id", "original_id"])
    if op.get_bind().dialect.name == "postgresql":
        _create_policy()


def downgrade() -> None:
    """Drop the table; the screenings stay."""
    op.drop_table("rescoring")


def _create_policy() -> None:
    op.execute("ALTER TABLE rescoring ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE rescoring FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_one_organisation ON rescoring USING ({HELD}) WITH CHECK ({HELD})")
    if _role_exists():
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON rescoring TO {ROLE}")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
