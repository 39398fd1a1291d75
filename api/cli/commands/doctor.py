"""`nociscreen doctor`: check a deployment and say what to do about each fault."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from api.cli.context import load_settings

if TYPE_CHECKING:
    from api.settings import Settings
    from api.store.store import Store

MIN_FREE_BYTES = 1 << 30
MAX_CLOCK_DIFFERENCE_SECONDS = 2.0
MAX_REPORT_BYTES = 49_000
CONNECT_SECONDS = 5.0
FAULTY = 1


class CheckResult(NamedTuple):
    """The result of one check, and what to do if it is not `ok`."""

    check: str
    state: Literal["ok", "warning", "fault"]
    text: str


def doctor(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Leave out the mail server and the allowed hosts.")
    ] = False,
) -> None:
    """Check settings, database, keys, clock, disk, reports, mail and allowed hosts.

    Changes nothing. Exit status 1 if anything is at fault.
    """
    settings = load_settings()
    is_faulty = False
    for check_result in _run_checks(settings, is_online=not offline):
        typer.echo(f"{check_result.state:8}{check_result.check}: {check_result.text}")
        is_faulty = is_faulty or check_result.state == "fault"
    raise typer.Exit(FAULTY if is_faulty else 0)


def _run_checks(settings: "Settings", *, is_online: bool) -> Iterator[CheckResult]:
    yield from _check_deployment(settings)
    yield from _check_store(settings, is_online=is_online)
    yield _check_disk(settings)
    yield _check_reports()
    if is_online:
        yield _check_mail(settings)


def _check_deployment(settings: "Settings") -> Iterator[CheckResult]:
    from api.cli.deployment_warnings import list_deployment_warnings

    warnings = list(list_deployment_warnings(settings, "127.0.0.1"))
    for warning in warnings:
        yield CheckResult("settings", "warning", warning)
    if not warnings:
        yield CheckResult("settings", "ok", f"clients use {settings.public_url}")


def _check_store(settings: "Settings", *, is_online: bool) -> Iterator[CheckResult]:
    from api.observability.structured_logging import suppress_logging
    from api.store.database.engine import DatabaseError
    from api.store.key_ring import KeyRingError
    from api.store.operations.readiness import list_store_faults
    from api.store.operations.startup import open_store

    try:
        with suppress_logging():
            store = open_store(settings, may_be_unsettled=True, may_create=False)
    except (DatabaseError, KeyRingError) as error:
        yield CheckResult("database", "fault", str(error))
        return
    try:
        faults = dict(list_store_faults(store))
        for code, text in faults.items():
            yield CheckResult(code, "fault", text)
        if not faults:
            kind = "embedded" if store.database.is_embedded else "PostgreSQL"
            yield CheckResult("database", "ok", f"{kind}, its schema and keys are complete")
        yield _check_clock(store)
        if is_online:
            yield from _check_allowed_hosts(store)
    finally:
        store.close()


def _check_clock(store: "Store") -> CheckResult:
    """Compare with the clock of the database server; the embedded database has none."""
    from api.store.operations.readiness import measure_clock_difference

    if store.database.is_embedded:
        return CheckResult("clock", "ok", "one process has one clock")
    seconds = measure_clock_difference(store)
    if seconds > MAX_CLOCK_DIFFERENCE_SECONDS:
        text = f"differs from the database server's by {seconds:.0f} s: synchronise both by NTP"
        return CheckResult("clock", "fault", text)
    return CheckResult("clock", "ok", "agrees with the database server's")


def _check_disk(settings: "Settings") -> CheckResult:
    import shutil

    folder = settings.database_file.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB are free at {folder}"
    if free < MIN_FREE_BYTES:
        return CheckResult("disk", "warning", f"{text}: make room before writes are refused")
    return CheckResult("disk", "ok", text)


def _check_reports() -> CheckResult:
    """Render a report: it needs Pango, the fonts of the package and HarfBuzz-Subset."""
    from importlib.resources import files

    from api.documents.document_builder import PrintSettings, render_intake
    from api.documents.render_pool import InProcessRenderer
    from api.documents.request import DocumentRequest
    from api.intakes.reader import read_intake
    from reports.view.heading import Letterhead
    from scoring.catalogue import load_catalogue

    example = files("api.contract").joinpath("examples", "core_form.json").read_bytes()
    catalogue = load_catalogue()
    try:
        document = render_intake(
            catalogue,
            PrintSettings(Letterhead(name="nociscreen doctor"), test=True),
            InProcessRenderer(),
            read_intake(example, "nociplastic", catalogue),
            DocumentRequest("pdf"),
        )
    except OSError as error:
        advice = "install libpango-1.0-0 and libpangoft2-1.0-0"
        return CheckResult("reports", "fault", f"no report can be rendered: {advice} ({error})")
    size = len(document.content)
    if size > MAX_REPORT_BYTES:
        advice = "install libharfbuzz-subset0, which makes reports small and fast"
        return CheckResult("reports", "warning", f"a report has {size} bytes: {advice}")
    return CheckResult("reports", "ok", f"a report has {size} bytes")


def _check_mail(settings: "Settings") -> CheckResult:
    from api.notifications.mail import build_mail_transport
    from api.outbound.allowlist import TargetUrl
    from api.outbound.connection import open_connection
    from api.outbound.errors import OutboundError

    try:
        transport = build_mail_transport(settings)
        if transport is None:
            return CheckResult("mail", "ok", "no mail server is set (NOCISCREEN_SMTP_HOST)")
        scheme = "smtps" if transport.server.tls == "tls" else "smtp"
        target = TargetUrl(scheme, transport.server.host_port, "/")
        policy = transport.policy._replace(deadline_seconds=CONNECT_SECONDS)
        with open_connection(target, policy) as connection, connection.translate_errors():
            greeting = connection.receive()
    except OSError as error:
        return CheckResult("mail", "fault", f"NOCISCREEN_SMTP_CA_FILE: {error.strerror}")
    except OutboundError as error:
        advice = "check NOCISCREEN_SMTP_HOST, NOCISCREEN_SMTP_PORT and NOCISCREEN_SMTP_TLS"
        return CheckResult("mail", "fault", f"the mail server does not answer ({error}): {advice}")
    if not greeting.startswith(b"220"):
        return CheckResult(
            "mail", "fault", "the mail server refuses to talk: ask its administrator"
        )
    return CheckResult("mail", "ok", "the mail server answers")


def _check_allowed_hosts(store: "Store") -> Iterator[CheckResult]:
    """Connect to each host that an organisation may send to, and send nothing."""
    from api.cli.context import build_operator
    from api.outbound.allowlist import TargetUrl
    from api.outbound.connection import ConnectionPolicy, open_connection
    from api.outbound.errors import OutboundError
    from api.store.accounts import organisations
    from api.store.deliveries import allowed_hosts

    with store.read_all_organisations() as session:
        ids = [row.id for row in organisations.list_organisations(session) if row.active]
    hosts = set()
    for organisation in ids:
        with store.continue_read(build_operator(organisation)) as work:
            hosts |= set(allowed_hosts.list_allowed_hosts(work))
    for host in sorted(hosts):
        check = f"host {host.host_port.host}:{host.host_port.port}"
        scheme = "http" if host.is_private_allowed else "https"
        policy = ConnectionPolicy((host,), CONNECT_SECONDS)
        try:
            with open_connection(TargetUrl(scheme, host.host_port, "/"), policy):
                yield CheckResult(check, "ok", "answers")
        except OutboundError as error:
            advice = "check its address, the firewall and its certificate"
            yield CheckResult(check, "fault", f"cannot be reached ({error}): {advice}")
