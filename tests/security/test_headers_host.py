"""Host and forwarding headers: refused or ignored, never believed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from flask import Flask, url_for
from sqlalchemy import select
from werkzeug.test import EnvironBuilder

from idp.browser import BadProxyHeader, client_address
from idp.models import OutboxMessage
from idp.settings import Settings
from idp.web.security import _is_ours
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
        return [json.loads(work.vault.unseal(row.body_sealed))["text"] for row in rows]


@pytest.mark.parametrize("host", EVIL_HOSTS)
def test_n60_another_host_is_refused_on_every_route(world: World, host: str) -> None:
    """N60: 400 before anything else, in a page that is whole."""
    client = world.app.test_client()
    for path in paths(world.app):
        answer = client.get(
            path, base_url=world.settings.issuer, environ_overrides={"HTTP_HOST": host}
        )
        assert answer.status_code == 400, path
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
    assert _is_ours(issuer.split("://")[1], replace(settings, issuer=issuer))
    assert not _is_ours("evil.example:8000", replace(settings, issuer=issuer))


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


TRUSTED = ("10.0.0.0/8", "fd00::/8", "192.0.2.7")
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
    ("", "198.51.100.1", None),
]
JUNK = ("a", "198.51.100.1:80", "unknown", "_hidden", "198.51.100", "0x7f.1", "١.٢.٣.٤", "1.2.3.4;")


@pytest.mark.parametrize(("peer", "forwarded", "expected"), ADDRESSES)
def test_f2_only_trusted_proxies_are_believed(
    world: World, peer: str, forwarded: str | None, expected: str | None
) -> None:
    """F2, N52: right to left, up to the first address that is no proxy of ours."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    environ = EnvironBuilder(environ_base={"REMOTE_ADDR": peer}, headers=headers).get_environ()
    assert client_address(world.app.request_class(environ), TRUSTED) == expected


@pytest.mark.parametrize("junk", JUNK)
def test_f2_junk_from_a_trusted_proxy_is_refused(settings: Settings, junk: str) -> None:
    """F2: 400 rather than a guess."""
    builder = EnvironBuilder(environ_base={"REMOTE_ADDR": "10.0.0.1"})
    builder.environ_base["HTTP_X_FORWARDED_FOR"] = junk
    with gateway(replace(settings, trusted_proxies=TRUSTED)) as world:
        incoming = world.app.request_class(builder.get_environ())
        with pytest.raises(BadProxyHeader):
            client_address(incoming, TRUSTED)
        answer = world.app.test_client().get(
            "/signin",
            base_url=settings.issuer,
            environ_overrides={"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": junk},
        )
        assert answer.status_code == 400
        assert_protected(answer)


def test_f2_the_trail_holds_the_address_that_counts(settings: Settings) -> None:
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
