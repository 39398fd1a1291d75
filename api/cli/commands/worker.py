"""The command `nociscreen worker`: share the work on batches with other processes and machines."""

import signal
import threading

import typer

from api.cli.context import fail, opened, settings


def worker() -> None:
    """Work on batches until stopped, beside any number of others. Needs PostgreSQL."""
    from api.documents.render_pool import Renderer
    from api.jobs.chunk_runner import Bench
    from api.jobs.housekeeping_thread import kept_up
    from api.jobs.worker import at_work
    from api.observability.structured_logging import configure
    from scoring.catalogue import catalogue

    configure()
    chosen = settings()
    if chosen.database_url is None:
        fail("workers share a PostgreSQL database: set DATABASE_URL (embedded, the service works)")
    if chosen.job_threads == 0:
        fail("NOCISCREEN_JOB_THREADS: a worker needs one at least")
    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopped.set())
    with opened(chosen) as store:
        renderer = Renderer(chosen.render_workers, chosen.render_queue, chosen.render_seconds)
        bench = Bench(store, chosen, catalogue(), renderer)
        with kept_up(store, chosen), at_work(bench, at_once=True) as work:
            typer.echo(f"nociscreen works as {work.name if work else 'nobody'}")
            stopped.wait()
        renderer.close()
