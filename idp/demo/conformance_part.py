"""Clients and a person for the conformance suite of the OpenID Foundation.

The plans send no PKCE, so these clients need none. ``conformance.json`` has everything that a run
of the suite needs; ``conformance/run.py`` reads it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from idp.clients import registry
from idp.clients.client_data import ClientData
from idp.credentials.hashing import PasswordHasher
from idp.demo.home import Home, make_password, make_totp_secret, write_private
from idp.demo.people import Figure
from idp.demo.seed import seed_figure
from idp.models import Account, SignIn
from idp.policy.scopes import IDENTITY_SCOPES
from idp.transaction import Origin, Runtime, UnitOfWork

ALIAS = "ieso-gateway"
PERSON = Figure(
    "conformance",
    "conformc",
    "Camille",
    "Conform",
    "camille.conform@lakes-generation.example",
    "100299",
    (("EMI Market Data Viewer", "109120"),),
    phone="+1 705 555 0199",
    prefers_app=True,
)


def prepare(runtime: Runtime, hasher: PasswordHasher, home: Home, suite: str) -> None:
    """Create what is missing, and write ``conformance.json``. ``suite`` is the suite's address."""
    values = home.secrets()
    is_new = PERSON.role not in values["passwords"]
    values["passwords"].setdefault(PERSON.role, make_password())
    values["totp_secrets"].setdefault(PERSON.role, make_totp_secret())
    clients = _clients(f"{suite}/test/a/{ALIAS}")
    with runtime.step(Origin(actor="demo")) as work:
        if is_new:
            _add_earlier_sign_in(work, seed_figure(work, hasher, PERSON, values))
        for client_id, data in clients.items():
            client = registry.find(work, client_id)
            if client is None:
                _, secret = registry.create(work, data, client_id=client_id)
                values["client_secrets"][client_id] = secret
            else:
                registry.update(work, client, data)
        home.store(values)
    write_private(home.folder / "conformance.json", _describe(home, suite, list(clients), values))


def _add_earlier_sign_in(work: UnitOfWork, account: Account) -> None:
    """A month ago, so that the person is not asked for a second factor as one who is new."""
    at = work.now - timedelta(days=30)
    work.db.add(
        SignIn(
            account_id=account.id, at=at, zone="America/Toronto", ip="127.0.0.1", asn="",
            country="", family="Chrome", major=1, system="Linux", kind="desktop", counted_at=at,
        )
    )  # fmt: skip


def _clients(base: str) -> dict[str, ClientData]:
    """By client id. The second client has a redirect URI with a query (RFC 6749 section 3.1.2)."""
    first = ClientData(
        name="Conformance",
        grant_types=("authorization_code", "refresh_token"),
        scopes=IDENTITY_SCOPES,
        redirect_uris=(f"{base}/callback",),
        post_logout_redirect_uris=(f"{base}/post_logout_redirect",),
        require_pkce=False,
    )
    return {
        "conformance-1": first,
        "conformance-2": replace(
            first,
            name="Conformance, second client",
            redirect_uris=(f"{base}/callback?dummy1=lorem&dummy2=ipsum", f"{base}/callback"),
        ),
        # The plan of RP-Initiated Logout expects no back-channel logouts.
        "conformance-logout": replace(
            first,
            name="Conformance, back-channel logout",
            backchannel_logout_uri=f"{base}/backchannel_logout",
        ),
        "conformance-frames": replace(
            first,
            name="Conformance, front-channel logout",
            frontchannel_logout_uri=f"{base}/frontchannel_logout",
            frontchannel_logout_session_required=True,
        ),
    }


def _describe(home: Home, suite: str, clients: list[str], values: dict[str, Any]) -> dict[str, Any]:
    return {
        "issuer": home.issuer,
        "suite": suite,
        "alias": ALIAS,
        "person": {
            "username": PERSON.username,
            "password": values["passwords"][PERSON.role],
            "totp_secret": values["totp_secrets"][PERSON.role],
        },
        "clients": {name: values["client_secrets"][name] for name in clients},
    }
