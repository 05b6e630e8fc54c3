"""Clients, people and an initial access token for the conformance suite of the OpenID Foundation.

Most plans send no PKCE, so their clients need none; those of the FAPI plan have its profile.
``conformance.json`` has everything that a run of the suite needs; ``conformance/run.py`` reads it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from idp.clients import initial_tokens, registry
from idp.clients.client_data import ClientData
from idp.clients.registration_refusals import TokenNotAccepted
from idp.credentials.assertions import public_key
from idp.credentials.hashing import PasswordHasher
from idp.demo import conformance_certificates
from idp.demo.home import Home, make_password, make_totp_secret, write_private
from idp.demo.people import Figure
from idp.demo.seed import seed_figure
from idp.models import AuthMethod
from idp.policy.registered_values import TlsSubjectField
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
    has_signed_in=True,
)
#: Has allowed nothing yet, and refuses.
REFUSER = Figure(
    "conformance-refuser",
    "conformr",
    "Robin",
    "Conform",
    "robin.conform@lakes-generation.example",
    "100298",
    (("EMI Market Data Viewer", "109120"),),
    phone="+1 705 555 0198",
    prefers_app=True,
    has_signed_in=True,
)
#: The clients of the FAPI plan with the algorithms of their keys. The suite takes private keys.
FAPI_KEYS = {"conformance-fapi-1": "PS256", "conformance-fapi-2": "ES256"}
#: The clients of the plan with certificates, with the names in these.
CERTIFICATE_HOSTS = {
    "conformance-mtls-1": "first.conformance.example",
    "conformance-mtls-2": "second.conformance.example",
}
#: For the plan of dynamic registration: more than one run registers, for as long as is possible.
REGISTRATIONS, REGISTRATION_DAYS = 1000, 90


def prepare(runtime: Runtime, hasher: PasswordHasher, home: Home, suite: str) -> None:
    """Create what is missing, and write ``conformance.json``. ``suite`` is the suite's address."""
    values = home.secrets()
    new = [person for person in (PERSON, REFUSER) if person.role not in values["passwords"]]
    for person in new:
        values["passwords"][person.role] = make_password()
        values["totp_secrets"][person.role] = make_totp_secret()
    keys = values.setdefault("conformance_keys", {})
    for client_id, alg in FAPI_KEYS.items():
        keys.setdefault(client_id, _private_key(alg))
    base = f"{suite}/test/a/{ALIAS}"
    clients = _clients(base, keys)
    if home.mtls:
        clients |= _certified(base, _certificates(home, values))
    with runtime.step(Origin(actor="demo")) as work:
        for person in new:
            seed_figure(work, hasher, person, values)
        values["initial_token"] = _initial_token(work, values.get("initial_token", ""))
        for client_id, data in clients.items():
            client = registry.find(work, client_id)
            if client is None:
                _, secret = registry.create(work, data, client_id=client_id)
                values["client_secrets"][client_id] = secret
            else:
                registry.update(work, client, data)
        home.store(values)
    write_private(home.folder / "conformance.json", _describe(home, suite, list(clients), values))


def _initial_token(work: UnitOfWork, known: str) -> str:
    """The present initial access token, or a new one if it registers nothing any more."""
    try:
        initial_tokens.find_usable(work, known)
    except TokenNotAccepted:
        _, known = initial_tokens.issue(
            work,
            name="Conformance suite",
            uses=REGISTRATIONS,
            days=REGISTRATION_DAYS,
            require_pkce=False,
            # The suite signs assertions for the token endpoint.
            token_endpoint_audience=True,
        )
    return known


def _private_key(alg: str) -> dict[str, Any]:
    """A private JWK. Its ``kid`` is its thumbprint, as in the registration."""
    key = ECKey.generate_key("P-256") if alg == "ES256" else RSAKey.generate_key(2048)
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "alg": alg, "use": "sig"}


