"""The letterhead of each organisation, with its row-level security policy."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the table, with a default row for each existing organisation."""
    op.create_table(
        "letterhead",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("logo", sa.LargeBinary(), nullable=True),
        sa.Column("time_zone", sa.String(60), nullable=False),
        sa.Column("locale", sa.String(10), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT set_config('nociscreen.every_organisation', 'on', true)")
    op.execute(
        "INSERT INTO letterhead (organisation_id, address, logo, time_zone, locale) "
        "SELECT id, '', NULL, 'UTC', 'en' FROM organisation"
    )
    if op.get_bind().dialect.name == "postgresql":
        _create_policy()


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("letterhead")


def _create_policy() -> None:
    op.execute("ALTER TABLE letterhead ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE letterhead FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY of_one_organisation ON letterhead USING ({HELD}) WITH CHECK ({HELD})"
    )
    exists = op.get_bind().execute(
        sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": ROLE}
    )
    if exists.first():
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON letterhead TO {ROLE}")
