"""The plans that are run, with their variants and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """A plan of the suite with its variant."""

    name: str
    title: str
    variant: dict[str, str] = field(default_factory=dict)


STATIC = {"server_metadata": "discovery", "client_registration": "static_client"}
FAPI = {
    "fapi_profile": "plain_fapi",
    "openid": "openid_connect",
    "authorization_request_type": "simple",
    "client_auth_type": "private_key_jwt",
    "sender_constrain": "dpop",
}
FAPI_MTLS = FAPI | {"client_auth_type": "mtls", "sender_constrain": "mtls"}
LOGOUT = {"response_type": "code", "client_registration": "static_client"}
PLANS = {
    "config": Plan("oidcc-config-certification-test-plan", "Config OP"),
    "basic": Plan("oidcc-basic-certification-test-plan", "Basic OP", STATIC),
    "formpost": Plan("oidcc-formpost-basic-certification-test-plan", "Form Post OP", STATIC),
    "rp-logout": Plan(
        "oidcc-rp-initiated-logout-certification-test-plan", "RP-Initiated Logout OP", LOGOUT
    ),
    "backchannel": Plan(
        "oidcc-backchannel-rp-initiated-logout-certification-test-plan",
        "Back-Channel Logout OP",
        LOGOUT,
    ),
    "frontchannel": Plan(
        "oidcc-frontchannel-rp-initiated-logout-certification-test-plan",
        "Front-Channel Logout OP",
        LOGOUT,
    ),
    "dynamic": Plan(
        "oidcc-dynamic-certification-test-plan", "Dynamic OP", {"response_type": "code"}
    ),
    "fapi2": Plan(
        "fapi2-security-profile-final-test-plan",
        "FAPI 2.0 Security Profile, final (private_key_jwt, DPoP)",
        FAPI,
    ),
    "fapi2-mtls": Plan(
        "fapi2-security-profile-final-test-plan",
        "FAPI 2.0 Security Profile, final (mTLS, mTLS)",
        FAPI_MTLS,
    ),
}
#: The first client of plans that need one of their own.
CLIENTS = {"backchannel": "conformance-logout", "frontchannel": "conformance-frames"}


#: Modules that come twice with the same address: the first time the person only looks.
LOOKED = (
    "fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
)
#: Modules before whose start an operator rotates the keys.
ROTATED = ("oidcc-server-rotate-keys",)
#: Modules in which the person does not allow the application anything.
REFUSED = ("fapi2-security-profile-final-user-rejects-authentication",)


def possible(known: dict[str, Any]) -> list[str]:
    """The plans for which ``conformance.json`` has clients."""
    return [name for name in PLANS if name != "fapi2-mtls" or known["certificates"]]


def configuration(plan: Plan, known: dict[str, Any]) -> dict[str, Any]:
    """The settings of a plan, from ``conformance.json``."""
    key = next(key for key, one in PLANS.items() if one is plan)
    return {
        "alias": known["alias"],
        "description": plan.title,
        "server": {"discoveryUrl": f"{known['issuer']}/.well-known/openid-configuration"},
        **_clients(key, known),
    }


def _clients(key: str, known: dict[str, Any]) -> dict[str, Any]:
    if key == "dynamic":
        return _registered(known)
    if key == "fapi2":
        return _with_keys(known, "conformance-fapi", known["issuer"])
    if key == "fapi2-mtls":
        return _with_certificates(known)
    return _with_secrets(CLIENTS.get(key, "conformance-1"), known)


def _with_secrets(first: str, known: dict[str, Any]) -> dict[str, Any]:
    pair = [
        {"client_id": name, "client_secret": known["clients"][name]}
        for name in (first, "conformance-2")
    ]
    return {"client": pair[0], "client2": pair[1], "client_secret_post": pair[0]}


def _registered(known: dict[str, Any]) -> dict[str, Any]:
    """Clients that register themselves."""
    client = {"client_name": "Conformance", "initial_access_token": known["initial_token"]}
    return {"client": client, "client2": client}


def _with_certificates(known: dict[str, Any]) -> dict[str, Any]:
    """Clients with certificates, and the resource where the proxy asks for these. The suite wants
    keys of clients that sign nothing too."""
    first, second = known["certificates"].values()
    pairs = {"mtls": first, "mtls2": second}
    return _with_keys(known, "conformance-mtls", known["mtls"]) | pairs


def _with_keys(known: dict[str, Any], name: str, address: str) -> dict[str, Any]:
    """Two clients with their private keys, and the resource that they ask."""
    first, second = (
        {
            "client_id": client_id,
            "scope": "openid offline_access",
            "jwks": {"keys": [known["keys"][client_id]]},
        }
        for client_id in (f"{name}-1", f"{name}-2")
    )
    resource = {"resourceUrl": f"{address}/oauth2/v1/userinfo"}
    return {"client": first, "client2": second, "resource": resource}
