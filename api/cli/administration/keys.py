"""`nociscreen keys`: rotate key-ring, data and signing keys without downtime."""

from typing import Annotated

import typer

from api.cli.context import (
    OrganisationId,
    build_operator,
    load_settings,
    open_configured_store,
    print_json,
    print_note,
    require_store,
)

commands = typer.Typer(no_args_is_help=True, help="Rotate keys while the service runs.")


@commands.command()
def new() -> None:
    """Print a new entry for the key ring. Put it first in the ring."""
    from api.store.key_ring import generate_entry

    typer.echo(generate_entry())


@commands.command("rotate-ring")
def rotate_ring() -> None:
    """Add a new first key to the key ring file and rewrap all keys with it.

    If the key ring comes from the environment, add the new first entry yourself on every machine,
    then run this command to rewrap all keys.
    """
    from api.store.accounts.organisations import OPERATOR_ACTOR
    from api.store.key_ring import prepend_new_key
    from api.store.keys import file_key
    from api.store.operations.key_rewrapping import rewrap_keys

    settings = load_settings()
    require_store(settings)
    if settings.key_ring is None and settings.key_ring_file.is_file():
        kid = prepend_new_key(settings.key_ring_file)
        print_note(f"key {kid} is now first in {settings.key_ring_file}")
    with open_configured_store(settings) as store:
        if store.database.is_embedded:
            files = [settings.database_file]
            if file_key.locate_key_file(settings.jobs_file).exists():
                files.append(settings.jobs_file)
            for file in files:
                key = file_key.load_file_key(file, store.key_ring)
                file_key.write_file_key(file, store.key_ring, key)
        with store.write_all_organisations() as session:
            count = rewrap_keys(session, store.key_ring)
            work = store.join_transaction(session, OPERATOR_ACTOR)
            work.audit("rotate", "ring_key", count=max(count, 1))
    print_note(
        f"{count} keys rewrapped. The database no longer needs the older keys of the ring. Older "
        "backups do: keep these keys as long as the backups"
    )


@commands.command("rotate-data")
def rotate_data(organisation: OrganisationId) -> None:
    """Re-encrypt an organisation's data with a new key, in small steps, while in use."""
    from api.store.operations import key_rotation

    with open_configured_store() as store:
        count = key_rotation.rotate_data_key(store, build_operator(organisation))
    print_note(f"{count} rows re-encrypted")


@commands.command("rotate-signing")
def rotate_signing(
    *,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="Retire the older keys now; all issued tokens become invalid."
        ),
    ] = False,
) -> None:
    """Create a new key to sign tokens. It is published before its first use."""
    from api.store.accounts.organisations import OPERATOR_ACTOR
    from api.store.keys import signing_keys

    settings = load_settings()
    with open_configured_store(settings) as store, store.write_all_organisations() as session:
        key = signing_keys.add_signing_key(
            session, store.key_ring, settings.token_algorithm, at_once=at_once
        )
        store.join_transaction(session, OPERATOR_ACTOR).audit("rotate", "signing_key")
        print_json(key.to_public_jwk())
