"""IP addresses of callers: parsing, trusted proxies, and the network that limits apply to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The address of a client that the trusted proxies do not name.
UNKNOWN = "unknown"
#: A customer has at least this prefix of IPv6 addresses (RFC 6177).
CUSTOMER = 64
#: Characters of the longest form of an address: an IPv6 address that ends like an IPv4 one.
LONGEST = 45
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


def address_of(text: str | None) -> Address | None:
    """Parse an address; None if it is not one. An IPv4-mapped IPv6 address becomes IPv4. The zone
    of an IPv6 address (RFC 4007 section 11) belongs to another machine and is removed."""
    bare, percent, _ = (text or "").partition("%")
    # A longer text is no address, and would fill the memory of what was parsed.
    parsed = _parsed(bare) if len(bare) <= LONGEST else None
    if parsed is None:
        return None
    if percent and parsed.version == 4:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache(1024)
def _parsed(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(8)
def _networks(trusted: tuple[str, ...]) -> list[Network]:
    return [ipaddress.ip_network(text) for text in trusted]


@lru_cache(1024)
def network_of(ip: str | None) -> str:
    """The network for limits and counters: the IPv4 address itself, or the /64 of an IPv6 address,
    which belongs to one customer."""
    address = address_of(ip)
    if address is None:
        return UNKNOWN
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), CUSTOMER), strict=False))


@dataclass(frozen=True)
class ClientAddress:
    """The sender of a request: its address in canonical form, ``unknown``, or None without a peer.
    ``unreadable`` is what a trusted proxy sent instead of an address, for the log."""

    ip: str | None
    unreadable: str = ""


def client_address(peer: str, forwarded: str, trusted: tuple[str, ...]) -> ClientAddress:
    """The peer address, or the one that trusted proxies report in X-Forwarded-For, read from right
    to left up to the first address that is not a trusted proxy. Entries left of an unreadable one
    are not trusted: the client is then unknown, and checks that need a network refuse it."""
    networks = _networks(trusted)
    address = address_of(peer)
    if not _is_within(address, networks):
        return ClientAddress(str(address) if address else UNKNOWN if peer else None)
    for text in reversed(forwarded.split(",")):
        if not (hop := text.strip()):
            continue
        reported = _hop(hop)
        if reported is None:
            return ClientAddress(UNKNOWN, hop)
        if not _is_within(reported, networks):
            return ClientAddress(str(reported))
    return ClientAddress(str(address))


def is_trusted_proxy(peer: str, trusted: tuple[str, ...]) -> bool:
    """Whether the peer of a connection is a trusted proxy."""
    return _is_within(address_of(peer), _networks(trusted))


def _hop(text: str) -> Address | None:
    """Parse an address as proxies write it: alone, with a port, or in brackets."""
    written = _WITH_PORT.fullmatch(text)
    if written is None:
        return address_of(text)
    return address_of(written["six"] or written["four"])


def _is_within(address: Address | None, networks: list[Network]) -> bool:
    return address is not None and any(address in network for network in networks)
