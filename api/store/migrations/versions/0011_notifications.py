"""Notifications, the addresses of practitioners, and the day on which to screen again."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the table and the columns; every answered link becomes due as it was announced."""
    _create_notification()
    op.add_column("practitioner", sa.Column("email", sa.String(254), nullable=True))
    op.add_column(
        "practitioner",
        sa.Column("gets_alerts", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.add_column("link", sa.Column("due_on", sa.Date(), nullable=True))
    op.create_index("link_due", "link", ["organisation_id", "due_on"])
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:  # policies hide the rows even from their owner
        op.execute("SELECT set_config('nociscreen.every_organisation', 'on', true)")
    _fill_due_days()
    if is_postgres:
        _create_policy()


def downgrade() -> None:
    """Drop the table and the columns."""
    op.drop_index("link_due", table_name="link")
    op.drop_column("link", "due_on")
    op.drop_column("practitioner", "gets_alerts")
    op.drop_column("practitioner", "email")
    op.drop_table("notification")


def _create_notification() -> None:
    op.create_table(
        "notification",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("medium", sa.String(80), nullable=False),
        sa.Column("link_id", sa.String(64), nullable=True),
        sa.Column("screening_id", sa.String(64), nullable=True),
        sa.Column("practitioner_id", sa.String(64), nullable=True),
        sa.Column("state", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(80), nullable=False),
        sa.Column("code", sa.String(80), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                ["organisation_id", f"{table}_id"],
                [f"{table}.organisation_id", f"{table}.id"],
                ondelete="CASCADE",
            )
            for table in ("link", "screening", "practitioner")
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    op.create_index("notification_due", "notification", ["state", "due_at"])
    for table in ("link", "screening"):
        columns = ["organisation_id", f"{table}_id"]
        op.create_index(f"notification_by_{table}", "notification", columns)


def _fill_due_days() -> None:
    """Set the day for the answered links; the list leaves out those that were answered again."""
    link = sa.table(
        "link",
        sa.column("organisation_id", sa.String),
        sa.column("id", sa.String),
        sa.column("submitted_at", sa.DateTime(timezone=True)),
        sa.column("ask_again_days", sa.Integer),
        sa.column("due_on", sa.Date),
    )
    query = sa.select(link).where(link.c.submitted_at.is_not(None))
    for row in op.get_bind().execute(query).all():
        op.execute(
            link.update()
            .where(link.c.organisation_id == row.organisation_id, link.c.id == row.id)
            .values(due_on=(row.submitted_at + timedelta(days=row.ask_again_days)).date())
        )


def _create_policy() -> None:
    op.execute("ALTER TABLE notification ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE notification FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY of_one_organisation ON notification USING ({HELD}) WITH CHECK ({HELD})"
    )
    if _role_exists():
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON notification TO {ROLE}")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
