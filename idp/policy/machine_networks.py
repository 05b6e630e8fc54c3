"""Networks from which a machine account may be used (MA-02, MA-06; N35)."""

from __future__ import annotations

import ipaddress

MAX_LABEL = 60
#: Wider ones would be nearly everybody's.
WIDEST = {4: 16, 6: 32}


class BadNetwork(ValueError):
    """Not a network that can be registered; the text says why."""


def canonical(text: str) -> str:
    """An address or a network in CIDR form, in its one spelling. Raises BadNetwork."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise BadNetwork(f"{text!a} is no address and no network: {error}") from error
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise BadNetwork(f"{text!a} is an IPv4 address written as IPv6: write it as IPv4")
    if network.prefixlen < WIDEST[network.version]:
        raise BadNetwork(f"{text!a} is too wide: at most a /{WIDEST[network.version]}")
    first = network.network_address
    if first.is_unspecified or first.is_multicast or first.is_link_local:
        raise BadNetwork(f"{text!a} is no address of a workstation or server")
    return str(network)
