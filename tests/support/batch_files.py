"""Batches in tests: files of rows, sent, and worked through here and now as a worker would."""

import io
import json
from datetime import UTC, datetime

import polars as pl
from starlette.testclient import TestClient
from support import builders

from api.documents.render_pool import InProcessRenderer
from api.jobs.chunk_runner import WorkerContext, run_inline
from api.main import Service
from api.store.batches import batches
from scoring.catalogue import load_catalogue

CSV = {"Content-Type": "text/csv"}


def example(name: str = "widespread_pain") -> dict:
    """The answers of an example."""
    return json.loads((builders.EXAMPLES / f"{name}.json").read_text())["answers"]


def csv(*rows: dict) -> str:
    """A CSV file of answers."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)] + [",".join(_cell(row.get(name)) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def rows(count: int, **more: object) -> str:
    """A CSV file of so many good rows, numbered."""
    return csv(*({"row_id": f"r{n}", **example(), **more} for n in range(count)))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case []:
            return "none"
        case list():
            return "|".join(value)
    return str(value)


def send(client: TestClient, text: str | bytes, query: str = "", **headers: str) -> dict:
    """The batch that sending this made."""
    response = client.post(f"/v1/batches{query}", content=text, headers=CSV | headers)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == response.json()["links"]["self"]
    return response.json()


def bench_of(service: Service) -> WorkerContext:
    """Where the service's own batches are worked on, in this process."""
    return WorkerContext(
        service.state.store, service.state.settings, load_catalogue(), InProcessRenderer()
    )


def work(service: Service) -> None:
    """Do all that waits."""
    store = service.state.store
    with store.read_all_organisations() as session:
        waiting = batches.list_pending_batches(session)
    for each in waiting:
        run_inline(bench_of(service), each.organisation, each.id, range(each.chunks))
        with store.write_all_organisations() as session:
            batches.mark_enqueued(session, each, datetime.now(UTC))


def done(client: TestClient, text: str | bytes, query: str = "", **headers: str) -> dict:
    """A batch that was sent and worked on to its end."""
    made = send(client, text, query, **headers)
    work(client.app)
    return client.get(made["links"]["self"]).json()


def results(client: TestClient, batch: dict) -> pl.DataFrame:
    """The results, as a table."""
    response = client.get(batch["links"]["results"] + ".parquet")
    assert response.status_code == 200, response.text
    return pl.read_parquet(io.BytesIO(response.content))
