"""The command line: `nociscreen serve | worker | score | batch | report | admin | audit ...`.

Heavy parts are imported where they are used, so that `--help` answers at once.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.cli.administration import admin, audit, keys, links, mllp
from api.cli.administration import database as administration_database
from api.cli.commands import batch, import_csv, worker
from api.cli.context import fail, note, opened, operator, settings, told

if TYPE_CHECKING:
    from reports.formats import Kind
    from schemas.assessment import Assessment

main = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Screening for nociplastic pain: decision support for clinicians, never a diagnosis.",
)
rulebook_commands = typer.Typer(no_args_is_help=True, help="Check and release rulebooks.")
main.add_typer(rulebook_commands, name="rulebook")
main.add_typer(admin.commands, name="admin")
main.add_typer(audit.commands, name="audit")
main.add_typer(keys.commands, name="keys")
main.command()(batch.batch)
main.add_typer(links.commands, name="link")
main.command("import")(import_csv.import_)
main.command("import-sample")(import_csv.import_sample)
for command in (
    worker.worker,
    mllp.mllp,
    mllp.deliver,
    administration_database.migrate,
    administration_database.backup,
    administration_database.restore,
    administration_database.upkeep,
):
    main.command()(command)

IntakeFile = Annotated[
    str, typer.Argument(help="A request body or a flat object of answers; - reads standard input.")
]
Name = Annotated[
    str, typer.Option("--rulebook", help="For a flat object: the rulebook it answers.")
]
RulebookFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@main.command()
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
    chosen = settings()
    try:
        sockets = bound(host, port)
    except OSError as error:
        fail(f"cannot listen on {host}, port {port}: {error.strerror}; choose another by --port")
    if "public_url" not in chosen.model_fields_set:
        chosen = chosen.model_copy(update={"public_url": address_of(host, sockets[0])})
    with opened(chosen) as store:
        if store.database.embedded and first_client(store, chosen.first_client_file):
            note(f"made a first organisation; its client is in {chosen.first_client_file}")
        app = create_app(chosen, store=store)
        bench = Bench(store, chosen, app.state.catalogue, app.state.renderer)
        gc.freeze()
        house = House(app.state.catalogue, app.state.renderer, Base(chosen.public_url))
        delivering = (
            sending(Sender(store, chosen, house), chosen.delivery_workers)
            if chosen.deliver
            else nullcontext()
        )
        with kept_up(store, chosen), at_work(bench), delivering:
            Server(
                config(app, chosen, host, port),
                lambda listening: typer.echo(f"nociscreen listens on http://{host}:{listening}"),
            ).run(sockets)


@main.command()
def score(
    intake: IntakeFile,
    rulebook: Name = "nociplastic",
    *,
    table: Annotated[
        bool, typer.Option("--table", help="For people: a table instead of JSON.")
    ] = False,
) -> None:
    """Score one intake and print the assessment as JSON."""
    assessment = _assessed(_read(intake, rulebook))
    if table:
        from api.cli.assessment_table import print_assessment

        print_assessment(assessment)
    else:
        typer.echo(assessment.model_dump_json(by_alias=True, indent=2))


@main.command()
def report(
    intake: IntakeFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it.")],
    rulebook: Name = "nociplastic",
    document: Annotated[
        Literal["clinician", "patient"], typer.Option(help="`patient` for the patient's sheet.")
    ] = "clinician",
    locale: Annotated[str, typer.Option(help="The language: en, de or es.")] = "en",
) -> None:
    """Score one intake and write its report: .pdf, .html, .rtf, .txt or .xml, as the file ends."""
    from api.documents.document_builder import Printed, paper_of_intake
    from api.documents.render_pool import Here
    from api.documents.request import Chosen
    from api.http.content_negotiation import by_suffix
    from api.problems import Problem
    from reports.phrases import languages
    from reports.view.heading import Letterhead
    from scoring.catalogue import catalogue

    if locale not in languages():
        fail(f"--locale is one of {', '.join(languages())}")
    try:
        kind: Kind = "patient" if document == "patient" else "clinician"
        chosen = Chosen(by_suffix(out.suffix), kind, locale)
    except Problem:
        fail("the report's name must end with .pdf, .html, .rtf, .txt or .xml")
    read, own = _read(intake, rulebook), settings()
    printed = Printed(Letterhead(name=own.organisation), own.test_organisation)
    made = paper_of_intake(catalogue(), printed, Here(), read, chosen)
    try:
        out.write_bytes(made.content)
    except OSError as error:
        fail(f"the report cannot be written: {error.strerror}")


@main.command()
def openapi(
    folder: Annotated[Path, typer.Option(help="Where openapi.json and examples/ go.")] = Path(
        "openapi"
    ),
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where they differ.")
    ] = False,
) -> None:
    """Write the API's description and its examples."""
    from api.cli.openapi_export import differing, write

    if check:
        different = differing(folder)
        for name in different:
            typer.echo(f"{name} is not what the code says; run `nociscreen openapi`", err=True)
        raise typer.Exit(1 if different else 0)
    write(folder)


