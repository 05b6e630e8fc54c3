"""Where the gateway connects to on the word of others (R23, N90)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from idp import outbound, outbound_session
from idp.clients import client_data, registry
from idp.errors import Invalid
from idp.networks import NetworkSet
from idp.policy.addresses import address_of
from tests.world import World

NULL_GEO_LOCATOR = NetworkSet([])
HERE = NetworkSet(["127.0.0.0/8"])


@pytest.mark.parametrize(
    ("address", "reachable"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b:1::10.0.0.1", False),
        ("::127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse
        ("2002:a00:1::", False),
    ],
)
def test_only_public_networks_are_reached(address: str, reachable: bool) -> None:
    """Private, shared, link-local, loopback and reserved networks are not; nor is what only carries
    packets there."""
    found = address_of(address)
    assert found is not None
    assert outbound.is_reachable(found, NULL_GEO_LOCATOR) is reachable
    assert outbound.is_reachable(found, NetworkSet(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize(
    "uri",
    ["https://10.0.0.1/out", "https://[::1]/out", "https://[::ffff:7f00:1]/out",
     "https://localhost/out", "https://emi.localhost/out", "https://169.254.169.254/latest"],
)  # fmt: skip
def test_a_private_address_is_not_registered(world: World, uri: str) -> None:
    """The reason names the setting that would allow it."""
    rp = world.relying_party()
    with world.work() as work:
        client = registry.get(work, rp.client_id)
        data = replace(client_data.current_data(client), backchannel_logout_uri=uri)
        with pytest.raises(Invalid, match="IDP_OUTBOUND_NETWORKS"):
            registry.update(work, client, data)


class Listener(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """No lines in the output of the tests."""


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    """A service in a private network."""
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_name_is_checked_when_it_is_called(
    listener: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of a private address is refused, and reached where its network is allowed."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listener.server_port}")
    url = f"http://localhost:{listener.server_port}/"
    with (
        outbound_session.session(NULL_GEO_LOCATOR) as session,
        pytest.raises(requests.ConnectionError) as refused,
    ):
        session.get(url, timeout=5)
    assert "private network" in str(refused.value)
    everywhere = NetworkSet(["127.0.0.0/8", "::1/128"])
    with outbound_session.session(everywhere) as session:
        assert (
            session.get(f"http://127.0.0.1:{listener.server_port}/", timeout=5).status_code == 204
        )


def test_a_name_with_one_private_address_is_refused_and_looked_up_once(
    listener: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the answer that was checked is the one that is used."""
    answers = [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"]]
    lookups = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host != "rp.test":
            return real(host, port, *_, **__)
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in answers.pop(0)]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://rp.test:{listener.server_port}/"
    with outbound_session.session(HERE) as session:
        assert session.get(url, timeout=5).status_code == 204
    assert lookups == ["rp.test"]
    with (
        outbound_session.session(NULL_GEO_LOCATOR) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.get(url, timeout=5)
    assert lookups == ["rp.test"] * 2


def test_an_unknown_name_and_a_closed_port_are_connection_errors() -> None:
    """What senders catch: nothing else comes out."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://nobody.invalid/", f"http://{'a' * 64}.test/"):
        with outbound_session.session(HERE) as session, pytest.raises(requests.RequestException):
            session.get(url, timeout=5)


def test_an_application_may_have_a_certificate_of_a_private_authority(
    listener: HTTPServer, certificate: Path
) -> None:
    """IDP_OUTBOUND_CA_FILE: only a session with this authority trusts the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    url = f"https://127.0.0.1:{listener.server_port}/"
    with outbound_session.session(HERE, str(certificate)) as session:
        assert session.get(url, timeout=5).status_code == 204
    with outbound_session.session(HERE) as session, pytest.raises(requests.exceptions.SSLError):
        session.get(url, timeout=5)
