"""Which networks the gateway may call: public ones and those of ``IDP_OUTBOUND_NETWORKS``."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from idp.networks import NetworkSet
from idp.policy.addresses import Address, address_of
from service_base.phrases import N_, Phrase

#: Prefixes with an embedded IPv4 address: translated ones (RFC 6052 section 2.1, RFC 8215) and the
#: old IPv4-compatible ones (RFC 4291 section 2.5.5.1).
ENDING_IN_IPV4 = tuple(
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/96", "::/96")
)


def is_reachable(address: Address, allowed: NetworkSet) -> bool:
    """Whether the gateway may connect to this address."""
    if address in allowed:
        return True
    return all(part.is_global and not part.is_multicast for part in _meant(address))


class UrlFault(Phrase):
    """Why a URL that the gateway calls cannot be registered."""

    PRIVATE_NETWORK = N_(
        "names a private network (IDP_OUTBOUND_NETWORKS lists those that are allowed)"
    )


def url_fault(url: str, allowed: NetworkSet) -> UrlFault | None:
    """Why a URL that the gateway calls cannot be registered, or None. Host names are resolved at
    the time of the call."""
    host = urlsplit(url).hostname or ""
    names_this_machine = host == "localhost" or host.endswith(".localhost")
    address = address_of("127.0.0.1" if names_this_machine else host)
    if address is not None and not is_reachable(address, allowed):
        return UrlFault.PRIVATE_NETWORK
    return None


def _meant(address: Address) -> list[Address]:
    """The address, and the IPv4 addresses embedded in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    carried: list[Address] = [address]
    if any(address in network for network in ENDING_IN_IPV4):
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour:
        carried.append(address.sixtofour)
    if address.teredo:
        carried += address.teredo
    return carried