@main.command()
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
    from api.cli.bootstrap import first_client, the_first
    from api.security.access_tokens import AccessTokens
    from api.store.accounts import callers

    chosen = settings()
    with opened(chosen) as store:
        if store.database.embedded:
            first_client(store, chosen.first_client_file)
        caller = callers.known(store, client or the_first(chosen.first_client_file) or "")
        if caller is None:
            fail("there is no such client, or it is shut out; name one by --client")
        tokens = AccessTokens(chosen.issuer, chosen.audience, store.signing.find)
        with store.transaction(operator(caller.organisation)) as work:
            work.audit("sign_in", "client", caller.client)
        try:
            text = tokens.sign(
                store.signing.current(),
                client=caller.client,
                organisation=caller.organisation,
                scopes=scope or caller.scopes,
                life_seconds=minutes * 60,
            )
        except ValueError as error:
            fail(str(error))
        typer.echo(text)


@rulebook_commands.command()
def check(file: RulebookFile) -> None:
    """Check one rulebook file and print everything that is wrong with it."""
    from scoring.catalogue import RulebookError, read

    try:
        loaded = read(file)
    except RulebookError as error:
        fail(str(error))
    typer.echo(f"{loaded.name} holds together. SHA-256 {loaded.sha256}")


@rulebook_commands.command()
def release(
    file: RulebookFile,
    approver: Annotated[str, typer.Option(help="Who approved it, as it will be published.")],
    on: Annotated[
        str | None, typer.Option(help="The day, YYYY-MM-DD; today where left out.")
    ] = None,
) -> None:
    """Enter a rulebook into the index, active, by the hash of its bytes."""
    from scoring.catalogue import RulebookError
    from scoring.catalogue import release as enter

    try:
        day = date.fromisoformat(on) if on else datetime.now(UTC).date()
        entry = enter(file, approver, day)
    except (RulebookError, ValueError) as error:
        fail(str(error))
    typer.echo(f"{entry.name} is active from {entry.released_on}. SHA-256 {entry.sha256}")


def _read(file: str, rulebook: str) -> Any:
    """The intake in the file; with a problem on standard error and exit 2 where it is not one."""
    from api.intakes.reader import read_intake
    from api.problems import Problem
    from scoring.catalogue import catalogue

    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"the file cannot be read: {error.strerror}")
    try:
        return read_intake(text, rulebook, catalogue())
    except Problem as problem:
        fail(told(problem))


def _assessed(intake: Any) -> "Assessment":
    from scoring.catalogue import catalogue
    from scoring.engine import assess

    answers = intake.answers.model_dump(exclude_none=True)
    return assess(catalogue().active(intake.rulebook), answers, attested=intake.attested)


if __name__ == "__main__":
    main()
