"""Places: where a connection may go. A name and a port that were allowed, at a public address.

A place that was allowed as private may lie in the house: loopback, link-local, a private range.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from api.outbound.errors import OutgoingError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = {"https": 443, "http": 80, "mllp": 2575, "mllps": 2575}
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_TRANSLATED_LOCALLY = ipaddress.IPv6Network("64:ff9b:1::/48")


class Place(NamedTuple):
    """A host, in its one spelling, and a port."""

    host: str
    port: int


class Allowed(NamedTuple):
    """A place that was allowed; `private` where it may lie in the house."""

    place: Place
    private: bool


class Target(NamedTuple):
    """An address of a receiver, taken apart."""

    scheme: str
    place: Place
    path: str


def target(address: str, schemes: Collection[str]) -> Target:
    """The address taken apart. Raises ValueError where it is written in any unusual way."""
    if not re.fullmatch(r"[\x21-\x7e]{1,2000}", address) or "\\" in address:
        raise ValueError("must be an address of plain characters")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError("must be an address that can be read in one way only") from None
    if parts.scheme not in schemes:
        raise ValueError("must begin with " + " or ".join(f"{each}://" for each in schemes))
    if "@" in parts.netloc or parts.fragment or "#" in address or not parts.hostname:
        raise ValueError("must name a host, and no user and no fragment")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("must name a port between 1 and 65535") from None
    if port == 0:
        raise ValueError("must name a port between 1 and 65535")
    bracketed = parts.netloc.startswith("[")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = Place(host(parts.hostname, bracketed=bracketed), port or PORTS[parts.scheme])
    return Target(parts.scheme, place, path)


def host(name: str, *, bracketed: bool = False) -> str:
    """A host in its one spelling. Raises ValueError for what only some programs read as one."""
    name = name.lower().removesuffix(".")
    if bracketed or ":" in name:
        try:
            return str(ipaddress.IPv6Address(name)) if "%" not in name else _refuse()
        except ValueError:
            return _refuse()
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # whatever ends in a number is an address, or a trick
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return _refuse()
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return _refuse()
    return name


def _refuse() -> str:
    raise ValueError("must be a host name, or an IP address in its plain spelling")


def allowance(place: Place, allowed: Collection[Allowed]) -> Allowed:
    """What allows the place. Raises OutgoingError `not_allowed`."""
    for each in allowed:
        if each.place == place:
            return each
    raise OutgoingError("not_allowed")


def permitted(addresses: Collection[str], *, private: bool) -> tuple[str, ...]:
    """These addresses, each of them permitted. Raises OutgoingError where any of them is not.

    A name that lies in the house and outside at once is one that somebody is playing with.
    """
    if not addresses:
        raise OutgoingError("unresolvable")
    for each in addresses:
        for address in _meant(ipaddress.ip_address(each)):
            if not _may(address, private=private):
                raise OutgoingError("not_allowed")
    return tuple(addresses)


def _meant(address: Address) -> Iterator[Address]:
    """The address, and the one that it carries inside, where it does."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _TRANSLATED or address in _TRANSLATED_LOCALLY or int(address) < 1 << 32:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (each for each in inside if each is not None)


def _may(address: Address, *, private: bool) -> bool:
    if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        return False
    if private:
        return True
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return True  # what it carries is judged by itself
    return address.is_global and not address.is_reserved
