"""`nociscreen mllp` listens for HL7 messages; `nociscreen deliver` sends due deliveries."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.context import (
    build_operator,
    fail,
    fail_to_listen,
    load_settings,
    open_configured_store,
    print_json,
)


def mllp(  # noqa: PLR0913, PLR0917 - Typer passes each option as a parameter
    organisation: Annotated[str, typer.Option(help="The organisation that receives the messages.")],
    authority: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SYSTEM: maps an assigning authority to its identifier system."),
    ] = None,
    unnamed_authority: Annotated[
        str | None,
        typer.Option(
            help="The identifier system of numbers that name no authority. Without this option "
            "they are refused."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 selects a free port.")
    ] = 2575,
    certificate: Annotated[
        Path | None,
        typer.Option(exists=True, help="Server certificate and key (PEM); enables TLS."),
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="CA that must have issued client certificates; required beyond loopback.",
        ),
    ] = None,
) -> None:
    """Listen for HL7 v2 messages: merge patients and carry out the rules, until stopped."""
    from api.inbound.adt_listener import AdtListener, build_tls_context
    from api.inbound.messages import AdtContext
    from api.inbound.rule_actions import RuleContext
    from api.notifications.mediums import list_mediums
    from api.observability.structured_logging import configure_logging
    from api.store.accounts import organisations
    from api.store.operations.denied_requests import DeniedRequestLog
    from scoring.catalogue import load_catalogue

    if host not in ("127.0.0.1", "::1", "localhost"):
        if certificate is None:
            fail(
                "--certificate is required unless --host is a loopback address: patient "
                "identifiers would be sent unencrypted"
            )
        if client_ca is None:
            fail(
                "--client-ca is required unless --host is a loopback address: anyone on the "
                "network could merge patients"
            )
    systems = dict(pair.partition("=")[::2] for pair in authority or ())
    if not all(systems.values()) or "" in systems:
        fail("--authority: expected NAME=SYSTEM, such as HOSP1=urn:oid:1.2.3")
    if unnamed_authority is not None:
        systems[""] = unnamed_authority
    settings = load_settings()
    with open_configured_store(settings) as store:
        with store.read_all_organisations() as session:
            if organisation not in {row.id for row in organisations.list_organisations(session)}:
                fail("no organisation with this id")
        actor = build_operator(organisation)._replace(route="mllp")
        try:
            tls = build_tls_context(certificate, client_ca) if certificate else None
        except (OSError, ValueError):
            fail("the certificate, its key or the client CA cannot be read as PEM")
        rules = RuleContext(load_catalogue(), settings.public_url, list_mediums(settings))
        context = AdtContext(store, actor, systems, DeniedRequestLog(store), rules)
        try:
            adt_listener = AdtListener((host, port), context, tls)
        except OSError as error:
            fail_to_listen(error, host, port, "choose another by --port")
        configure_logging()
        with adt_listener as listener:
            typer.echo(f"nociscreen listens on mllp{'s' if tls else ''}://{host}:{listener.port}")
            listener.serve_forever()


def deliver() -> None:
    """Send all due deliveries once and print the number of attempts."""
    from api.deliveries.compose_request import ComposeContext
    from api.deliveries.sender import DeliverySender
    from api.deliveries.sender_threads import send_due_deliveries
    from api.documents.render_pool import InProcessRenderer
    from api.fhir.elements import build_canonical_urls
    from api.observability.structured_logging import configure_logging
    from scoring.catalogue import load_catalogue

    configure_logging()
    settings = load_settings()
    with open_configured_store(settings) as store:
        urls = build_canonical_urls(settings.public_url, store.canonical_bases)
        compose_context = ComposeContext(load_catalogue(), InProcessRenderer(), urls)
        sender = DeliverySender(store, settings, compose_context)
        print_json({"tries": send_due_deliveries(sender, settings.delivery_workers)})
