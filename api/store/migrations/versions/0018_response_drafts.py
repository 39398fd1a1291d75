"""FHIR responses in progress, which are kept as drafts and not scored."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

ROLE = "nociscreen_app"
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)
INDEXES = {
    "response_draft_by_patient": ("patient_index",),
    "response_draft_by_actor": ("actor", "changed_at"),
    "response_draft_by_change": ("changed_at",),
}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "response_draft",
        sa.Column("organisation_id", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("patient_index", sa.LargeBinary(), nullable=False),
        sa.Column("system_index", sa.LargeBinary(), nullable=False),
        sa.Column("patient", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "id"),
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "response_draft", ["organisation_id", *columns])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE response_draft ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE response_draft FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_one_organisation ON response_draft USING ({HELD}) "
            f"WITH CHECK ({HELD})"
        )
        if _role_exists():
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON response_draft TO {ROLE}")


def downgrade() -> None:
    """Drop the table with the drafts in it."""
    op.drop_table("response_draft")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
