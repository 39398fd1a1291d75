"""Prepared queries: limited to one organisation, with values of the types of their columns."""

import pytest
from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import col
from support.builders import add, clinic

from api.store.database.prepared_queries import OrganisationQuery, list_columns
from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.screenings.latest_screening import find_latest_screening
from schemas.patients.patient import PatientNumber

ALL_IDS = OrganisationQuery(select(col(ScreeningRow.id)).order_by(col(ScreeningRow.created_at)))
_Other = aliased(ScreeningRow)
WITH_ANOTHER = OrganisationQuery(
    select(col(ScreeningRow.id)).where(exists().where(_Other.id != col(ScreeningRow.id)))
)
ROW = OrganisationQuery(
    select(*list_columns(ScreeningRow)).where(col(ScreeningRow.id) == bindparam("id"))
)


@pytest.fixture
def clinics(store):
    return clinic(store), clinic(store)


def test_a_query_without_a_filter_returns_rows_of_its_organisation_alone(store, clinics):
    own_clinic, other_clinic = clinics
    created = [add(store, own_clinic).id, add(store, own_clinic).id]
    add(store, other_clinic)
    with store.continue_read(own_clinic.actor) as work:
        assert [row.id for row in work.fetch(ALL_IDS)] == created


def test_a_subquery_sees_rows_of_its_organisation_alone(store, clinics):
    own_clinic, other_clinic = clinics
    add(store, own_clinic)
    add(store, other_clinic)
    with store.continue_read(own_clinic.actor) as work:
        assert work.fetch(WITH_ANOTHER) == []
    second = add(store, own_clinic)
    with store.continue_read(own_clinic.actor) as work:
        assert second.id in [row.id for row in work.fetch(WITH_ANOTHER)]


def test_a_row_of_another_organisation_is_not_found_by_its_id(store, clinics):
    own_clinic, other_clinic = clinics
    created = add(store, other_clinic)
    with store.continue_read(own_clinic.actor) as work:
        assert work.fetch_row(ScreeningRow, ROW, id=created.id) is None


def test_a_row_equals_the_one_that_the_orm_loads(store, clinics):
    own_clinic, _ = clinics
    created = add(store, own_clinic)
    with store.continue_read(own_clinic.actor) as work:
        prepared = work.fetch_row(ScreeningRow, ROW, id=created.id)
        assert prepared.model_dump() == work.load_row(ScreeningRow, created.id).model_dump()
        assert screenings.decrypt_patient(work, prepared) == created.patient


def test_an_underscore_in_an_instrument_stands_for_itself(store, clinics):
    own_clinic, _ = clinics
    created = add(store, own_clinic)
    number = PatientNumber(created.patient.reference, created.patient.system)
    with store.continue_read(own_clinic.actor) as work:
        assert find_latest_screening(work, [number], "nociplastic").id == created.id
        assert find_latest_screening(work, [number], "nociplasti_") is None
