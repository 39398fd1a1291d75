"""Callers of a service in this process, each with a credential of its own; and what is audited."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from starlette.testclient import TestClient
from support.builders import Clinic, token

from api.main import Service
from api.security.scopes import SCOPES
from api.store.audit import chain
from schemas.audit import AuditEntry


def bearing(service: Service, credential: str | None = None) -> TestClient:
    """A caller with this token or API key, or with none."""
    if credential is None:
        headers = {}
    elif credential.startswith("nsk_"):
        headers = {"X-API-Key": credential}
    else:
        headers = {"Authorization": f"Bearer {credential}"}
    return TestClient(service, headers=headers, raise_server_exceptions=False)


def calling(service: Service, clinic: Clinic, scopes=SCOPES) -> TestClient:
    """The clinic's client with a token that carries these scopes."""
    return bearing(service, token(service.state.store, service.state.tokens, clinic, scopes))


def audited(service: Service, clinic: Clinic) -> list[AuditEntry]:
    """Every row of the clinic's audit, oldest first."""
    with service.state.store.read_all_organisations() as session:
        return list(chain.read_entries(session, clinic.organisation))


def last_act(service: Service, clinic: Clinic) -> tuple[str, str, str, str]:
    """Action, outcome, kind and target of the clinic's last row of audit."""
    row = audited(service, clinic)[-1]
    return row.action, row.outcome, row.kind, row.target


def counted(service) -> float:
    """How many screenings the service says it kept."""
    text = bearing(service).get("/metrics").text
    found = re.findall(r"^nociscreen_screenings_kept_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


@contextmanager
def statements(service: Service) -> Iterator[list[str]]:
    """Every statement that the database is told, in order."""
    told: list[str] = []

    def tell(_connection, _cursor, statement, *_):
        told.append(statement)

    engine = service.state.store.database.engine
    event.listen(engine, "before_cursor_execute", tell)
    try:
        yield told
    finally:
        event.remove(engine, "before_cursor_execute", tell)
