"""Hosts of a test: network namespaces on a bridge of their own, so that one can lose its network or
its power while the others go on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.faults.servers import Host, missing

#: For tests that reach hosts: nothing else than them and this machine.
HOSTS_ONLY = pytest.mark.allow_hosts(["127.0.0.1", "::1", "10.213.0.0/16"])


def _run(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command}: {done.stderr.strip()}")


class Network:
    """The hosts and the bridge between them. This process is at ``address`` of it."""

    def __init__(self) -> None:
        if os.geteuid() or not shutil.which("ip"):
            missing("network namespaces need root and iproute2")
        self._bridge = f"gw{os.getpid()}"
        self._subnet = f"10.213.{os.getpid() % 256}"
        self.address = f"{self._subnet}.1"
        self._hosts: list[Host] = []

    def begin(self) -> None:
        """Make the bridge and the way to it."""
        bridge = self._bridge
        try:
            _run(f"ip netns add {bridge}")
        except OSError as error:
            missing(f"no network namespaces: {error}")
        _run(f"ip -n {bridge} link add bridge type bridge")
        _run(f"ip -n {bridge} link set bridge up")
        _run(f"ip link add {bridge} type veth peer name root netns {bridge}")
        _run(f"ip -n {bridge} link set root master bridge up")
        _run(f"ip address add {self.address}/24 dev {bridge}")
        _run(f"ip link set {bridge} up")

    def host(self, name: str) -> Host:
        """Another host."""
        namespace = f"{self._bridge}-{name}"
        made = Host(f"{self._subnet}.{len(self._hosts) + 2}", ("ip", "netns", "exec", namespace))
        self._hosts.append(made)
        _run(f"ip netns add {namespace}")
        _run(f"ip link add eth0 netns {namespace} type veth peer name {name} netns {self._bridge}")
        _run(f"ip -n {self._bridge} link set {name} master bridge up")
        _run(f"ip -n {namespace} address add {made.address}/24 dev eth0")
        _run(f"ip -n {namespace} link set lo up")
        _run(f"ip -n {namespace} link set eth0 up")
        return made

    def unplug(self, host: Host) -> None:
        """From now on nobody reaches the host, and it reaches nobody; no connection is closed."""
        _run(f"ip -n {host.prefix[-1]} link set eth0 down")

    def plug(self, host: Host) -> None:
        """The host is back in the network."""
        _run(f"ip -n {host.prefix[-1]} link set eth0 up")

    def end(self) -> None:
        """Remove everything. Processes on the hosts must have ended."""
        for namespace in (*(host.prefix[-1] for host in self._hosts), self._bridge):
            with suppress(OSError):
                _run(f"ip netns delete {namespace}")
        with suppress(OSError):
            _run(f"ip link delete {self._bridge}")


@contextmanager
def own_network() -> Iterator[Network]:
    """A network for the duration of the block."""
    made = Network()
    try:
        made.begin()
        yield made
    finally:
        made.end()
