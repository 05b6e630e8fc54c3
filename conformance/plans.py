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
}
#: The first client of plans that need one of their own.
CLIENTS = {"backchannel": "conformance-logout", "frontchannel": "conformance-frames"}


def configuration(plan: Plan, known: dict[str, Any]) -> dict[str, Any]:
    """The settings of a plan, from ``conformance.json``."""
    key = next(key for key, one in PLANS.items() if one is plan)
    first = CLIENTS.get(key, "conformance-1")
    pair = [
        {"client_id": name, "client_secret": known["clients"][name]}
        for name in (first, "conformance-2")
    ]
    return {
        "alias": known["alias"],
        "description": plan.title,
        "server": {"discoveryUrl": f"{known['issuer']}/.well-known/openid-configuration"},
        "client": pair[0],
        "client2": pair[1],
        "client_secret_post": pair[0],
    }
