"""IP addresses of callers: parsing, trusted proxies, and the network that limits apply to."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from service_base.addresses import (
    Address,
    Network,
    address_of,
    is_trusted_proxy,
    is_within,
    networks_of,
)

__all__ = [
    "UNKNOWN", "Address", "ClientAddress", "Network", "address_of", "client_address",
    "is_trusted_proxy", "network_of",
]  # fmt: skip

#: The address of a client that the trusted proxies do not name.
UNKNOWN = "unknown"
#: A customer has at least this prefix of IPv6 addresses (RFC 6177).
CUSTOMER = 64
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


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
    networks = networks_of(trusted)
    address = address_of(peer)
    if not is_within(address, networks):
        return ClientAddress(str(address) if address else UNKNOWN if peer else None)
    for text in reversed(forwarded.split(",")):
        if not (hop := text.strip()):
            continue
        reported = _hop(hop)
        if reported is None:
            return ClientAddress(UNKNOWN, hop)
        if not is_within(reported, networks):
            return ClientAddress(str(reported))
    return ClientAddress(str(address))


def _hop(text: str) -> Address | None:
    """Parse an address as proxies write it: alone, with a port, or in brackets."""
    written = _WITH_PORT.fullmatch(text)
    if written is None:
        return address_of(text)
    return address_of(written["six"] or written["four"])
