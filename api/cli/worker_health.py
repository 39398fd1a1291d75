"""The health port of a worker: liveness, readiness and metrics."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from api.cli.context import fail_to_listen

if TYPE_CHECKING:
    from api.settings import Settings
    from api.store.store import Store

START_SECONDS = 10.0
_JSON = b"application/json"
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def running_health_server(
    store: "Store", settings: "Settings", host: str, port: int
) -> Iterator[None]:
    """Answer `/health/live`, `/health/ready` and `/metrics` until the block ends."""
    import uvicorn

    from api.http.server import HttpServer, bind_sockets
    from api.store.operations.backlog import read_backlog

    store.metrics.track_backlog(lambda: read_backlog(store, settings.worker_timeout_seconds))
    try:
        sockets = bind_sockets(host, port)
    except OSError as error:
        fail_to_listen(error, host, port, "choose another by --health-port")
    config = uvicorn.Config(_build_app(store), lifespan="off", log_config=None, access_log=False)
    listens = threading.Event()
    server = HttpServer(config, lambda _: listens.set())
    thread = threading.Thread(target=server.run, args=(sockets,), name="health", daemon=True)
    thread.start()
    listens.wait(START_SECONDS)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _build_app(store: "Store") -> Any:
    """Return the ASGI application of the port."""
    import json

    from starlette.concurrency import run_in_threadpool

    from api.store.operations.readiness import list_store_faults

    def answer(path: str) -> tuple[int, bytes, bytes]:
        match path:
            case "/health/live":
                return 200, _JSON, b'{"status":"ok"}'
            case "/health/ready":
                faults = dict(list_store_faults(store))
                body = {"status": "unavailable", "faults": faults} if faults else {"status": "ok"}
                return (503 if faults else 200), _JSON, json.dumps(body).encode()
            case "/metrics":
                return 200, _TEXT, store.metrics.render()
        return 404, _JSON, b'{"status":"not found"}'

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        status, media_type, body = await run_in_threadpool(answer, scope["path"])
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
