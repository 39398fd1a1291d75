"""Callers of a service in this process, each with a credential of its own; and what is audited."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from httpx2 import Client
from sqlalchemy import event
from starlette.testclient import TestClient
from support.builders import Clinic, token
from support.servers.loopback import IS_LOOPBACK, LoopbackClient

from api.main import Service
from api.security.scopes import SCOPES
from api.store.audit import chain
from schemas.organisations.audit import AuditEntry


def bearing(service: Service, credential: str | None = None) -> Client:
    """A caller with this token or API key, or with none."""
    if credential is None:
        headers = {}
    elif credential.startswith("nsk_"):
        headers = {"X-API-Key": credential}
    else:
        headers = {"Authorization": f"Bearer {credential}"}
    if IS_LOOPBACK:
        return LoopbackClient(service, headers)
    return TestClient(service, headers=headers, raise_server_exceptions=False)


def calling(service: Service, clinic: Clinic, scopes=SCOPES) -> Client:
    """The clinic's client with a token that carries these scopes."""
    return bearing(
        service, token(service.services.store, service.services.access_tokens, clinic, scopes)
    )


def replace_service(service: Service, monkeypatch=None, **parts) -> None:
    """Put other parts in the place of the service's own; with `monkeypatch`, for one test."""
    services = replace(service.services, **parts)
    if monkeypatch is None:
        service.state.services = services
    else:
        monkeypatch.setitem(service.state._state, "services", services)


def audited(service: Service, clinic: Clinic) -> list[AuditEntry]:
    """Every row of the clinic's audit, oldest first."""
    with service.services.store.read_all_organisations() as session:
        return list(chain.read_entries(session, clinic.organisation))


def last_act(service: Service, clinic: Clinic) -> tuple[str, str, str, str]:
    """Action, outcome, kind and target of the clinic's last row of audit."""
    row = audited(service, clinic)[-1]
    return row.action, row.outcome, row.kind, row.target


def count_stored_screenings(service) -> float:
    """Return the number of stored screenings in the metrics."""
    text = bearing(service).get("/metrics").text
    counts = re.findall(r"^nociscreen_screenings_stored_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, counts))


@contextmanager
def statements(service: Service) -> Iterator[list[str]]:
    """Every statement sent to the database, in order."""
    statement_list: list[str] = []

    def tell(_connection, _cursor, statement, *_):
        statement_list.append(statement)

    engine = service.services.store.database.engine
    event.listen(engine, "before_cursor_execute", tell)
    try:
        yield statement_list
    finally:
        event.remove(engine, "before_cursor_execute", tell)
