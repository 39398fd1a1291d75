"""`nociscreen serve`: run the API server with its background workers."""

from typing import Annotated

import typer

from api.cli.context import fail, load_settings, open_configured_store, print_note


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8000,
) -> None:
    """Serve the API until stopped. Settings come from NOCISCREEN_... variables."""
    import gc
    from contextlib import nullcontext

    from api.cli.bootstrap import first_client
    from api.deliveries.compose_request import House
    from api.deliveries.sender import Sender, sending
    from api.fhir.elements import Base
    from api.http.server import Server, address_of, bound, config
    from api.jobs.chunk_runner import Bench
    from api.jobs.housekeeping_thread import kept_up
    from api.jobs.worker import at_work
    from api.main import create_app
    from api.observability.structured_logging import configure

    configure()
    settings = load_settings()
    try:
        sockets = bound(host, port)
    except OSError as error:
        fail(f"cannot listen on {host}, port {port}: {error.strerror}; choose another by --port")
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address_of(host, sockets[0])})
    with open_configured_store(settings) as store:
        if store.database.embedded and first_client(store, settings.first_client_file):
            print_note(f"made a first organisation; its client is in {settings.first_client_file}")
        app = create_app(settings, store=store)
        worker_context = Bench(store, settings, app.state.catalogue, app.state.renderer)
        gc.freeze()
        compose_context = House(app.state.catalogue, app.state.renderer, Base(settings.public_url))
        sender = (
            sending(Sender(store, settings, compose_context), settings.delivery_workers)
            if settings.deliver
            else nullcontext()
        )
        with kept_up(store, settings), at_work(worker_context), sender:
            Server(
                config(app, settings, host, port),
                lambda port_in_use: typer.echo(
                    f"nociscreen listens on http://{host}:{port_in_use}"
                ),
            ).run(sockets)
