"""The guided tour at ``/demo/tour``: what to try, as whom, and what has been done.

It shows the passwords of the demonstration, so it exists only where ``gateway demo`` runs.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from idp import current
from idp.demo import registration_people, tour_steps
from idp.demo.home import Home
from idp.demo.people import APPS, FIGURES, PUSHER, REGISTRATION, Figure
from idp.models import AccountKind
from idp.transaction import UnitOfWork
from registration_bridge.user_schema import REGISTRATION as EXTENSION

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
#: What a program reads a token with, where only a shell is there.
TOKEN_OF = r"""sed 's/.*"access_token": *"\([^"]*\)".*/\1/'"""  # noqa: S105 - no token


@dataclass(frozen=True)
class Guest:
    """Whom a step names. An empty password: only the visitor knows it."""

    name: str
    username: str
    password: str


def blueprint() -> Blueprint:
    """The page of the demonstration in ``IDP_DEMO_FOLDER``."""
    tour = Blueprint("demo", __name__)
    tour.add_url_rule("/demo/tour", "tour", show)
    return tour


def show() -> str:
    """The steps with the state of each."""
    work = current.work()
    home = Home(Path(work.settings.demo_folder), urlsplit(work.settings.issuer).port or 80)
    values = home.secrets()
    return render_template(
        "demo/tour.html",
        steps=tour_steps.steps(work),
        guests=_guests(work, values),
        links=_links(home, values),
        push_command=_push_command(home, values),
        token_command=_token_command(home, values),
    )


def _guests(work: UnitOfWork, values: dict[str, Any]) -> dict[str, Guest]:
    """By role."""
    return {
        figure.role: _guest(work, figure, values["passwords"][figure.role])
        for figure in (*FIGURES, *registration_people.figures())
    }


def _guest(work: UnitOfWork, figure: Figure, seeded: str) -> Guest:
    password = "" if tour_steps.has_own_password(work, figure.username) else seeded
    return Guest(f"{figure.given_name} {figure.family_name}", figure.username, password)


def _links(home: Home, values: dict[str, Any]) -> dict[str, str]:
    found = {app.client_id: f"{home.app_url(app.offset)}/signin" for app in APPS}
    roles = "/organizations/109120/persons/100232/roles"
    return found | {
        "activation": home.issuer + (values["activation_path"] or ""),
        "roles": home.app_url(REGISTRATION.offset) + roles,
    }


def _push_command(home: Home, values: dict[str, Any]) -> str:
    """A shell command that creates an account, by curl."""
    user = {
        "schemas": [CORE, EXTENSION],
        "userName": tour_steps.PUSHED,
        "name": {"givenName": "Nora", "familyName": "Lindqvist"},
        "emails": [{"value": "nora.lindqvist@lakes-generation.example", "primary": True}],
        EXTENSION: {
            "personId": "100237",
            "accountKind": AccountKind.PERSONAL,
            "grants": [{"roleGroup": "CROW Viewer", "participantId": "109120"}],
        },
    }
    credentials = shlex.quote(f"{PUSHER}:{values['client_secrets'][PUSHER]}")
    return (
        f"TOKEN=$(curl --silent --user {credentials} {home.issuer}/oauth2/v1/token \\\n"
        f"  --data grant_type=client_credentials --data scope=scim | {TOKEN_OF})\n"
        f"curl {home.issuer}/scim/v2/Users \\\n"
        '  --header "Authorization: Bearer $TOKEN" \\\n'
        '  --header "Content-Type: application/scim+json" \\\n'
        f"  --data {shlex.quote(json.dumps(user, indent=1))}"
    )


def _token_command(home: Home, values: dict[str, Any]) -> str:
    """A shell command that gets a token of the machine account, by curl."""
    machine = next(figure for figure in FIGURES if figure.kind is AccountKind.MACHINE)
    credentials = shlex.quote(f"{machine.username}:{values['passwords'][machine.role]}")
    return (
        f"curl --user {credentials} {home.issuer}/oauth2/v1/token \\\n"
        "  --data grant_type=client_credentials --data resource=mim"
    )
