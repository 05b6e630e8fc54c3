"""The networks of a machine as people type them: a line for each, with its label (MA-02)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from service_base.network_rules import (
    MAX_LABEL,
    MAX_NETWORKS,
    NetworkFault,
    UnusableNetwork,
    canonical,
)
from service_base.refusals import ServiceError


class EntryFault(StrEnum):
    """Why a line is refused: it is no network that can be registered, or something else."""

    FORM = "form"
    HOST_BITS = "host_bits"
    MAPPED = "mapped"
    TOO_WIDE_IPV4 = "too_wide_ipv4"
    TOO_WIDE_IPV6 = "too_wide_ipv6"
    NO_HOST = "no_host"
    LABEL = "label"
    TWICE = "twice"
    #: Of the whole, without a line.
    MISSING = "missing"
    TOO_MANY = "too_many"


if forgotten := set(map(str, NetworkFault)) - set(map(str, EntryFault)):
    raise TypeError(f"no fault of a line for {', '.join(sorted(forgotten))}")


@dataclass(frozen=True)
class LineFault:
    """A line, counted from 1, and why it is refused; line 0 is the whole."""

    line: int
    text: str
    fault: EntryFault


class NetworksInvalid(ServiceError):
    """These lines are refused. Nothing was stored."""

    code: ClassVar[str] = "networks_invalid"

    def __init__(self, faults: tuple[LineFault, ...]) -> None:
        super().__init__(", ".join(f"line {one.line}: {one.fault}" for one in faults))
        self.faults = faults


@dataclass(frozen=True, order=True)
class Network:
    """A network in canonical form, and its label."""

    network: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.network} {self.label}".strip()


def read(text: str) -> tuple[Network, ...]:
    """The networks, in order. Raises NetworksInvalid with the fault of every line."""
    lines = [
        (number, " ".join(line.split()))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    if not lines:
        raise NetworksInvalid((LineFault(0, "", EntryFault.MISSING),))
    if len(lines) > MAX_NETWORKS:
        raise NetworksInvalid((LineFault(0, "", EntryFault.TOO_MANY),))
    faults: list[LineFault] = []
    found = dict(_networks(lines, faults))
    if faults:
        raise NetworksInvalid(tuple(faults))
    return tuple(sorted(Network(network, label) for network, label in found.items()))


def written(networks: Iterable[Network]) -> str:
    """The networks as the form shows them."""
    return "\n".join(map(str, networks))


def _networks(
    lines: Iterable[tuple[int, str]], faults: list[LineFault]
) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for number, line in lines:
        typed, _, label = line.partition(" ")
        try:
            network = canonical(typed)
        except UnusableNetwork as error:
            faults.append(LineFault(number, typed, EntryFault(error.fault.value)))
            continue
        if len(label) > MAX_LABEL or not label.isprintable():
            faults.append(LineFault(number, typed, EntryFault.LABEL))
        if network in seen:
            faults.append(LineFault(number, typed, EntryFault.TWICE))
        seen.add(network)
        yield network, label