def _certificates(home: Home, values: dict[str, Any]) -> dict[str, str]:
    """The certificates (PEM) by client id. The first is signed by an authority, whose certificate
    is left in the folder for the proxy; the second signs itself."""
    known: dict[str, Any] = values.setdefault("conformance_certificates", {})
    if not known:
        known["authority"] = conformance_certificates.authority()
        signers = (known["authority"], None)
        for (client_id, host), signer in zip(CERTIFICATE_HOSTS.items(), signers, strict=True):
            key = values["conformance_keys"][client_id] = _private_key("ES256")
            known[client_id] = conformance_certificates.certificate(key, host, signer)
    path = home.folder / "conformance-authority.pem"
    path.write_text(known["authority"]["certificate"], encoding="utf-8")
    return {client_id: known[client_id] for client_id in CERTIFICATE_HOSTS}


def _first(base: str) -> ClientData:
    return ClientData(
        name="Conformance",
        grant_types=("authorization_code", "refresh_token"),
        scopes=IDENTITY_SCOPES,
        redirect_uris=(f"{base}/callback",),
        post_logout_redirect_uris=(f"{base}/post_logout_redirect",),
        require_pkce=False,
    )


def _with_query(base: str) -> tuple[str, str]:
    """The redirect URIs of second clients: one has a query (RFC 6749 section 3.1.2)."""
    return f"{base}/callback?dummy1=lorem&dummy2=ipsum", f"{base}/callback"


def _certified(base: str, certificates: dict[str, str]) -> dict[str, ClientData]:
    """The clients of the FAPI plan with mutual TLS, by client id."""
    by_authority, by_itself = CERTIFICATE_HOSTS
    common = replace(
        _first(base),
        redirect_uris=_with_query(base),
        certificate_bound_tokens=True,
        fapi2_security_profile=True,
    )
    return {
        by_authority: replace(
            common,
            name="Conformance, FAPI 2.0 (certificate)",
            auth_method=AuthMethod.TLS,
            tls_subject_field=TlsSubjectField.SAN_DNS,
            tls_subject=CERTIFICATE_HOSTS[by_authority],
        ),
        by_itself: replace(
            common,
            name="Conformance, FAPI 2.0 (certificate that signs itself)",
            auth_method=AuthMethod.SELF_SIGNED_TLS,
            keys=(public_key(certificates[by_itself]),),
        ),
    }


def _clients(base: str, keys: dict[str, Any]) -> dict[str, ClientData]:
    """The other clients, by client id."""
    first, with_query = _first(base), _with_query(base)
    profiled = {
        client_id: replace(
            first,
            name=f"Conformance, FAPI 2.0 ({alg})",
            auth_method=AuthMethod.KEY,
            keys=(public_key(json.dumps(_public(keys[client_id]))),),
            redirect_uris=with_query,
            fapi2_security_profile=True,
        )
        for client_id, alg in FAPI_KEYS.items()
    }
    return profiled | {
        "conformance-1": first,
        "conformance-2": replace(
            first, name="Conformance, second client", redirect_uris=with_query
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


def _public(key: dict[str, Any]) -> dict[str, Any]:
    kind = ECKey if key["kty"] == "EC" else RSAKey
    return dict(kind.import_key(key).as_dict(private=False))


def _describe(home: Home, suite: str, clients: list[str], values: dict[str, Any]) -> dict[str, Any]:
    return {
        "issuer": home.issuer,
        "database": home.database,
        "suite": suite,
        "alias": ALIAS,
        "person": _person(PERSON, values),
        "refuser": _person(REFUSER, values),
        "clients": {name: values["client_secrets"][name] for name in clients},
        "keys": values["conformance_keys"],
        "mtls": home.mtls,
        "certificates": _pairs(values) if home.mtls else {},
        "initial_token": values["initial_token"],
    }


def _pairs(values: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Certificate and key as the suite takes them."""
    return {
        client_id: {
            "cert": values["conformance_certificates"][client_id],
            "key": conformance_certificates.key_pem(values["conformance_keys"][client_id]),
        }
        for client_id in CERTIFICATE_HOSTS
    }


def _person(figure: Figure, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "username": figure.username,
        "password": values["passwords"][figure.role],
        "totp_secret": values["totp_secrets"][figure.role],
    }
