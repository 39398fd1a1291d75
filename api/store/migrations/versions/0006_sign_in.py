"""Login credentials, invitations, sessions, login failures, and imported rows."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ROLE = "nociscreen_app"
OWNED = (
    "sign_in",
    "recovery_code",
    "identity",
    "invitation",
    "session",
    "sign_in_failure",
    "imported",
)
HELD = (
    "organisation_id = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create the tables and their row-level security policies."""
    _create_credentials()
    _create_invitation()
    _create_session()
    _create_failure()
    _create_imported()
    if op.get_bind().dialect.name == "postgresql":
        _create_policies()


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(OWNED):
        op.drop_table(table)


def _id_column(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False)


def _instant_column(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _reference_practitioner() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "practitioner_id"],
        ["practitioner.organisation_id", "practitioner.id"],
        ondelete="CASCADE",
    )


def _create_owned_table(name: str, *parts: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        _id_column("organisation_id"),
        *parts,
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", *key),
    )


def _create_credentials() -> None:
    _create_owned_table(
        "sign_in",
        _id_column("practitioner_id"),
        sa.Column("name_sha256", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        _instant_column("changed_at"),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _id_column("key_id"),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        _reference_practitioner(),
        sa.UniqueConstraint("name_sha256"),
        key=("practitioner_id",),
    )
    _create_owned_table(
        "recovery_code",
        _id_column("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _instant_column("used_at", nullable=True),
        _reference_practitioner(),
        key=("practitioner_id", "sha256"),
    )
    _create_owned_table(
        "identity",
        _id_column("practitioner_id"),
        sa.Column("subject_sha256", sa.String(64), nullable=False),
        _instant_column("linked_at"),
        _reference_practitioner(),
        sa.UniqueConstraint("subject_sha256"),
        key=("practitioner_id",),
    )


def _create_invitation() -> None:
    _create_owned_table(
        "invitation",
        _id_column(),
        _id_column("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _instant_column("created_at"),
        _instant_column("expires_at"),
        _instant_column("used_at", nullable=True),
        _id_column("actor"),
        _id_column("key_id"),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        _reference_practitioner(),
        sa.UniqueConstraint("sha256"),
        key=("id",),
    )


def _create_session() -> None:
    _create_owned_table(
        "session",
        _id_column(),
        _id_column("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _instant_column("created_at"),
        _instant_column("seen_at"),
        _instant_column("ends_at"),
        _reference_practitioner(),
        sa.UniqueConstraint("sha256"),
        key=("id",),
    )
    op.create_index("session_by_practitioner", "session", ["organisation_id", "practitioner_id"])


def _create_failure() -> None:
    _create_owned_table(
        "sign_in_failure",
        _id_column("way"),
        sa.Column("count", sa.Integer(), nullable=False),
        _instant_column("last_at"),
        _instant_column("until", nullable=True),
        key=("way",),
    )


def _create_imported() -> None:
    _create_owned_table(
        "imported",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        _id_column("screening_id"),
        _instant_column("at"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "screening_id"],
            ["screening.organisation_id", "screening.id"],
            ondelete="CASCADE",
        ),
        key=("fingerprint",),
    )


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
