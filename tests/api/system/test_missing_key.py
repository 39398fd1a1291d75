"""A key that the ring lacks while the service runs: the answer is 503 with `Retry-After`."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from support import builders
from support.builders import request
from support.callers import bearing, calling

from api.jobs import housekeeping_thread
from api.jobs.housekeeping_thread import running_housekeeping
from api.settings import Settings
from api.store.key_ring import KeyRing, generate_entry
from api.store.operations.startup import open_database, open_key_ring
from api.store.store import Store


@contextmanager
def opened_by(settings: Settings, *entries: str) -> Iterator[Store]:
    """The database as a process with this key ring opens it."""
    store = Store(
        open_database(settings, open_key_ring(settings)), KeyRing(lambda: "\n".join(entries))
    )
    yield store
    store.close()


@pytest.fixture
def foreign_clinic(kept_service, kept_settings):
    """A clinic whose keys the service's own ring does not unwrap."""
    service_key_ring = kept_service.services.settings.key_ring_file.read_text()
    with opened_by(kept_settings, generate_entry(), service_key_ring) as store:
        return builders.clinic(store)


def test_a_call_is_answered_with_retry_after(kept_service, foreign_clinic):
    client = calling(kept_service, foreign_clinic)
    creation = client.post("/v1/screenings", json=request())
    assert (creation.status_code, creation.json()["type"]) == (503, "/problems/unavailable")
    response = client.get("/v1/organisation")
    assert (response.status_code, response.json()["type"]) == (503, "/problems/unavailable")
    assert response.json()["detail"].startswith("An encryption key is missing")
    assert int(response.headers["retry-after"]) > 0


def test_a_refused_login_is_still_refused(kept_service, foreign_clinic):
    form = {"grant_type": "client_credentials", "client_id": foreign_clinic.client,
            "client_secret": "nss_wrong"}  # fmt: skip
    assert bearing(kept_service).post("/v1/oauth/token", data=form).status_code == 401


def test_it_is_counted(kept_service, foreign_clinic):
    calling(kept_service, foreign_clinic).get("/v1/organisation")
    metrics = bearing(kept_service).get("/metrics").text
    assert 'nociscreen_storage_faults_total{kind="keys"}' in metrics


@pytest.mark.usefixtures("kept_service")
def test_upkeep_lives_on(kept_settings, monkeypatch):
    reports, thrice = [], Event()

    def on_fault(kind):
        reports.append(kind)
        if len(reports) == 3:
            thrice.set()

    monkeypatch.setattr(housekeeping_thread, "INTERVAL_SECONDS", 0.01)
    with opened_by(kept_settings, generate_entry()) as lame:
        lame.database.on_fault = on_fault
        with running_housekeeping(lame, kept_settings.model_copy(update={"signing_key_days": 0})):
            assert thrice.wait(30)
    assert set(reports) == {"keys"}
