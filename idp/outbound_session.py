"""Outgoing requests to registered URLs, only to public or allowed networks.

A host name is resolved once, all its addresses are checked, and the connection uses one of them, so
that DNS rebinding has no effect. Proxy settings of the environment are ignored, because a proxy
would resolve the name itself.
"""

from __future__ import annotations

import socket
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


def session(allowed: NetworkSet, ca_file: str = "") -> requests.Session:
    """A session that refuses connections to other networks with ``requests.ConnectionError``. It
    trusts the certificate authorities in ``ca_file`` (PEM), or the public ones."""
    guarded = requests.Session()
    guarded.trust_env = False
    guarded.verify = ca_file or True
    for scheme in ("http://", "https://"):
        guarded.mount(scheme, _GuardedAdapter(allowed))
    return guarded


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, allowed: NetworkSet) -> None:
        self._allowed = allowed
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        allowed = self._allowed

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed)

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _connect(self, allowed)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}


def _connect(connection: HTTPConnection, allowed: NetworkSet) -> socket.socket:
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
        return create_connection(
            (str(addresses[0]), port), connection.timeout, connection.source_address,
            connection.socket_options,
        )  # fmt: skip
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
