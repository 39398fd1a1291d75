"""Tenancy: a filter is forgotten on purpose, and nothing of another organisation comes back."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import (
    String,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import aliased
from sqlmodel import col
from support.builders import (
    add,
    build_store_settings,
    clinic,
    do,
    fill_patient_record,
    intake,
    run_concurrently,
)

from api.security.keys import generate_signing_key
from api.security.tokens.access_tokens import Principal
from api.security.tokens.client_assertions import VerifiedAssertion
from api.store.accounts import invitations, issuers, kept_forms, login_credentials, sessions
from api.store.accounts.callers import consume_assertion, revoke_token
from api.store.accounts.clients import add_api_key, add_client_key, set_key_set_url
from api.store.accounts.practitioners import add_practitioner
from api.store.batches import batches, mappings
from api.store.batches.chunk_content import ChunkContent
from api.store.database import migrate, tenancy
from api.store.database.engine import (
    DatabaseError,
    find_bypassing_role,
    open_postgres,
    require_row_level_security,
)
from api.store.database.tables import (
    OWNED_TABLES,
    ApprovalRow,
    AuditRow,
    ClientSecretRow,
    FailureRow,
    IdentityRow,
    PractitionerRow,
    ReportRow,
    ScreeningRow,
    WithdrawalRow,
)
from api.store.deliveries import message_rules
from api.store.errors import ConflictError, NotFoundError
from api.store.forms import links
from api.store.operations.startup import open_store
from api.store.patients import draft_acknowledgements, legal_holds, patient_lookup
from api.store.screenings import acknowledgements, imported_rows, rescorings, screenings
from schemas.batches.mapping import NewMapping
from schemas.organisations.issuer import IssuerTerms
from schemas.patients.patient import KnownPatient

MEMBER = (
    "CREATE ROLE {name}_group IN ROLE {name}_dump; CREATE ROLE {name} LOGIN IN ROLE {name}_group"
)
PASSABLE = [table for table in OWNED_TABLES if table.__tablename__ != "audit"]


def signs_in(work, practitioner):
    """Store every record of a practitioner who logs in, fails to log in and imports."""
    invitations.add_invitation(work, practitioner)
    lasting = sessions.SessionLifetimes(timedelta(minutes=30), timedelta(hours=12))
    sessions.begin_session(work, practitioner, lasting)
    login_credentials.set_credentials(
        work,
        practitioner,
        login_credentials.NewCredentials(f"dr {practitioner}", "hash", "totp", 0),
    )
    identity = {"practitioner_id": practitioner, "subject_sha256": practitioner}
    work.insert(IdentityRow, identity | {"linked_at": work.now})
    imported_rows.add_imported_screening(work, "a row", intake())
    original = screenings.add_screening(work, intake())
    by_another = intake().assessment.model_copy(update={"rulebook": "nociplastic@2.0.0"})
    rescorings.add_rescoring(work, original, intake()._replace(assessment=by_another))
    kept_forms.keep_form(work, practitioner, "/desk/new", {"q0": ["n1"]}, is_after_session=True)
    link, _ = links.add_link(work, links.LinkRequest(KnownPatient(reference="x"), "phq4@1.0.0"))
    draft_acknowledgements.acknowledge_draft(
        work, link.id, ["a_flag"], practitioner, acknowledgements.FlagAction("done")
    )
    times = {"requested_at": work.now, "expires_at": work.now.replace(year=2099)}
    approval = {
        "id": f"approval {practitioner}"[:36],
        "kind": "client",
        "requested_by": practitioner,
    }
    work.insert(ApprovalRow, approval | times, content=b"a request")
    withdrawal = {"id": f"withdrawal {practitioner}"[:36], "kind": "client", "targets": "c"}
    of_this_one = {"organisation_id": work.organisation, "at": work.now}
    work.session.execute(insert(WithdrawalRow).values(**withdrawal, **of_this_one))
    failed = {"way": practitioner[:64], "count": 1, "last_at": work.now, "until": None}
    own = insert(FailureRow).values(organisation_id=work.organisation, **failed)
    work.session.execute(own)


@pytest.fixture
def store(own_store):
    """A store of its own: its batches belong to no rulebook, so no other test may run them."""
    return own_store


@pytest.fixture
def two(store):
    """Two organisations with a row in every table."""
    owners = clinic(store, "One"), clinic(store, "Two")
    for owner in owners:
        fill_patient_record(store, owner)

        def more(work, owner=owner, client=owner.client):
            signs_in(work, add_practitioner(work, "dr", "Dr", ["score"]).id)
            jwk = generate_signing_key("ES384").to_public_jwk()
            add_client_key(work, client, {name: jwk[name] for name in jwk if name != "use"})
            add_api_key(work, client, ["score"], work.now.replace(year=2099), test=False)
            consume_assertion(work, VerifiedAssertion(client, "jti", 4_000_000_000), 0)
            legal_holds.place_hold(work, patient_lookup.PatientSelector("other", None), "why")
            new_batch = batches.NewBatch("score", "book@1.0.0", "0" * 64, {"explain": False})
            content = ChunkContent(("MRN-0042",), (b"rows",))
            batches.add_batch(work, new_batch, [(1, content)], batches.compute_expiry(work.now, 1))
            set_key_set_url(work, client, "https://ehr.example/jwks.json")
            terms = IssuerTerms(key_set_url="https://ehr.example/jwks.json")
            issuer = issuers.add_issuer(work, "hooks", f"https://{client}.example", "", terms)
            issuers.consume_token(work, issuer.id, "jti", 4_000_000_000, 0)
            message_rules.replace_message_rules(work, "{}")
            mappings.add_mapping(work, NewMapping(name="a-tool", toml="source = 'x'"), "book@1.0.0")
            principal = Principal(client, owner.organisation, frozenset(), 4_000_000_000, "token")
            revoke_token(work, principal._replace(jti_sha256="0" * 64))

        do(store, owner, more)
    return owners


def of_everyone(store, table):
    with store.read_all_organisations() as session:
        counts = session.execute(
            select(table.organisation_id, func.count()).group_by(table.organisation_id)
        ).all()
    return dict(map(tuple, counts))


def test_a_forgotten_filter_finds_own_rows_alone(store, two):
    one, other = two
    own = {one.organisation}
    assert OWNED_TABLES
    for table in OWNED_TABLES:
        assert {one.organisation, other.organisation} <= of_everyone(store, table).keys()
        with store.transaction(one.actor) as work:
            rows = work.session.execute(select(table)).scalars().all()
            columns = work.session.execute(select(table.organisation_id)).scalars().all()
            count = work.session.execute(select(func.count()).select_from(table)).scalar_one()
            foreign_rows = work.session.execute(
                select(table).where(table.organisation_id == other.organisation)
            ).all()
            work.audit("read")
        assert ({row.organisation_id for row in rows}, set(columns)) == (own, own)
        assert (len(rows), foreign_rows) == (count, [])


def test_a_forgotten_filter_changes_and_deletes_own_rows_alone(store, two):
    one, other = two
    before = {table: of_everyone(store, table)[other.organisation] for table in PASSABLE}
    changed_rows = {}
    for table in PASSABLE:
        foreign = col(table.organisation_id) == other.organisation
        with store.transaction(one.actor) as work:
            changed = work.session.execute(
                update(table).where(foreign).values(organisation_id=one.organisation)
            )
            deleted = work.session.execute(delete(table).where(foreign))
            work.audit("read")
        changed_rows[table] = (changed.rowcount, deleted.rowcount)
    assert PASSABLE
    assert changed_rows == dict.fromkeys(PASSABLE, (0, 0))
    after = {table: of_everyone(store, table)[other.organisation] for table in PASSABLE}
    assert after == before


def test_a_statement_past_the_tables_is_refused_in_one_organisation(store, two):
    for statement in (text("SELECT * FROM screening"), select(ScreeningRow.__table__)):
        with (
            pytest.raises(RuntimeError, match="mapped tables"),
            store.transaction(two[0].actor) as work,
        ):
            work.session.execute(statement)


def foreign_ids(other):
    return select(col(ScreeningRow.id)).where(col(ScreeningRow.organisation_id) == other)


def lead_over(other):
    again = aliased(ScreeningRow)
    return select(again.id).where(again.organisation_id == other)


NAMING = {
    "subquery": lambda other: select(func.count()).select_from(foreign_ids(other).subquery()),
    "its column": lambda other: select(func.count(foreign_ids(other).subquery().c.id)),
    "scalar subquery": lambda other: select(
        foreign_ids(other).with_only_columns(func.count()).scalar_subquery()
    ),
    "exists": lambda other: (
        select(func.count()).select_from(PractitionerRow).where(foreign_ids(other).exists())
    ),
    "in": lambda other: (
        select(func.count())
        .select_from(ReportRow)
        .where(col(ReportRow.screening_id).in_(foreign_ids(other)))
    ),
    "alias": lambda other: select(func.count()).select_from(lead_over(other).subquery()),
    "cte": lambda other: select(func.count()).select_from(foreign_ids(other).cte()),
    "cte in a cte": lambda other: select(func.count()).select_from(
        select(foreign_ids(other).cte().c.id).cte()
    ),
    "join": lambda other: (
        select(func.count())
        .select_from(PractitionerRow)
        .join(ScreeningRow, col(ScreeningRow.organisation_id) == other)
    ),
    "condition alone": lambda other: select(func.count(col(PractitionerRow.id))).where(
        col(ScreeningRow.organisation_id) == other, col(ScreeningRow.id) != col(PractitionerRow.id)
    ),
    "order": lambda other: select(
        func.count().over(order_by=foreign_ids(other).limit(1).scalar_subquery())
    ).where(foreign_ids(other).exists()),
    "union in it": lambda other: select(func.count()).select_from(
        union_all(foreign_ids(other), foreign_ids(other)).subquery()
    ),
}


def test_a_filter_on_the_named_tables_alone_lets_no_part_of_a_statement_out(store, two):
    one, other = two
    counts = {}
    for part, build in NAMING.items():
        with store.read_all_organisations() as session:
            count_of_all = session.execute(build(other.organisation)).scalar()
        with store.transaction(one.actor) as work:
            own_count = work.session.execute(build(other.organisation)).scalar()
            work.audit("read")
        counts[part] = (bool(count_of_all), own_count or 0)
    assert counts == dict.fromkeys(NAMING, (True, 0))


def test_a_statement_is_filtered_as_if_by_every_table():
    foreign_id = foreign_ids("o").scalar_subquery()
    changing = {
        "insert": insert(PractitionerRow).values(**person("p", name=foreign_id)),
        "insert from select": from_select(PractitionerRow, "p"),
        "insert many": insert(PractitionerRow).values([person("p", name=foreign_id)]),
        "update": update(PractitionerRow).values(name=foreign_id),
        "update from": update(PractitionerRow)
        .values(name="n")
        .where(col(PractitionerRow.id) == col(ScreeningRow.id)),
        "delete": delete(PractitionerRow).where(foreign_ids("o").exists()),
    }
    statements = {part: build("o") for part, build in NAMING.items()} | changing

    def write_out(part, filtered_tables):
        criteria = (tenancy._build_criterion("p", table) for table in filtered_tables)
        return str(statements[part].options(*criteria).compile(dialect=sqlite.dialect()))

    tables = {part: tenancy.find_owned_tables(statement) for part, statement in statements.items()}
    assert [write_out(part, tables[part]) for part in tables] == [
        write_out(part, OWNED_TABLES) for part in tables
    ]
    two_tables = {PractitionerRow, ScreeningRow}
    assert [set(tables[part]) for part in ("exists", "update from", "delete")] == [two_tables] * 3


def raw(store, statement, organisation=None, **values):
    """A statement that no session holds, in a transaction of this organisation or of none."""
    with store.database.begin_write() as connection:
        if organisation:
            connection.execute(
                text("SELECT set_config('nociscreen.organisation', :o, true)"), {"o": organisation}
            )
        cursor = connection.execute(text(statement), values)
        return cursor.all() if cursor.returns_rows else cursor.rowcount


@pytest.fixture
def walled(store, two):
    if store.database.is_embedded:
        pytest.skip("row-level security is PostgreSQL's")
    return store


def person(organisation, **more):
    """A row of a practitioner."""
    return {
        "organisation_id": organisation, "id": "p", "reference": "p", "name": "n", "scopes": "",
        "active": True, "gets_alerts": True, "created_at": datetime.now(UTC),
    } | more  # fmt: skip


def from_select(table, organisation):
    row = person(organisation, id="q", reference="q")
    column_values = [
        table.created_at if name == "created_at" else literal(row[name]) for name in row
    ]
    return insert(table).from_select(list(row), select(*column_values))


FOREIGN = {
    "insert row": lambda work, other: work.session.insert_row(PractitionerRow, person(other)),
    "unit of work": lambda work, other: work.insert(PractitionerRow, person(other)),
    "values": lambda work, other: work.session.execute(
        insert(PractitionerRow).values(**person(other))
    ),
    "parameters": lambda work, other: work.session.execute(
        insert(PractitionerRow), [person(work.organisation), person(other, id="q", reference="q")]
    ),
    "many values": lambda work, other: work.session.execute(
        insert(PractitionerRow).values(
            [person(work.organisation), person(other, id="q", reference="q")]
        )
    ),
    "an expression": lambda work, other: work.session.execute(
        insert(PractitionerRow).values(**person(literal("") + other))
    ),
    "a select of it": lambda work, _: work.session.execute(
        insert(PractitionerRow).values(
            **person(select(PractitionerRow.organisation_id).limit(1).scalar_subquery())
        )
    ),
    "insert from select": lambda work, other: work.session.execute(
        from_select(PractitionerRow, other)
    ),
    "no organisation": lambda work, _: work.session.execute(insert(PractitionerRow).values()),
    "an object": lambda work, other: (
        work.session.add(PractitionerRow(**person(other))),
        work.session.flush(),
    ),
    "in bulk": lambda work, other: work.session.bulk_insert_mappings(
        PractitionerRow, [person(other)]
    ),
    "the connection": lambda work, other: work.session.connection().execute(
        insert(PractitionerRow.__table__).values(**person(other))
    ),
    "the connection's parameters": lambda work, other: work.session.connection().execute(
        insert(PractitionerRow.__table__), person(other)
    ),
    "a moved row": lambda work, other: work.session.execute(
        update(PractitionerRow).values(organisation_id=other)
    ),
    "a moved object": lambda work, other: (
        setattr(work.session.execute(select(PractitionerRow)).scalars().one(),
                "organisation_id", other),
        work.session.flush(),
    ),
}  # fmt: skip


def test_a_row_of_another_organisation_is_not_put_in(store, two):
    one, other = two
    before = of_everyone(store, PractitionerRow)
    outcomes = {}
    for way, put_in in FOREIGN.items():
        with pytest.raises(RuntimeError, match="another"), store.transaction(one.actor) as work:
            put_in(work, other.organisation)
            work.audit("read")
        outcomes[way] = of_everyone(store, PractitionerRow)
    assert outcomes == dict.fromkeys(FOREIGN, before)


def test_a_row_of_ones_own_is_put_in_by_every_way(store, two):
    one = two[0].organisation
    rows = [person(one, id=f"own-{number}", reference=f"own-{number}") for number in range(6)]

    def insert_rows(work):
        work.session.insert_row(PractitionerRow, rows[0])
        work.session.execute(insert(PractitionerRow).values(**rows[1]))
        work.session.execute(insert(PractitionerRow), rows[2:4])
        work.session.add(PractitionerRow(**rows[4]))
        work.session.flush()
        work.session.connection().execute(insert(PractitionerRow.__table__), rows[5])

    before = of_everyone(store, PractitionerRow)[one]
    do(store, two[0], insert_rows)
    assert of_everyone(store, PractitionerRow)[one] == before + len(rows)


@pytest.mark.parametrize("verb", ["insert", "update"])
def test_nothing_of_another_organisation_is_read_by_what_is_put_in(store, two, verb):
    one, other = two
    foreign_rows = (
        select(func.count())
        .select_from(ScreeningRow)
        .where(ScreeningRow.organisation_id == other.organisation)
        .scalar_subquery()
    )
    name = cast(foreign_rows, String)
    with store.transaction(one.actor) as work:
        if verb == "insert":
            values = person(one.organisation, name=name)
            work.session.execute(insert(PractitionerRow).values(**values))
        else:
            work.session.execute(update(PractitionerRow).values(name=name))
        names = work.session.execute(select(PractitionerRow.name)).scalars().all()
        work.audit("read")
    assert "0" in names
    assert "2" not in names


def test_row_level_security_shows_nothing_where_no_organisation_is_set(walled, two):
    for table in [*OWNED_TABLES, None]:
        name, column = (table.__tablename__, "organisation_id") if table else ("organisation", "id")
        assert raw(walled, f"SELECT * FROM {name}") == []
        visible = raw(walled, f"SELECT DISTINCT {column} FROM {name}", two[0].organisation)
        assert visible == [(two[0].organisation,)]


def test_row_level_security_refuses_to_write_rows_of_another(walled, two):
    one, other = (owner.organisation for owner in two)
    assert PASSABLE
    for table in PASSABLE:
        name = table.__tablename__
        where = f"WHERE organisation_id = '{other}'"
        assert raw(walled, f"UPDATE {name} SET organisation_id = organisation_id {where}", one) == 0
        assert raw(walled, f"DELETE FROM {name} {where}", one) == 0
        columns = ", ".join(
            f'"{column}"' for column in table.model_fields if column != "organisation_id"
        )
        with pytest.raises(ProgrammingError, match="row-level security"):
            raw(
                walled,
                f"INSERT INTO {name} (organisation_id, {columns})"
                f" SELECT '{other}', {columns} FROM {name}",
                one,
            )


def test_row_level_security_refuses_to_append_to_the_audit_of_another(walled, two):
    columns = ", ".join(
        f'"{column}"' for column in AuditRow.model_fields if column != "organisation_id"
    )
    with pytest.raises(ProgrammingError, match="row-level security"):
        raw(
            walled,
            f"INSERT INTO audit (organisation_id, {columns})"
            f" SELECT '{two[1].organisation}', {columns} FROM audit",
            two[0].organisation,
        )


def test_the_application_may_not_touch_the_tables_themselves(walled):
    for statement in (
        "ALTER TABLE screening DISABLE ROW LEVEL SECURITY",
        "DROP TABLE audit",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises(ProgrammingError):
            raw(walled, statement)


def test_the_owner_steps_down(walled):
    assert raw(walled, "SELECT session_user, current_user") == [("service", "nociscreen_app")]


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("CREATE ROLE {name} SUPERUSER LOGIN", "row-level security; use"),
        ("CREATE ROLE {name} BYPASSRLS LOGIN", "row-level security; use"),
        (
            "CREATE ROLE {name}_admin SUPERUSER; CREATE ROLE {name} LOGIN IN ROLE {name}_admin",
            "by SET ROLE {name}_admin; use",
        ),
        ("CREATE ROLE {name}_dump BYPASSRLS; " + MEMBER, "by SET ROLE {name}_dump; use"),
        ("CREATE ROLE {name}_dump; " + MEMBER, None),
    ],
)
def test_a_login_role_that_can_reach_one_past_the_walls_is_refused(
    postgres, migrated, role, reason
):
    name = postgres.database(template=migrated)
    for statement in role.format(name=name).split("; "):
        postgres.say(statement)
    postgres.say(f"GRANT nociscreen_app TO {name}")
    on_this_computer = postgres.url(name, name)
    elsewhere = on_this_computer.replace("127.0.0.1", "db.example") + "?hostaddr=127.0.0.1"
    databases = open_postgres(on_this_computer), open_postgres(elsewhere)
    require_row_level_security(databases[0])
    if reason is None:
        require_row_level_security(databases[1])
    else:
        with pytest.raises(DatabaseError, match=reason.format(name=name)):
            require_row_level_security(databases[1])
    sentences = [find_bypassing_role(database) for database in databases]
    assert [bool(sentence) for sentence in sentences] == [reason is not None] * 2
    for database in databases:
        database.engine.dispose()


def test_an_ordinary_owner_is_held_by_the_walls_too(postgres, tmp_path):
    name = postgres.database()
    role = f"owner_{name}"
    postgres.say(f"CREATE ROLE {role} LOGIN")
    postgres.say(f"ALTER DATABASE {name} OWNER TO {role}")
    store = open_store(build_store_settings(tmp_path, postgres.url(name, role)))
    one, other = clinic(store), clinic(store)
    screening = add(store, one)
    assert raw(store, "SELECT current_user") == [(role,)]
    assert raw(store, "SELECT * FROM screening") == []
    assert raw(store, "SELECT * FROM screening", other.organisation) == []
    assert raw(store, "SELECT id FROM screening", one.organisation) == [(screening.id,)]
    with pytest.raises(ProgrammingError, match="never changes"):
        raw(store, "DELETE FROM audit", one.organisation)
    store.close()
    migrate.downgrade(store.database, "base")
    store.close()


def test_no_reference_can_point_into_another_organisation(store, two):
    one, other = two
    foreign = add(store, other)

    def hang(work):
        screenings.acknowledge_red_flags(
            work, foreign.model_copy(update={"assessment": intake(example="red_flag").assessment}),
            "dr", "done",
        )  # fmt: skip

    with pytest.raises(NotFoundError):
        do(store, one, hang)
    with pytest.raises(ConflictError):
        do(store, one, screenings.add_screening, intake(), replaces=foreign.id)
    with pytest.raises(IntegrityError):
        do(store, one, give_a_secret_to, other.client)


def give_a_secret_to(work, client):
    work.session.execute(
        insert(ClientSecretRow).values(
            organisation_id=work.organisation, id="s", client_id=client, sha256="",
            created_at=work.now, expires_at=None,
        )
    )  # fmt: skip


def test_a_connection_carries_no_organisation_into_the_next_transaction(store, two):
    def act(number):
        mine = two[number % 2]
        wrong = 0
        for _ in range(40):
            with store.transaction(mine.actor) as work:
                visible = work.session.execute(
                    select(ScreeningRow.organisation_id).distinct()
                ).scalars()
                wrong += set(visible) != {mine.organisation}
                work.audit("read")
            if not store.database.is_embedded:
                wrong += raw(store, "SELECT count(*) FROM screening") != [(0,)]
        return wrong

    assert run_concurrently(8, act) == [0] * 8
