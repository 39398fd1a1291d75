"""The audit: a chain that no one can change unseen, and that many can append to at once."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError as DatabaseRefusal
from support.builders import clinic, do, run_concurrently, tampering_connection

from api.store.accounts import organisations
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.audit import chain
from api.store.database.tables import AuditRow
from api.store.errors import UnavailableError
from schemas.organisations.audit import Checkpoint

COLUMNS = {
    "organisation_id": "'system'",
    "at": "'2020-01-01 00:00:00.000000'",
    "actor": "'x'",
    "means": "'api_key'",
    "action": "'export'",
    "outcome": "'x'",
    "kind": "'x'",
    "target": "'x'",
    "route": "'x'",
    "request_id": "'x'",
    "count": "7",
    "key_id": "'x'",
}
HEAD = {"key_id": "'x'", "seq": "seq + 1"}


@pytest.fixture
def clinic_of_ten(store):
    owner = clinic(store)
    append(store, owner, 8)
    return owner


def append(store, clinic, count):
    for _ in range(count):
        with store.transaction(clinic.actor) as work:
            work.audit("read", "screening", "s")


def key_of(store, clinic):
    with store.read_all_organisations() as session:
        return store.organisation_keys.load_keys(session, clinic.organisation).audit


def faults(store, clinic, *checkpoints):
    with store.read_all_organisations() as session:
        chain_faults = chain.verify_chain(session, key_of(store, clinic), checkpoints)
    return [(caller.seq, caller.what, caller.until) for caller in chain_faults]


def checkpoint(store, clinic):
    with store.transaction(clinic.actor) as work:
        work.audit("administer")
    with store.read_all_organisations() as session:
        return chain.create_checkpoint(session, key_of(store, clinic), work.now)


def tamper(store, clinic, *statements):
    with tampering_connection(store) as connection:
        for statement in statements:
            connection.execute(
                text(statement.replace("{o}", f"organisation_id = '{clinic.organisation}'"))
            )


def test_an_untouched_chain_is_valid(store, clinic_of_ten):
    assert faults(store, clinic_of_ten) == []
    assert faults(store, clinic_of_ten, checkpoint(store, clinic_of_ten)) == []


def test_a_chain_holds_over_the_end_of_a_stretch(store, clinic_of_ten, monkeypatch):
    monkeypatch.setattr(chain, "_STEP", 3)
    assert faults(store, clinic_of_ten) == []
    tamper(store, clinic_of_ten, "UPDATE audit SET target = 'x' WHERE {o} AND seq = 7")
    assert faults(store, clinic_of_ten) == [(7, "changed", None)]


def test_every_column_of_a_row_is_in_the_chain(store):
    assert set(AuditRow.model_fields) == {*COLUMNS, "seq", "mac"}


@pytest.mark.parametrize("column", [column for column in COLUMNS if column != "organisation_id"])
def test_an_edit_of_a_column_is_found_where_it_was_made(store, clinic_of_ten, column):
    value = COLUMNS[column]
    tamper(store, clinic_of_ten, f"UPDATE audit SET {column} = {value} WHERE {{o}} AND seq = 5")
    assert faults(store, clinic_of_ten) == [(5, "changed", None)]


def test_a_word_that_no_act_has_is_found_as_an_edit(store, clinic_of_ten):
    tamper(store, clinic_of_ten, "UPDATE audit SET action = 'forgive' WHERE {o} AND seq = 5")
    assert faults(store, clinic_of_ten) == [(5, "changed", None)]


def test_a_replaced_link_is_found(store, clinic_of_ten):
    tamper(
        store,
        clinic_of_ten,
        "UPDATE audit SET mac = (SELECT mac FROM audit WHERE {o} AND seq = 4)"
        " WHERE {o} AND seq = 5",
    )
    assert [fault[0] for fault in faults(store, clinic_of_ten)] == [5, 6]


def test_a_deleted_row_in_the_middle_is_found(store, clinic_of_ten):
    tamper(store, clinic_of_ten, "DELETE FROM audit WHERE {o} AND seq IN (4, 5)")
    assert faults(store, clinic_of_ten) == [(4, "missing", 5), (6, "unverifiable", None)]


def test_a_cut_off_tail_is_found(store, clinic_of_ten):
    tamper(store, clinic_of_ten, "DELETE FROM audit WHERE {o} AND seq > 8")
    assert faults(store, clinic_of_ten) == [(9, "missing", 10)]


def test_a_cut_off_tail_is_found_where_the_head_was_set_to_fit(store, clinic_of_ten):
    tamper(
        store,
        clinic_of_ten,
        "DELETE FROM audit WHERE {o} AND seq > 8",
        "UPDATE audit_head SET seq = 8, mac = (SELECT mac FROM audit WHERE {o} AND seq = 8)"
        " WHERE {o}",
    )
    assert faults(store, clinic_of_ten) == [(8, "head_changed", None)]


def test_renumbered_rows_are_found(store, clinic_of_ten):
    tamper(
        store,
        clinic_of_ten,
        "DELETE FROM audit WHERE {o} AND seq = 5",
        *(
            f"UPDATE audit SET seq = {number - 1} WHERE {{o}} AND seq = {number}"
            for number in range(6, 11)
        ),
        "UPDATE audit_head SET seq = 9 WHERE {o}",
    )
    assert faults(store, clinic_of_ten)[0] == (5, "changed", None)
    assert faults(store, clinic_of_ten)[-1] == (9, "head_changed", None)


def test_two_rows_that_changed_places_are_found(store, clinic_of_ten):
    tamper(
        store,
        clinic_of_ten,
        "UPDATE audit SET seq = 99 WHERE {o} AND seq = 4",
        "UPDATE audit SET seq = 4 WHERE {o} AND seq = 6",
        "UPDATE audit SET seq = 6 WHERE {o} AND seq = 99",
    )
    assert [fault[0] for fault in faults(store, clinic_of_ten)] == [4, 5, 6, 7]


@pytest.mark.parametrize("seq", [-3, 0, 11])
def test_a_forged_row_is_found_before_the_first_and_after_the_last(store, clinic_of_ten, seq):
    columns = ", ".join(f'"{column}"' for column in (*COLUMNS, "mac"))
    tamper(
        store,
        clinic_of_ten,
        f"INSERT INTO audit (seq, {columns}) SELECT {seq}, {columns} FROM audit"
        " WHERE {o} AND seq = 10",
    )
    chain_faults = faults(store, clinic_of_ten)
    assert seq in {caller[0] for caller in chain_faults}
    assert "inserted" in {caller[1] for caller in chain_faults}


def test_a_row_of_another_organisation_does_not_fit(store, clinic_of_ten):
    other = clinic(store)
    append(store, other, 8)
    tamper(
        store,
        clinic_of_ten,
        "DELETE FROM audit WHERE {o} AND seq = 5",
        f"UPDATE audit SET organisation_id = '{clinic_of_ten.organisation}'"
        f" WHERE organisation_id = '{other.organisation}' AND seq = 5",
    )
    assert [fault[0] for fault in faults(store, clinic_of_ten)] == [5, 6]
    assert faults(store, other) == [(5, "missing", 5), (6, "unverifiable", None)]


@pytest.mark.parametrize("column", HEAD)
def test_a_changed_head_is_found(store, clinic_of_ten, column):
    tamper(store, clinic_of_ten, f"UPDATE audit_head SET {column} = {HEAD[column]} WHERE {{o}}")
    assert [fault[1] for fault in faults(store, clinic_of_ten)] == ["head_changed"]


def test_a_head_that_is_gone_is_found(store, clinic_of_ten):
    tamper(store, clinic_of_ten, "DELETE FROM audit_head WHERE {o}")
    assert faults(store, clinic_of_ten) == [(10, "head_changed", None)]


def test_a_return_to_an_older_copy_is_found_by_a_checkpoint_alone(store, clinic_of_ten):
    copy = "CREATE TABLE older AS SELECT * FROM audit_head WHERE {o}"
    tamper(store, clinic_of_ten, copy)
    append(store, clinic_of_ten, 3)
    saved_checkpoint = checkpoint(store, clinic_of_ten)
    tamper(
        store,
        clinic_of_ten,
        "DELETE FROM audit WHERE {o} AND seq > 10",
        "DELETE FROM audit_head WHERE {o}",
        "INSERT INTO audit_head SELECT * FROM older",
    )
    assert faults(store, clinic_of_ten) == []
    assert faults(store, clinic_of_ten, saved_checkpoint) == [(14, "truncated", None)]
    append(store, clinic_of_ten, 6)
    assert faults(store, clinic_of_ten, saved_checkpoint) == [(14, "checkpoint_mismatch", None)]


def test_a_checkpoint_of_another_organisation_is_a_fault(store, clinic_of_ten):
    other = clinic(store)
    append(store, other, 20)
    foreign = checkpoint(store, other)
    assert faults(store, clinic_of_ten, foreign) == [(foreign.seq, "foreign_checkpoint", None)]
    renamed = foreign.model_copy(update={"organisation": clinic_of_ten.organisation})
    assert faults(store, clinic_of_ten, renamed) == [(foreign.seq, "foreign_checkpoint", None)]


def test_a_foreign_checkpoint_of_the_same_row_does_not_hide_an_own_one(store, clinic_of_ten):
    other = clinic(store)
    append(store, other, 8)
    own, foreign = checkpoint(store, clinic_of_ten), checkpoint(store, other)
    assert own.seq == foreign.seq
    changed = own.model_copy(update={"mac": "00" * 32})
    for order in ((changed, foreign), (foreign, changed)):
        assert len(faults(store, clinic_of_ten, *order)) == 2


@pytest.mark.parametrize(
    "change", [{"mac": "no hex"}, {"seal": "ü"}, {"seq": 3}, {"at": "2020-01-01T00:00:00Z"}]
)
def test_a_changed_checkpoint_is_a_foreign_one(store, clinic_of_ten, change):
    changed_members = checkpoint(store, clinic_of_ten).model_dump(mode="json") | change
    changed_checkpoint = Checkpoint.model_validate_json(json.dumps(changed_members))
    assert [fault[1] for fault in faults(store, clinic_of_ten, changed_checkpoint)] == [
        "foreign_checkpoint"
    ]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET target = 'x' WHERE {o}", "DELETE FROM audit WHERE {o}"],
)
def test_the_database_refuses_to_change_or_delete_a_row(store, clinic_of_ten, statement):
    owned_statement = statement.replace("{o}", f"organisation_id = '{clinic_of_ten.organisation}'")
    with (
        pytest.raises((DatabaseRefusal, UnavailableError)),
        store.transaction(clinic_of_ten.actor) as work,
    ):
        work.audit("read")
        work.session.connection().execute(text(owned_statement))
    assert faults(store, clinic_of_ten) == []


def test_the_trigger_refuses_even_the_owner_of_the_tables(store, clinic_of_ten):
    if store.database.is_embedded:
        pytest.skip("SQLite has no roles")
    for statement in ("UPDATE audit SET count = 2", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(DatabaseRefusal), store.database.begin_write() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
            connection.exec_driver_sql("SET LOCAL nociscreen.every_organisation = 'on'")
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("organisations", [1, 2])
def test_eight_threads_append_without_a_fork(store, organisations):
    clinics = [clinic(store, str(number)) for number in range(organisations)]
    outcomes = run_concurrently(
        8, lambda number: append(store, clinics[number % organisations], 50)
    )
    assert outcomes == [None] * 8
    for chain_owner in clinics:
        assert faults(store, chain_owner) == []
        with store.read_all_organisations() as session:
            rows = list(chain.read_entries(session, chain_owner.organisation))
        assert [row.seq for row in rows] == list(range(1, 2 + 400 // organisations + 1))


def test_a_chain_holds_while_it_is_appended_to(store, clinic_of_ten):
    def act(number):
        if number:
            return append(store, clinic_of_ten, 40)
        return [fault for _ in range(10) for fault in faults(store, clinic_of_ten)]

    assert run_concurrently(4, act) == [[], None, None, None]


def test_a_transaction_without_a_row_of_audit_is_undone(store):
    owner = clinic(store)
    with pytest.raises(RuntimeError, match="audit"), store.transaction(owner.actor) as work:
        organisations.update_organisation(work, {"name": "Other"})
    assert do(store, owner, organisations.find_own_organisation).name == "Clinic"


def test_what_is_undone_leaves_no_row(store, clinic_of_ten):
    with pytest.raises(LookupError), store.transaction(clinic_of_ten.actor) as work:
        work.audit("read")
        raise LookupError
    assert faults(store, clinic_of_ten) == []
    with store.read_all_organisations() as session:
        assert len(list(chain.read_entries(session, clinic_of_ten.organisation))) == 10


def test_the_service_has_a_chain_of_its_own(store):
    owner = clinic(store)
    with store.read_all_organisations() as session:
        own = list(chain.read_entries(session, OPERATOR_ACTOR.organisation))
        entries = list(chain.read_entries(session, owner.organisation, after=1, limit=1))
    assert own[-1].target == owner.organisation
    assert [entry.kind for entry in entries] == ["client"]
