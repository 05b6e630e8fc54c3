"""Networks from which a machine account may be used: the rule of the gateway, and of registration,
which asks for them (MA-02)."""

from __future__ import annotations

import ipaddress
from enum import StrEnum

#: Characters of a label, and networks of an account.
MAX_LABEL, MAX_NETWORKS = 60, 50


class NetworkFault(StrEnum):
    """Why a network cannot be registered."""

    FORM = "form"
    HOST_BITS = "host_bits"
    MAPPED = "mapped"
    TOO_WIDE_IPV4 = "too_wide_ipv4"
    TOO_WIDE_IPV6 = "too_wide_ipv6"
    NO_HOST = "no_host"


#: Wider networks would include almost everyone: the shortest prefix, by version.
WIDEST = {4: (16, NetworkFault.TOO_WIDE_IPV4), 6: (32, NetworkFault.TOO_WIDE_IPV6)}


class UnusableNetwork(ValueError):
    """A network that cannot be registered."""

    def __init__(self, fault: NetworkFault) -> None:
        super().__init__(fault)
        self.fault = fault


def canonical(text: str) -> str:
    """An address or network in canonical CIDR form. Raises UnusableNetwork."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise UnusableNetwork(_form_fault(text)) from error
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise UnusableNetwork(NetworkFault.MAPPED)
    shortest, fault = WIDEST[network.version]
    if network.prefixlen < shortest:
        raise UnusableNetwork(fault)
    first = network.network_address
    if first.is_unspecified or first.is_multicast or first.is_link_local:
        raise UnusableNetwork(NetworkFault.NO_HOST)
    return str(network)


def _form_fault(text: str) -> NetworkFault:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return NetworkFault.FORM
    return NetworkFault.HOST_BITS
