"""Recognises loopback addresses, and requests that an untrusted proxy has forwarded."""

from ipaddress import ip_address

from starlette.types import Scope

_FORWARDING_HEADERS = (b"forwarded", b"x-forwarded-for")


def is_loopback(host: str) -> bool:
    """Return whether this host, a name or an address, is this computer itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_forwarded_untrusted(scope: Scope) -> bool:
    """Return whether a proxy forwarded this request, but the caller's address is the proxy's.

    uvicorn replaces the address of a trusted proxy by the last one in `X-Forwarded-For` that is
    not trusted. An address that `X-Forwarded-For` does not name is thus that of a proxy.
    """
    values = [value for name, value in scope["headers"] if name in _FORWARDING_HEADERS]
    address, _ = scope.get("client") or ("", 0)
    return bool(values) and bool(address) and address.encode() not in b" ".join(values)
