"""`nociscreen mllp` listens for HL7 patient merges; `nociscreen deliver` sends due deliveries."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import build_operator, fail, load_settings, open_configured_store, print_json

if TYPE_CHECKING:
    import ssl


def mllp(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    organisation: Annotated[str, typer.Option(help="Whose patients are merged.")],
    authority: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SYSTEM: the system that an assigning authority numbers for."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 2575,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, help="Our certificate and key in PEM: TLS.")
    ] = None,
    client_authority: Annotated[
        Path | None, typer.Option(exists=True, help="Who must have signed whoever connects.")
    ] = None,
) -> None:
    """Listen for HL7 v2 ADT^A40 and merge patients, until stopped."""
    from api.deliveries.adt_listener import AdtContext, AdtListener
    from api.observability.structured_logging import configure_logging
    from api.store.accounts import organisations

    if certificate is None and host not in ("127.0.0.1", "::1", "localhost"):
        fail("without --certificate only loopback is listened on: patients' numbers are in clear")
    systems = dict(pair.partition("=")[::2] for pair in authority or ())
    if not all(systems.values()):
        fail("--authority is NAME=SYSTEM, such as HOSP1=urn:oid:1.2.3")
    configure_logging()
    with open_configured_store() as store:
        with store.read_all_organisations() as session:
            if organisation not in {row.id for row in organisations.list_organisations(session)}:
                fail("there is no such organisation")
        actor = build_operator(organisation)._replace(route="mllp")
        tls = _build_tls_context(certificate, client_authority)
        with AdtListener((host, port), AdtContext(store, actor, systems), tls) as listener:
            typer.echo(f"nociscreen listens on mllp{'s' if tls else ''}://{host}:{listener.port}")
            listener.serve_forever()


def deliver() -> None:
    """Send whatever is due, once, and say how many tries it were."""
    from api.deliveries.compose_request import ComposeContext
    from api.deliveries.sender import DeliverySender
    from api.documents.render_pool import InProcessRenderer
    from api.fhir.elements import CanonicalUrls
    from api.observability.structured_logging import configure_logging
    from scoring.catalogue import load_catalogue

    configure_logging()
    settings = load_settings()
    with open_configured_store(settings) as store:
        compose_context = ComposeContext(
            load_catalogue(), InProcessRenderer(), CanonicalUrls(settings.public_url)
        )
        print_json({"tries": DeliverySender(store, settings, compose_context).send_all()})


def _build_tls_context(
    certificate: Path | None, client_authority: Path | None
) -> "ssl.SSLContext | None":
    import ssl

    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate)
        if client_authority is not None:
            context.load_verify_locations(client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError):
        fail("the certificate, its key or the client authority cannot be read as PEM")
    return context
