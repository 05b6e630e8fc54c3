"""Host and forwarding headers: refused or ignored, never believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, url_for
from sqlalchemy import select

from idp.models import OutboxMessage
from idp.policy.addresses import UNKNOWN, ClientAddress, client_address
from idp.settings import Settings
from idp.web.security import is_ours
from tests.security.test_headers import assert_protected, paths
from tests.security.test_login_cookies import LOOPBACKS, gateway
from tests.world import World, hidden_fields

EVIL_HOSTS = (
    "evil.example",
    "evil.example:443",
    "gateway.test.evil.example",
    "evilgateway.test",
    "gateway.test@evil.example",
    "gateway.test:443@evil.example",
    "evil.example#gateway.test",
    "gateway.test, evil.example",
    "gateway.test,gateway.test",
    "gateway.test evil.example",
    "gateway.test\tevil.example",
    "gateway.test/evil",
    "gateway.test:evil",
    "gateway.test:0x1bb",
    "gateway.test.",
    "[::1]",
    "127.0.0.1",
    "\xff",
    "a" * 300 + ".test",
    ".",
    "",
)
FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "81",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "Forwarded": "host=evil.example;proto=http",
}


def mailed(world: World, kind: str) -> list[str]:
    """The texts of the mails of a kind in the outbox, opened as the worker does."""
    with world.work() as work:
        rows = work.db.scalars(
            select(OutboxMessage).where(OutboxMessage.kind == kind).order_by(OutboxMessage.id)
        )
        return [json.loads(work.vault.decrypt(row.body_sealed))["text"] for row in rows]


@pytest.mark.parametrize("host", EVIL_HOSTS)
def test_n60_another_host_is_refused_on_every_route(world: World, host: str) -> None:
    """N60: 400 before anything else, in a page that is whole; a proxy that asks gets 403."""
    client = world.app.test_client()
    for path in paths(world.app):
        answer = client.get(
            path, base_url=world.settings.issuer, environ_overrides={"HTTP_HOST": host}
        )
        assert answer.status_code == (403 if path == "/auth/verify" else 400), path
        assert "evil" not in answer.text
        assert_protected(answer)


@pytest.mark.parametrize("host", ["gateway.test", "GATEWAY.test", "gateway.test:8443"])
def test_n60_the_host_of_the_issuer_is_served(world: World, host: str) -> None:
    """N60: letter case is no difference, and the port is the proxy's."""
    answer = world.app.test_client().get(
        "/signin", base_url=world.settings.issuer, environ_overrides={"HTTP_HOST": host}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("issuer", LOOPBACKS)
def test_n60_a_loopback_issuer_is_served(settings: Settings, issuer: str) -> None:
    """N60: also one that is an IPv6 address."""
    assert is_ours(issuer.split("://")[1], replace(settings, issuer=issuer))
    assert not is_ours("evil.example:8000", replace(settings, issuer=issuer))


def test_n60_forwarding_headers_change_nothing(world: World) -> None:
    """N60: neither addresses nor cookies follow them, and HSTS stays."""
    client, base = world.app.test_client(), world.settings.issuer
    answer = client.get("/", headers=FORWARDED, base_url=base)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signin")
    page = client.get("/signin", headers=FORWARDED, base_url=base)
    assert page.status_code == 200
    assert_protected(page)
    assert "evil" not in page.text
    assert all("; Secure" in cookie for cookie in page.headers.getlist("Set-Cookie"))


def test_n60_an_absolute_request_target_changes_nothing(world: World) -> None:
    """N60: what a server keeps of an absolute URI is not read."""
    evil = dict.fromkeys(("RAW_URI", "REQUEST_URI"), "http://evil.example/settings")
    answer = world.app.test_client().get(
        "/signin", base_url=world.settings.issuer, environ_overrides=evil
    )
    assert answer.status_code == 200
    assert "evil" not in answer.text
    passed = world.app.test_client().get(
        "/", base_url=world.settings.issuer, environ_overrides={"PATH_INFO": "http://evil.example/"}
    )
    assert passed.status_code == 404


def test_n60_mailed_links_start_with_the_configured_address(world: World) -> None:
    """N60, GW-12: byte for byte, whatever the request said of itself."""
    username = world.account()
    browser = world.browser()
    page = browser.get("/recover")
    fields = hidden_fields(page.text, "/recover") | {"username": username}
    answer = browser.client.post(
        "/recover",
        data=fields,
        headers=FORWARDED,
        base_url=browser.base,
        environ_overrides={"HTTP_HOST": "gateway.test:81"},
    )
    assert answer.status_code == 200
    world.run_worker()
    (text,) = mailed(world, "password_reset_link")
    links = [word for word in text.split() if "://" in word]
    assert links
    assert all(link.startswith("https://gateway.test/") for link in links)
    assert "evil" not in text


def test_f1_addresses_are_built_from_the_issuer(world: World) -> None:
    """F1: Flask would build them from the Host header."""
    app: Flask = world.app
    with app.test_request_context("/", base_url="https://evil.example"):
        assert url_for("login.signin", _external=True).startswith("https://gateway.test/")


TRUSTED = ("10.0.0.0/8", "fd00::/32", "192.0.2.7")
ADDRESSES = [
    # peer, X-Forwarded-For, what counts
    ("203.0.113.5", None, "203.0.113.5"),
    ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
    ("203.0.113.5", "junk", "203.0.113.5"),
    ("10.0.0.1", None, "10.0.0.1"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", " , ,", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", "198.51.100.1, 192.0.2.7, 10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", "junk, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.1"),
    ("fd00::1", "2001:db8::9", "2001:db8::9"),
    # With a port, in brackets, with a zone, IPv4 as IPv6.
    ("10.0.0.1", "203.0.113.7:51234", "203.0.113.7"),
    ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
    ("10.0.0.1", "[2001:DB8:0::7]", "2001:db8::7"),
    ("10.0.0.1", "198.51.100.1:80, 10.0.0.2:81", "198.51.100.1"),
    ("10.0.0.1", "fe80::7%" + "z" * 60, "fe80::7"),
    ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
    ("10.0.0.1", "203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
    ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
    ("::ffff:203.0.113.5", "198.51.100.1", "203.0.113.5"),
    ("fe80::7%" + "z" * 60, None, "fe80::7"),
    ("no-address", "198.51.100.1", UNKNOWN),
    ("", "198.51.100.1", None),
]
JUNK = ("a", "unknown", "_hidden", "198.51.100", "0x7f.1", "١.٢.٣.٤", "1.2.3.4;", "1.2.3.4:",
        "[]:80", "[1.2.3.4", "1.2.3.4%eth0", "2001:db8::7]:80", "1.2.3.4:123456")  # fmt: skip


@pytest.mark.parametrize(("peer", "forwarded", "expected"), ADDRESSES)
def test_f2_only_trusted_proxies_are_believed(
    peer: str, forwarded: str | None, expected: str | None
) -> None:
    """F2, N52: right to left, up to the first address that is no proxy of ours."""
    assert client_address(peer, forwarded or "", TRUSTED) == ClientAddress(expected)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("junk", JUNK)
def test_f2_a_malformed_address_from_a_trusted_proxy_is_unknown_and_logged(
    settings: Settings, capsys: pytest.CaptureFixture[str], junk: str
) -> None:
    """F2: no guess, and no refusal: what stands left of it is not believed."""
    assert client_address("10.0.0.1", f"198.51.100.1, {junk}", TRUSTED) == ClientAddress(
        UNKNOWN, junk
    )
    sent = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": junk.encode().decode("latin-1")}
    with gateway(replace(settings, trusted_proxies=TRUSTED)) as world:
        answer = world.app.test_client().get(
            "/signin", base_url=settings.issuer, environ_overrides=sent
        )
        assert answer.status_code == 200
        assert_protected(answer)
    lines = logged(capsys)
    (said,) = [line for line in lines if line["event"] == "unreadable_forwarded_address"]
    assert said["sent"].encode("latin-1").decode() == junk
    assert said["peer"] == "10.0.0.1"
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["ip"] == UNKNOWN


def test_f2_a_long_ipv6_zone_is_no_error(settings: Settings) -> None:
    """F2: the zone of an address is left out, at the peer and in the header."""
    zoned = "2001:db8::7%" + "z" * 60
    with gateway(replace(settings, trusted_proxies=TRUSTED)) as world:
        for sent in ({"REMOTE_ADDR": zoned},
                     {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": zoned}):  # fmt: skip
            browser = world.browser()
            browser.client.environ_base.update(sent)
            assert browser.sign_in(world.account()).status_code < 400
        assert {row.ip for row in world.events("signin.succeeded")} == {"2001:db8::7"}


def test_f2_the_request_log_names_the_client(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """F2: not the proxy, also for requests that are refused at once."""
    with gateway(replace(settings, trusted_proxies=TRUSTED)) as world:
        for base in (settings.issuer, "https://evil.example"):
            world.app.test_client().get(
                "/signin",
                base_url=base,
                environ_overrides={
                    "REMOTE_ADDR": "::ffff:10.0.0.1",
                    "HTTP_X_FORWARDED_FOR": "203.0.113.7:51234",
                },
            )
    lines = [line for line in logged(capsys) if line["event"] == "request"]
    seen = [(line["status"], line["ip"]) for line in lines]
    assert seen == [(200, "203.0.113.7"), (400, "203.0.113.7")]


def test_f2_events_have_the_verified_client_address(settings: Settings) -> None:
    """F2: what the proxy vouches for, and not what a stranger claims."""
    with gateway(replace(settings, trusted_proxies=TRUSTED)) as world:
        for peer in ("10.0.0.1", "203.0.113.5"):
            browser = world.browser()
            browser.client.environ_base.update(
                REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="198.51.100.1"
            )
            browser.sign_in("nobody")
        seen = [row.ip for row in world.events("signin.refused")]
        assert seen == ["198.51.100.1", "203.0.113.5"]
