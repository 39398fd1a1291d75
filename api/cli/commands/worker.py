"""`nociscreen worker`: process batches together with other workers on PostgreSQL."""

import signal
import threading

import typer

from api.cli.context import fail, load_settings, open_configured_store

SIGNAL_CHECK_SECONDS = 1.0


def worker() -> None:
    """Process batches and send notifications until stopped, with other workers.

    Needs PostgreSQL.
    """
    from api.cli.notification_sending import running_notifications
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
        with (
            running_housekeeping(store, settings),
            running_notifications(store, settings),
            running_worker(worker_context, start_engine=True) as work,
        ):
            typer.echo(f"worker {work.name if work else ''} started")
            while not stop_requested.wait(SIGNAL_CHECK_SECONDS):
                pass  # a signal that comes just before a wait would not end it
        renderer.close()
