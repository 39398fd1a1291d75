"""Examines what the service reaches and how it is reached: mail server, destinations, addresses."""

from collections.abc import Iterator

from api.cli.deployment_warnings import list_deployment_warnings
from api.cli.doctor.check_result import CheckResult
from api.forms.link_urls import find_link_reach
from api.notifications.mail import build_mail_transport
from api.outbound.allowlist import DEFAULT_PORTS, HostPort, parse_target_url
from api.outbound.connection import ConnectionPolicy, TlsCredentials, open_connection
from api.outbound.errors import MailRefusedError, OutboundError, OutboundFailure
from api.outbound.smtp_client import check_login
from api.settings import Settings
from api.store.accounts import organisations
from api.store.accounts.organisations import OPERATOR_ACTOR
from api.store.deliveries import allowed_hosts, destinations
from api.store.store import Store
from api.store.transaction import Transaction

CONNECT_SECONDS = 5.0
_REMEDIES: dict[OutboundFailure, str] = {
    "unresolvable": "the name is unknown: check it, and the name servers of this computer",
    "unreachable": "no connection: check the port and the firewalls",
    "tls_failed": "the certificate is not accepted, or TLS is not spoken: check it and its CA",
    "timeout": "no answer in time: check the port and the firewalls",
    "connection_lost": "the connection was closed: check the port and what listens there",
}


def check_mail_server(settings: Settings) -> Iterator[CheckResult]:
    """Log in to the mail server and send nothing."""
    try:
        transport = build_mail_transport(settings)
    except (OSError, ValueError) as error:
        yield CheckResult(
            "failed", "mail", f"NOCISCREEN_SMTP_CA_FILE or NOCISCREEN_SMTP_HOST: {error}"
        )
        return
    if transport is None:
        yield CheckResult("ok", "mail", "no mail server is set, so no e-mail is sent")
        return
    place = f"{settings.smtp_host}:{settings.smtp_port}"
    policy = transport.policy._replace(deadline_seconds=CONNECT_SECONDS)
    try:
        check_login(transport.sender, transport.server, policy)
    except OutboundError as error:
        yield CheckResult("failed", "mail", f"{place}: {_describe_failure(error)}")
    except MailRefusedError as error:
        reply = "refuses the login: check user and password" if error.is_login else "refuses"
        yield CheckResult("failed", "mail", f"{place} {reply} (reply {error.code})")
    else:
        yield CheckResult("ok", "mail", f"{place} accepts connections and the login, if one is set")


def check_address(settings: Settings, host: str) -> Iterator[CheckResult]:
    """Look at the public URL, the trusted proxies and how the database is reached."""
    warnings = list(list_deployment_warnings(settings, host))
    if find_link_reach(settings.public_url) == "loopback":
        warnings.append(
            f"links of patients begin with {settings.public_url}, which only this computer can "
            "open: set NOCISCREEN_PUBLIC_URL"
        )
    for warning in warnings:
        yield CheckResult("warning", "address", warning)
    if not warnings:
        proxies = settings.trusted_proxies
        yield CheckResult("ok", "address", f"{settings.public_url}; trusted proxies are {proxies}")


def check_destinations(store: Store) -> Iterator[CheckResult]:
    """Connect to each active destination, as a delivery would, and send nothing."""
    with store.read_all_organisations() as session:
        owners = [row.id for row in organisations.list_organisations(session) if row.active]
    for owner in owners:
        with store.continue_read(OPERATOR_ACTOR._replace(organisation=owner)) as work:
            active_ids = [row.id for row in destinations.list_destinations(work) if row.active]
            targets = [(name, *_read_target(work, name)) for name in active_ids]
        for destination_id, address, policy in targets:
            yield _check_target(destination_id, owner, address, policy)


def _read_target(work: Transaction, destination_id: str) -> tuple[str, ConnectionPolicy]:
    secrets = destinations.find_destination_secrets(work, destination_id)
    credentials = TlsCredentials(secrets.authorities, secrets.certificate_and_key)
    hosts = allowed_hosts.list_allowed_hosts(work)
    return secrets.address, ConnectionPolicy(hosts, CONNECT_SECONDS, tls_credentials=credentials)


def _check_target(name: str, owner: str, address: str, policy: ConnectionPolicy) -> CheckResult:
    target = parse_target_url(address, DEFAULT_PORTS)
    place = _format_place(target.host_port)
    try:
        with open_connection(target, policy):
            return CheckResult("ok", f"destination {name}", f"{place} accepts connections")
    except OutboundError as error:
        if error.reason != "not_allowed":
            text = f"{place}: {_describe_failure(error)}"
        else:
            text = (
                f"{place} is not allowed: nociscreen admin allowed-host add {place} "
                f"--organisation {owner} (with --private inside your network)"
            )
        return CheckResult("failed", f"destination {name}", text)


def _format_place(host_port: HostPort) -> str:
    host = f"[{host_port.host}]" if ":" in host_port.host else host_port.host
    return f"{host}:{host_port.port}"


def _describe_failure(error: OutboundError) -> str:
    return _REMEDIES.get(error.reason, error.reason)
