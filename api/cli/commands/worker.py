"""`nociscreen worker`: process batches beside other workers on a shared PostgreSQL database."""

import signal
import threading

import typer

from api.cli.context import fail, load_settings, open_configured_store


def worker() -> None:
    """Work on batches until stopped, beside any number of others. Needs PostgreSQL."""
    from api.documents.render_pool import Renderer
    from api.jobs.chunk_runner import Bench
    from api.jobs.housekeeping_thread import kept_up
    from api.jobs.worker import at_work
    from api.observability.structured_logging import configure
    from scoring.catalogue import catalogue

    configure()
    settings = load_settings()
    if settings.database_url is None:
        fail("workers share a PostgreSQL database: set DATABASE_URL (embedded, the service works)")
    if settings.job_threads == 0:
        fail("NOCISCREEN_JOB_THREADS: a worker needs one at least")
    stop_requested = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop_requested.set())
    with open_configured_store(settings) as store:
        renderer = Renderer(settings.render_workers, settings.render_queue, settings.render_seconds)
        worker_context = Bench(store, settings, catalogue(), renderer)
        with kept_up(store, settings), at_work(worker_context, at_once=True) as work:
            typer.echo(f"nociscreen works as {work.name if work else 'nobody'}")
            stop_requested.wait()
        renderer.close()
