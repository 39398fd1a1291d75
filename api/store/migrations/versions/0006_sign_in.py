"""How practitioners sign in, and which rows of files were imported."""

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
    """Make the tables and put up their walls."""
    _proofs()
    _invitation()
    _session()
    _failure()
    _imported()
    if op.get_bind().dialect.name == "postgresql":
        _hold_to_organisation()


def downgrade() -> None:
    """Take them away."""
    for table in reversed(OWNED):
        op.drop_table(table)


def _id(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of_practitioner() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "practitioner_id"],
        ["practitioner.organisation_id", "practitioner.id"],
        ondelete="CASCADE",
    )


def _owned(name: str, *parts: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        _id("organisation_id"),
        *parts,
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", *key),
    )


def _proofs() -> None:
    _owned(
        "sign_in",
        _id("practitioner_id"),
        sa.Column("name_sha256", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        _at("changed_at"),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _id("key_id"),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        _of_practitioner(),
        sa.UniqueConstraint("name_sha256"),
        key=("practitioner_id",),
    )
    _owned(
        "recovery_code",
        _id("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _at("used_at", nullable=True),
        _of_practitioner(),
        key=("practitioner_id", "sha256"),
    )
    _owned(
        "identity",
        _id("practitioner_id"),
        sa.Column("subject_sha256", sa.String(64), nullable=False),
        _at("linked_at"),
        _of_practitioner(),
        sa.UniqueConstraint("subject_sha256"),
        key=("practitioner_id",),
    )


def _invitation() -> None:
    _owned(
        "invitation",
        _id(),
        _id("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _at("created_at"),
        _at("expires_at"),
        _at("used_at", nullable=True),
        _id("actor"),
        _id("key_id"),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        _of_practitioner(),
        sa.UniqueConstraint("sha256"),
        key=("id",),
    )


def _session() -> None:
    _owned(
        "session",
        _id(),
        _id("practitioner_id"),
        sa.Column("sha256", sa.String(64), nullable=False),
        _at("created_at"),
        _at("seen_at"),
        _at("ends_at"),
        _of_practitioner(),
        sa.UniqueConstraint("sha256"),
        key=("id",),
    )
    op.create_index("session_by_practitioner", "session", ["organisation_id", "practitioner_id"])


def _failure() -> None:
    _owned(
        "sign_in_failure",
        _id("way"),
        sa.Column("count", sa.Integer(), nullable=False),
        _at("last_at"),
        _at("until", nullable=True),
        key=("way",),
    )


def _imported() -> None:
    _owned(
        "imported",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        _id("screening_id"),
        _at("at"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "screening_id"],
            ["screening.organisation_id", "screening.id"],
            ondelete="CASCADE",
        ),
        key=("fingerprint",),
    )


def _hold_to_organisation() -> None:
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
