"""`nociscreen token`: sign an access token for a client."""

from typing import Annotated

import typer

from api.cli.context import build_operator, fail, load_settings, open_configured_store


def token(
    client: Annotated[
        str | None, typer.Option(help="The id of a client; the first one where left out.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do; all the client may.")
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, max=15, help="How long it lives.")] = 5,
) -> None:
    """Print an access token for a client. Embedded, a first client is made where there is none."""
    from api.cli.bootstrap import create_first_client, read_first_client_id
    from api.security.access_tokens import AccessTokens
    from api.store.accounts import callers

    settings = load_settings()
    with open_configured_store(settings) as store:
        if store.database.is_embedded:
            create_first_client(store, settings.first_client_file)
        caller = callers.look_up_client(
            store, client or read_first_client_id(settings.first_client_file) or ""
        )
        if caller is None:
            fail("there is no such client, or it is shut out; name one by --client")
        tokens = AccessTokens(
            settings.issuer, settings.audience, store.signing_keys.look_up_trusted_key
        )
        with store.transaction(build_operator(caller.organisation)) as work:
            work.audit("sign_in", "client", caller.client)
        try:
            text = tokens.issue(
                store.signing_keys.find_current_key(),
                client=caller.client,
                organisation=caller.organisation,
                scopes=scope or caller.scopes,
                lifetime_seconds=minutes * 60,
            )
        except ValueError as error:
            fail(str(error))
        typer.echo(text)
