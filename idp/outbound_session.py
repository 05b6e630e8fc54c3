"""Outgoing requests to registered URLs, only to public or allowed networks.

A host name is resolved once, all its addresses are checked, and the connection uses one of them, so
that DNS rebinding has no effect. Proxy settings of the environment are ignored, because a proxy
would resolve the name itself.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from idp.networks import NetworkSet
from idp.outbound import is_reachable
from idp.policy.addresses import address_of


def session(allowed: NetworkSet, ca_file: str = "") -> GuardedSession:
    """A session that refuses connections to other networks with ``requests.ConnectionError``. It
    trusts the certificate authorities in ``ca_file`` (PEM), or the public ones."""
    guarded = GuardedSession()
    guarded.trust_env = False
    guarded.verify = ca_file or True
    for scheme in ("http://", "https://"):
        guarded.mount(scheme, _GuardedAdapter(allowed, guarded.connections))
    return guarded


class Connections:
    """The open connections of a session, so that another thread can end them."""

    def __init__(self) -> None:
        self._handles: list[socket.socket] = []
        self._is_ended = False

    def add(self, opened: socket.socket) -> bool:
        """Note a new connection. False if it comes after the end."""
        self._handles.append(opened.dup())
        return not self._is_ended

    def end(self) -> None:
        """Fail what is being read, written or connected."""
        self._is_ended = True
        for handle in self._handles:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the handles."""
        for handle in self._handles:
            handle.close()


class GuardedSession(requests.Session):
    """A session whose requests another thread can abort, whatever they wait for except the
    resolution of a name."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = Connections()

    def abort(self) -> None:
        """End all connections. The requests fail with ``requests.RequestException``."""
        self.connections.end()

    def close(self) -> None:
        super().close()
        self.connections.close()


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, allowed: NetworkSet, connections: Connections) -> None:
        self._allowed, self._connections = allowed, connections
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        allowed, connections = self._allowed, self._connections

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed, connections)

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed, connections)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}


def _connect(
    connection: HTTPConnection, allowed: NetworkSet, connections: Connections
) -> socket.socket:
    """Connect to an address that was checked. Raises urllib3's errors."""
    host, port = connection.host.strip("[]"), connection.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    addresses = [address_of(str(entry[4][0])) for entry in found]
    if not all(address and is_reachable(address, allowed) for address in addresses):
        raise NewConnectionError(connection, f"{host} is in a private network")
    try:
        opened = create_connection(
            (str(addresses[0]), port), connection.timeout, connection.source_address,
            connection.socket_options,
        )  # fmt: skip
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
    if not connections.add(opened):
        opened.close()
        raise NewConnectionError(connection, "the request was aborted")
    return opened
