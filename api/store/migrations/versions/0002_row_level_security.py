"""Row-level security on PostgreSQL, and triggers that keep audit and screenings unchanged."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ROLE = "nociscreen_app"
OWNED = (
    "acknowledgement",
    "answered",
    "api_key",
    "audit",
    "audit_head",
    "client",
    "client_key",
    "client_secret",
    "entered_in_error",
    "legal_hold",
    "organisation_key",
    "practitioner",
    "report",
    "screening",
    "used_assertion",
)
FIXED = (
    "organisation_id",
    "id",
    "created_at",
    "actor",
    "means",
    "rulebook",
    "rulebook_sha256",
    "software_version",
    "replaces",
)
HELD = (
    "{column} = nullif(current_setting('nociscreen.organisation', true), '') "
    "OR current_setting('nociscreen.every_organisation', true) = 'on'"
)


def upgrade() -> None:
    """Create policies, triggers and grants."""
    if op.get_bind().dialect.name == "postgresql":
        _create_postgres_triggers()
        _create_policies()
        _grant_application_role()
    else:
        _create_sqlite_triggers()


def downgrade() -> None:
    """Drop policies, triggers and grants."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_appended ON audit")
        op.execute("DROP TRIGGER audit_kept ON audit")
        op.execute("DROP TRIGGER screening_unchanged ON screening")
        op.execute("DROP FUNCTION nociscreen_refuse()")
        for table in (*OWNED, "organisation"):
            op.execute(f"DROP POLICY of_one_organisation ON {table}")
            op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        if _role_exists():
            op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}")
    else:
        for trigger in ("audit_unchanged", "audit_undeleted", "screening_unchanged"):
            op.execute(f"DROP TRIGGER {trigger}")


def _create_sqlite_triggers() -> None:
    for name, moment in (("audit_unchanged", "UPDATE"), ("audit_undeleted", "DELETE")):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {moment} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )
    old, new = (", ".join(f"{side}.{each}" for each in FIXED) for side in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER screening_unchanged BEFORE UPDATE ON screening "
        f"WHEN ({old}) IS NOT ({new}) "
        "BEGIN SELECT RAISE(ABORT, 'a screening never changes'); END"
    )


def _create_postgres_triggers() -> None:
    op.execute(
        "CREATE FUNCTION nociscreen_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% never changes', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_appended BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION nociscreen_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_kept BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION nociscreen_refuse()"
    )
    old, new = (", ".join(f"{side}.{each}" for each in FIXED) for side in ("OLD", "NEW"))
    op.execute(
        "CREATE TRIGGER screening_unchanged BEFORE UPDATE ON screening FOR EACH ROW "
        f"WHEN (ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION nociscreen_refuse()"
    )


def _create_policies() -> None:
    for table in (*OWNED, "organisation"):
        held = HELD.format(column="id" if table == "organisation" else "organisation_id")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_one_organisation ON {table} USING ({held}) WITH CHECK ({held})"
        )


def _grant_application_role() -> None:
    """Create the application role if this role may, and grant it access to the tables."""
    if not _role_exists():
        may = op.get_bind().execute(
            sa.text("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        )
        if not may.scalar_one():
            return
        op.execute(f"CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
        op.execute(f"GRANT {ROLE} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {ROLE}")
    op.execute(f"GRANT SELECT, INSERT ON audit TO {ROLE}")
    for table in (*(each for each in OWNED if each != "audit"), "organisation", "signing_key"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {ROLE}")


def _role_exists() -> bool:
    found = op.get_bind().execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": ROLE})
    return found.first() is not None
