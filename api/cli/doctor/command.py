"""`nociscreen doctor`: one line for each thing that a deployment needs."""

from typing import Annotated

import typer

from api.cli.context import load_settings


def doctor(
    host: Annotated[str, typer.Option(help="The address that `serve` listens on.")] = "127.0.0.1",
) -> None:
    """Examine the deployment and print one line for each thing: ok, warning or failed.

    Connects to the database, the mail server and the destinations; creates and sends nothing. Exit
    status: 0 all is ok, 1 there are warnings, 2 something failed.
    """
    from api.cli.doctor import installation, network, records
    from api.cli.doctor.check_result import EXIT_STATUS
    from api.observability.structured_logging import suppress_logging

    settings = load_settings()
    status = 0
    with suppress_logging():
        for check in (
            installation.check_settings,
            installation.check_key_ring,
            records.check_records,
            installation.check_disks,
            installation.check_report,
            network.check_mail_server,
        ):
            for result in check(settings):
                typer.echo(result.format_line())
                status = max(status, EXIT_STATUS[result.state])
        for result in network.check_address(settings, host):
            typer.echo(result.format_line())
            status = max(status, EXIT_STATUS[result.state])
    raise typer.Exit(status)
