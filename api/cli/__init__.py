"""The command line: `nociscreen serve | worker | score | batch | rescore | admin | audit ...`.

Commands import heavy libraries inside their functions to keep `--help` fast.
"""

from typing import Annotated

import typer

from api.cli.administration import admin, audit, database, keys, links, mllp, withdrawals
from api.cli.commands import (
    batch,
    import_answers,
    map_file,
    openapi,
    report,
    rescore,
    rulebooks,
    score,
    serve,
    token,
    worker,
)
from api.cli.demo import commands as demo
from api.cli.doctor import command as doctor

_FORMER_NAMES = {
    "place": "allowed-host",
    "allow": "add",
    "disallow": "remove",
    "drop": "remove",
    "drop-secret": "revoke-secret",
    "follows": "send-corrections",
    "no-follows": "no-send-corrections",
    "closed": "inactive",
    "client-authority": "client-ca",
    "tls-authorities": "tls-ca",
    "map": "mapping",
    "to": "output-format",
}
"""Former names of commands and options; still accepted, no longer shown."""

main = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Screening for nociplastic pain: decision support for clinicians, never a diagnosis.",
    context_settings={"token_normalize_func": lambda name: _FORMER_NAMES.get(name, name)},
)


def _print_version(*, is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"nociscreen {version('nociscreen')}")
        raise typer.Exit


@main.callback()
def read_common_options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda is_asked: _print_version(is_asked=is_asked),
            help="Print the release and exit.",
        ),
    ] = False,
) -> None:
    """Screening for nociplastic pain: decision support for clinicians, never a diagnosis."""


main.command()(batch.batch)
main.command("import")(import_answers.import_answers)
main.command("import-sample")(import_answers.print_sample)
for _command in (
    worker.worker,
    mllp.mllp,
    mllp.deliver,
    database.migrate,
    database.backup,
    database.restore,
    database.upkeep,
    serve.serve,
    score.score,
    rescore.rescore,
    report.report,
    openapi.openapi,
    token.token,
    doctor.doctor,
):
    main.command()(_command)
main.add_typer(map_file.map_commands, name="map")
main.add_typer(rulebooks.commands, name="rulebook")
main.add_typer(admin.commands, name="admin")
main.add_typer(demo.commands, name="demo")
main.add_typer(audit.commands, name="audit")
main.add_typer(keys.commands, name="keys")
main.add_typer(links.commands, name="link")
main.add_typer(withdrawals.commands, name="withdrawals")
