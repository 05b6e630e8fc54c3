"""Networks from which a machine account may be used (MA-02, MA-06; N35)."""

from __future__ import annotations

import ipaddress

from service_base.phrases import N_, Phrase

MAX_LABEL = 60


class NetworkFault(Phrase):
    """Why a network cannot be registered."""

    FORM = N_("is not an IP address or network")
    HOST_BITS = N_("is a network with host bits: write its first address")
    MAPPED = N_("is an IPv4 address written as IPv6: write it as IPv4")
    TOO_WIDE_IPV4 = N_("is too wide: at most a /16")
    TOO_WIDE_IPV6 = N_("is too wide: at most a /32")
    NO_HOST = N_("is not the address of a workstation or server")


#: Wider networks would include almost everyone: the shortest prefix, by version.
WIDEST = {4: (16, NetworkFault.TOO_WIDE_IPV4), 6: (32, NetworkFault.TOO_WIDE_IPV6)}


class BadNetwork(ValueError):
    """A network that cannot be registered."""

    def __init__(self, fault: NetworkFault) -> None:
        super().__init__(fault)
        self.fault = fault


def canonical(text: str) -> str:
    """An address or network in canonical CIDR form. Raises BadNetwork."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise BadNetwork(_form_fault(text)) from error
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise BadNetwork(NetworkFault.MAPPED)
    shortest, fault = WIDEST[network.version]
    if network.prefixlen < shortest:
        raise BadNetwork(fault)
    first = network.network_address
    if first.is_unspecified or first.is_multicast or first.is_link_local:
        raise BadNetwork(NetworkFault.NO_HOST)
    return str(network)


def _form_fault(text: str) -> NetworkFault:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return NetworkFault.FORM
    return NetworkFault.HOST_BITS
