"""`nociscreen serve`: run the API server with its background workers."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import (
    fail,
    fail_to_listen,
    load_settings,
    open_configured_store,
    print_note,
)

if TYPE_CHECKING:
    from api.http.server import Listeners
    from api.settings import Settings
    from api.store.store import Store


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 selects a free port.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Server processes on this port. Needs PostgreSQL.")
    ] = 1,
    place: Annotated[str | None, typer.Option("--worker", hidden=True)] = None,
) -> None:
    """Serve the API until stopped. Settings come from NOCISCREEN_... variables."""
    from api.http.server import bind_sockets

    settings = load_settings()
    if place is not None:
        _serve_as_worker(settings, host, place)
        return
    if workers > 1 and settings.database_url is None:
        fail(
            "--workers needs PostgreSQL: set DATABASE_URL. The embedded database has one writer "
            "at a time, so that more processes would only wait for each other"
        )
    try:
        sockets = bind_sockets(host, port)
    except OSError as error:
        advice = "choose another, such as `nociscreen serve --port 8080` or `PORT=8080 make serve`"
        fail_to_listen(error, host, port, advice)
    if workers == 1:
        _serve(settings, host, sockets, 0)
        return
    from api.processes.server_workers import run_server_workers

    with open_configured_store(settings, may_be_unsettled=True, may_create=True):
        pass  # the database is created or upgraded once, and its faults end the command
    arguments = ["serve", "--host", host, "--port", str(port)]
    run_server_workers(arguments, [listener.fileno() for listener in sockets], workers)


def _serve_as_worker(settings: "Settings", host: str, place: str) -> None:
    """Serve on the sockets of the parent process until it stops this one, or ends."""
    from api.http.server import adopt_sockets
    from api.processes.server_workers import WorkerPlace

    try:
        worker = WorkerPlace.parse(place)
        sockets = adopt_sockets(worker.sockets)
    except (ValueError, OSError):
        fail("--worker: only `nociscreen serve --workers` starts a worker")
    worker.watch_parent()
    _serve(settings, host, sockets, worker.number)


def _serve(settings: "Settings", host: str, sockets: "Listeners", number: int) -> None:
    """Serve; the first process of a server warns, greets and has the background duties."""
    import gc
    from contextlib import ExitStack

    gc.disable()  # until what a start creates is frozen below: it would be searched many times
    from api.cli.bootstrap import create_first_client
    from api.cli.deployment_warnings import list_deployment_warnings
    from api.cli.notification_sending import running_notifications
    from api.deliveries.compose_request import ComposeContext
    from api.deliveries.sender import DeliverySender
    from api.deliveries.sender_threads import running_sender
    from api.fhir.elements import build_canonical_urls
    from api.http.server import HttpServer, build_base_url, build_server_config
    from api.jobs.chunk_runner import WorkerContext
    from api.jobs.housekeeping_thread import running_housekeeping
    from api.jobs.worker import running_worker
    from api.main import create_app
    from api.observability.structured_logging import configure_logging
    from api.store.database.engine import find_bypassing_role

    configure_logging()
    is_first = number == 0
    for warning in list_deployment_warnings(settings, host) if is_first else ():
        print_note(f"unsafe: {warning}")
    local_url = build_base_url(host, sockets[0])
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": local_url})
    with open_configured_store(settings, may_be_unsettled=True, may_create=True) as store:
        if is_first and (bypassing_role := find_bypassing_role(store.database)):
            print_note(f"unsafe: {bypassing_role}")
        is_open = store.ledger_fault is None
        if (
            is_open
            and store.database.is_embedded
            and create_first_client(store, settings.first_client_file)
        ):
            print_note(
                "created the first organisation; its client credentials are in "
                f"{settings.first_client_file}"
            )
        app = create_app(settings, store=store)
        catalogue, renderer = app.services.catalogue, app.services.renderer
        worker_context = WorkerContext(store, settings, catalogue, renderer)
        gc.freeze()
        gc.enable()
        urls = build_canonical_urls(settings.public_url, store.canonical_bases)
        sender = DeliverySender(store, settings, ComposeContext(catalogue, renderer, urls))
        port = sockets[0].getsockname()[1]
        config = build_server_config(app, settings, store.metrics, host, port)
        with ExitStack() as background:
            background.enter_context(store.metrics.running_updates())
            if is_open and is_first:
                background.enter_context(running_housekeeping(store, settings))
                background.enter_context(running_worker(worker_context))
                if settings.delivery_enabled:
                    background.enter_context(running_sender(sender, settings.delivery_workers))
                background.enter_context(running_notifications(store, settings))
            greeting = f"nociscreen listens on {local_url}\n{_describe_login(store, settings)}"
            HttpServer(config, lambda _: typer.echo(greeting) if is_first else None).run(sockets)


def _describe_login(store: "Store", settings: "Settings") -> str:
    """Return where to sign in, on a new database where to choose a login, or what is unsettled."""
    from api.cli.bootstrap import create_first_invitation
    from api.store.operations.withdrawals import FAULT_TEXT

    if store.ledger_fault:
        return f"It serves nothing: {FAULT_TEXT[store.ledger_fault]}; then start it again"
    invitation_url = (
        create_first_invitation(store, settings) if store.database.is_embedded else None
    )
    if invitation_url:
        return f"To sign in for the first time, open {invitation_url}"
    return f"Sign in at {settings.public_url}/sign-in"
