"""The key that a request counts under: the account or client that it names, if the network is known
for it, else the network. Unknown senders cannot use up the budget of an account or client
(docs/decisions/0029)."""

from __future__ import annotations

from urllib.parse import unquote_plus

from flask import request

from idp import current
from idp.clients import registry
from idp.credentials import assertions
from idp.machines import machine_logins
from idp.policy.addresses import network_of
from idp.signin import state_loader

#: Lock-out keys that unknown senders cannot use up.
OWN = ("browser:", "network:")


def by_network() -> str:
    """The network of the request; for IPv6, the /64."""
    return network_of(current.sender_ip())


def by_name() -> str:
    """The account that signs in, if it is remembered in this browser or known in this network."""
    key = current.attempt().key
    return key if key.startswith(OWN) else by_network()


def by_holder() -> str:
    """The person whose first factor was verified in this sign-in, or who has a session."""
    work, found, session = (
        current.work(),
        current.interaction(),
        current.browser_session(),
    )
    account = state_loader.account_in_progress(work, found)
    account = account or (session.account if session else None)
    return f"holder:{account.id}:{by_network()}" if account else by_network()


def by_client() -> str:
    """A client, or a machine account in one of its networks, at the token endpoint."""
    name, assertion = _basic_name(), request.form.get("client_assertion", "")
    if assertion:
        name = assertions.unverified_subject(assertion)
    name = unquote_plus(name) or request.form.get("client_id", "")
    client = registry.find_record(current.work(), name) if name else None
    return f"client:{client.id}:{by_network()}" if client else _of_machine(name)


def by_basic() -> str:
    """A machine account in one of its networks, at forward authentication."""
    return _of_machine(_basic_name())


def _basic_name() -> str:
    given = request.authorization
    return (given.username or "") if given and given.type == "basic" else ""


def _of_machine(name: str) -> str:
    work = current.work()
    found = machine_logins.find(work, name)
    if found.account is None or found.network_of(work.origin.ip) is None:
        return by_network()
    return f"machine:{found.account.id}:{by_network()}"


def is_post() -> bool:
    """Whether the method is POST."""
    return request.method == "POST"


def is_any() -> bool:
    """Every request."""
    return True


def sends_basic() -> bool:
    """Whether a program sends credentials; many first send a request without, to get a
    challenge."""
    return bool(request.headers.get("Authorization"))


def sends_client_credentials() -> bool:
    """Whether the request to the token endpoint has client credentials."""
    sent = current.asked()
    if sent.method != "POST":
        return False
    if sent.environ.get("HTTP_AUTHORIZATION"):
        return True
    return bool(sent.form.get("client_secret") or sent.form.get("client_assertion"))
