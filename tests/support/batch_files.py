"""Batches in tests: files of rows, sent, and run in the calling thread as a worker would."""

import io
import json
from datetime import UTC, datetime

import polars as pl
from starlette.testclient import TestClient
from support import builders

from api.documents.render_pool import InProcessRenderer
from api.jobs.chunk_runner import WorkerContext, run_inline
from api.main import Service
from api.store.batches import pending_batches

CSV = {"Content-Type": "text/csv"}


def example(name: str = "core_form") -> dict:
    """The answers of an example."""
    return json.loads((builders.EXAMPLES / f"{name}.json").read_text())["answers"]


def csv(*rows: dict) -> str:
    """A CSV file of answers."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)] + [",".join(_cell(row.get(name)) for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def rows(count: int, **more: object) -> str:
    """A CSV file of `count` good rows, numbered."""
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
    """Send a batch and return it."""
    response = client.post(f"/v1/batches{query}", content=text, headers=CSV | headers)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == response.json()["links"]["self"]
    return response.json()


def build_worker_context(service: Service) -> WorkerContext:
    """Return what running the service's own batches in this process needs."""
    return WorkerContext(
        service.services.store,
        service.services.settings,
        service.services.catalogue,
        InProcessRenderer(),
    )


def work(service: Service) -> None:
    """Run every pending batch."""
    store = service.services.store
    with store.read_all_organisations() as session:
        waiting = pending_batches.list_pending_batches(session)
    for batch in waiting:
        run_inline(build_worker_context(service), batch.organisation, batch.id, range(batch.chunks))
        with store.write_all_organisations() as session:
            pending_batches.mark_enqueued(session, batch, datetime.now(UTC))


def complete_batch(client: TestClient, text: str | bytes, query: str = "", **headers: str) -> dict:
    """Send a batch, run it to its end, and return it."""
    batch = send(client, text, query, **headers)
    work(client.app)
    return client.get(batch["links"]["self"]).json()


def results(client: TestClient, batch: dict) -> pl.DataFrame:
    """The results, as a table."""
    response = client.get(batch["links"]["results"] + ".parquet")
    assert response.status_code == 200, response.text
    return pl.read_parquet(io.BytesIO(response.content))
