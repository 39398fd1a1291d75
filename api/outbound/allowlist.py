"""The allowlist of outbound connections: hosts and ports, normally at public addresses.

Only hosts allowed as private may have loopback, link-local or private addresses.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from api.outbound.errors import OutboundError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
DEFAULT_PORTS = {"https": 443, "http": 80, "mllp": 2575, "mllps": 2575}
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")


class HostPort(NamedTuple):
    """A normalised host and a port."""

    host: str
    port: int


class AllowedHost(NamedTuple):
    """An allowed host and port; `private` permits private addresses."""

    host_port: HostPort
    is_private_allowed: bool


class TargetUrl(NamedTuple):
    """The parts of a receiver's URL."""

    scheme: str
    host_port: HostPort
    path: str

    @property
    def uses_tls(self) -> bool:
        """True for the schemes with TLS."""
        return self.scheme in ("https", "mllps", "smtps")


def parse_target_url(address: str, schemes: Collection[str]) -> TargetUrl:
    """Parse a URL. Raises ValueError for any unusual or ambiguous spelling."""
    if not re.fullmatch(r"[\x21-\x7e]{1,2000}", address) or "\\" in address:
        raise ValueError("must be a URL of printable ASCII characters")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError("must be a valid URL") from None
    if parts.scheme not in schemes:
        raise ValueError("must begin with " + " or ".join(f"{scheme}://" for scheme in schemes))
    if "@" in parts.netloc or parts.fragment or "#" in address or not parts.hostname:
        raise ValueError("must have a host, and neither a user nor a fragment")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("must name a port between 1 and 65535") from None
    if port == 0:
        raise ValueError("must name a port between 1 and 65535")
    bracketed = parts.netloc.startswith("[")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host_port = HostPort(
        normalise_host(parts.hostname, bracketed=bracketed), port or DEFAULT_PORTS[parts.scheme]
    )
    return TargetUrl(parts.scheme, host_port, path)


def normalise_host(name: str, *, bracketed: bool = False) -> str:
    """Normalise a host. Raises ValueError for spellings that only some programs accept."""
    name = name.lower().removesuffix(".")
    if bracketed or ":" in name:
        try:
            return str(ipaddress.IPv6Address(name)) if "%" not in name else _refuse_host()
        except ValueError:
            return _refuse_host()
    labels = name.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):  # an IP address, or an attack
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return _refuse_host()
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return _refuse_host()
    return name


def _refuse_host() -> str:
    raise ValueError("must be a host name or an IP address in its usual notation")


def find_allowed_host(host_port: HostPort, allowed_hosts: Collection[AllowedHost]) -> AllowedHost:
    """Return the entry that allows a host and port. Raises OutboundError `not_allowed`."""
    for entry in allowed_hosts:
        if entry.host_port == host_port:
            return entry
    raise OutboundError("not_allowed")


def require_permitted_addresses(
    addresses: Collection[str], *, allow_private: bool
) -> tuple[str, ...]:
    """Return the addresses unless any is forbidden (DNS rebinding). Raises OutboundError."""
    if not addresses:
        raise OutboundError("unresolvable")
    for text in addresses:
        for address in _list_effective_addresses(ipaddress.ip_address(text)):
            if not _is_permitted(address, allow_private=allow_private):
                raise OutboundError("not_allowed")
    return tuple(addresses)


def _list_effective_addresses(address: IpAddress) -> Iterator[IpAddress]:
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or address in _LOCAL_NAT64 or int(address) < 1 << 32:
            embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (candidate for candidate in embedded if candidate is not None)


def _is_permitted(address: IpAddress, *, allow_private: bool) -> bool:
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return False
    if allow_private:
        return True
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return True  # the embedded address is checked separately
    return address.is_global and not address.is_reserved
