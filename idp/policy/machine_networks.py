"""Networks from which a machine account may be used (MA-02, MA-06; N35)."""

from __future__ import annotations

import ipaddress

MAX_LABEL = 60
#: Wider networks would include almost everyone.
WIDEST = {4: 16, 6: 32}


class BadNetwork(ValueError):
    """A network that cannot be registered; the text gives the reason."""


def canonical(text: str) -> str:
    """An address or network in canonical CIDR form. Raises BadNetwork."""
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
