"""`nociscreen token`: sign an access token for a client."""

from typing import Annotated

import typer

from api.cli.context import build_operator, fail, load_settings, open_configured_store


def token(
    client: Annotated[
        str | None, typer.Option(help="The id of the client; default: the first client.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="The token's scopes; default: all of the client's."),
    ] = None,
    minutes: Annotated[int, typer.Option(min=1, max=15, help="Validity in minutes.")] = 5,
) -> None:
    """Print an access token for a client. With the embedded database, creates the first client."""
    from api.cli.bootstrap import create_first_client, read_first_client_id
    from api.security.tokens.access_tokens import AccessTokens
    from api.store.accounts import callers

    settings = load_settings()
    with open_configured_store(settings) as store:
        if store.database.is_embedded:
            create_first_client(store, settings.first_client_file)
        caller = callers.look_up_client(
            store, client or read_first_client_id(settings.first_client_file) or ""
        )
        if caller is None:
            fail("no active client with this id; specify one with --client")
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
