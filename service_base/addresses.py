"""IP addresses of peers, and which of them are trusted proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Characters of the longest form of an address: an IPv6 address that ends like an IPv4 one.
LONGEST = 45
#: Shortest prefix by IP version: wider networks contain strangers, who could forge headers.
WIDEST_PROXIES = {4: 8, 6: 16}


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
def networks_of(texts: tuple[str, ...]) -> list[Network]:
    """The networks of a setting that was checked."""
    return [ipaddress.ip_network(text) for text in texts]


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks."""
    return address is not None and any(address in network for network in networks)


def is_trusted_proxy(peer: str, trusted: tuple[str, ...]) -> bool:
    """Whether the peer of a connection is a trusted proxy."""
    return is_within(address_of(peer), networks_of(trusted))


def proxy_faults(setting: str, trusted: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the networks of trusted proxies."""
    for text in trusted:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            yield f"{setting}: {text} is not a network"
            continue
        if network.prefixlen < WIDEST_PROXIES[network.version]:
            yield f"{setting}: {text} is too wide: anybody in it names any address"
