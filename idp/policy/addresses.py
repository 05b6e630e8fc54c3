"""Addresses of callers: how they are written, which one counts, and which network each is of."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The address of a caller that a trusted proxy did not name.
UNKNOWN = "unknown"
#: One customer has at least so many bits of an IPv6 address for itself (RFC 6177).
CUSTOMER = 64
_WITH_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::[0-9]{1,5})?")


def address_of(text: str | None) -> Address | None:
    """An address, or None; an IPv4 one that is written as IPv6 is an IPv4 one. The zone of an IPv6
    address (RFC 4007 section 11) names an interface of another machine: it is left out."""
    bare, percent, _ = (text or "").partition("%")
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if percent and parsed.version == 4:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def network_of(ip: str | None) -> str:
    """The network that an address counts for: itself, or of IPv6 its /64, which is one customer.
    Everything that counts by address counts by this."""
    address = address_of(ip)
    if address is None:
        return UNKNOWN
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), CUSTOMER), strict=False))


@dataclass(frozen=True)
class ClientAddress:
    """Who sent a request: the text of an address in its one spelling, ``unknown``, or None without
    a peer. ``unreadable`` is what a trusted proxy sent instead of an address, for the log."""

    ip: str | None
    unreadable: str = ""


def client_address(peer: str, forwarded: str, trusted: Collection[str]) -> ClientAddress:
    """The peer, or what trusted proxies say of it in X-Forwarded-For, read from right to left up to
    the first address that is no proxy of ours. What stands left of something unreadable is nobody's
    word: such a caller is unknown, and whatever asks for a certain network refuses it."""
    networks = [ipaddress.ip_network(text) for text in trusted]
    address = address_of(peer)
    if not _is_within(address, networks):
        return ClientAddress(str(address) if address else UNKNOWN if peer else None)
    for text in reversed(forwarded.split(",")):
        if not (hop := text.strip()):
            continue
        told = _hop(hop)
        if told is None:
            return ClientAddress(UNKNOWN, hop)
        if not _is_within(told, networks):
            return ClientAddress(str(told))
    return ClientAddress(str(address))


def _hop(text: str) -> Address | None:
    """An address as proxies write it: alone, with a port, in brackets with or without a port."""
    written = _WITH_PORT.fullmatch(text)
    if written is None:
        return address_of(text)
    return address_of(written["six"] or written["four"])


def _is_within(address: Address | None, networks: list[Network]) -> bool:
    return address is not None and any(address in network for network in networks)
