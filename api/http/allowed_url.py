"""Checks the URLs that clients register for outbound connections."""

from collections.abc import Collection

from api.outbound.allowlist import AllowedHost, find_allowed_host, parse_target_url
from api.outbound.errors import OutboundError
from api.problems import FieldError, Problem


class HostNotAllowedProblem(Problem):
    """The operator has not allowed connections to this host in this way."""

    def __init__(self, detail: str) -> None:
        super().__init__("conflict", detail)


def require_allowed_url(
    pointer: str, url: str, schemes: Collection[str], allowed_hosts: Collection[AllowedHost]
) -> None:
    """Raise Problem `invalid_request` for an invalid URL, or HostNotAllowedProblem."""
    try:
        target = parse_target_url(url, schemes)
    except ValueError as error:
        fault = FieldError(pointer=pointer, code="address", detail=str(error))
        raise Problem("invalid_request", errors=[fault]) from None
    try:
        entry = find_allowed_host(target.host_port, allowed_hosts)
    except OutboundError:
        raise HostNotAllowedProblem("The operator has not allowed this host and port.") from None
    if not (target.uses_tls or entry.is_private_allowed):
        raise HostNotAllowedProblem("Without TLS, only hosts allowed as private can be used.")
