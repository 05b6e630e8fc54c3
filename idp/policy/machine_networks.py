"""Networks from which a machine account may be used (MA-02, MA-06; N35). The rule itself is shared
with registration (``service_base.network_rules``)."""

from __future__ import annotations

from service_base import network_rules
from service_base.network_rules import MAX_LABEL, MAX_NETWORKS
from service_base.phrases import N_, Phrase

__all__ = ["MAX_LABEL", "MAX_NETWORKS", "BadNetwork", "NetworkFault", "canonical"]


class NetworkFault(Phrase):
    """Why a network cannot be registered."""

    FORM = N_("is not an IP address or network")
    HOST_BITS = N_("is a network with host bits: write its first address")
    MAPPED = N_("is an IPv4 address written as IPv6: write it as IPv4")
    TOO_WIDE_IPV4 = N_("is too wide: at most a /16")
    TOO_WIDE_IPV6 = N_("is too wide: at most a /32")
    NO_HOST = N_("is not the address of a workstation or server")


class BadNetwork(ValueError):
    """A network that cannot be registered."""

    def __init__(self, fault: NetworkFault) -> None:
        super().__init__(fault)
        self.fault = fault


def canonical(text: str) -> str:
    """An address or network in canonical CIDR form. Raises BadNetwork."""
    try:
        return network_rules.canonical(text)
    except network_rules.UnusableNetwork as error:
        raise BadNetwork(NetworkFault[error.fault.name]) from error
