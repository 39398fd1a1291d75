"""`nociscreen worker`: process batches together with other workers on PostgreSQL."""

import signal
import threading
from typing import Annotated

import typer

from api.cli.context import fail, load_settings, open_configured_store

SIGNAL_CHECK_SECONDS = 1.0


def worker(
    health_port: Annotated[
        int | None,
        typer.Option(
            "--health-port",
            min=0,
            max=65535,
            help="Answer /health/live, /health/ready and /metrics on this port.",
        ),
    ] = None,
    health_host: Annotated[
        str, typer.Option("--health-host", help="The address of the health port.")
    ] = "127.0.0.1",
) -> None:
    """Process batches and send notifications until stopped, with other workers.

    Needs PostgreSQL.
    """
    from contextlib import ExitStack

    from api.cli.notification_sending import running_notifications
    from api.cli.worker_health import running_health_server
    from api.documents.render_pool import RendererPool
    from api.jobs.chunk_runner import WorkerContext
    from api.jobs.housekeeping_thread import running_housekeeping
    from api.jobs.worker import running_worker
    from api.observability.structured_logging import configure_logging
    from scoring.catalogue import load_catalogue

    configure_logging()
    settings = load_settings()
    if settings.database_url is None:
        fail("workers need PostgreSQL: set DATABASE_URL (the embedded database needs none)")
    if settings.job_threads == 0:
        fail("NOCISCREEN_JOB_THREADS: must be at least 1")
    stop_requested = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop_requested.set())
    with open_configured_store(settings) as store:
        renderer = RendererPool(
            settings.render_workers, settings.render_queue, settings.render_seconds
        )
        worker_context = WorkerContext(store, settings, load_catalogue(), renderer)
        with ExitStack() as background:
            if health_port is not None:
                health = running_health_server(store, settings, health_host, health_port)
                background.enter_context(health)
            background.enter_context(running_housekeeping(store, settings))
            background.enter_context(running_notifications(store, settings))
            work = background.enter_context(running_worker(worker_context, start_engine=True))
            typer.echo(f"worker {work.name if work else ''} started")
            while not stop_requested.wait(SIGNAL_CHECK_SECONDS):
                pass  # a signal that comes just before a wait would not end it
        renderer.close()
