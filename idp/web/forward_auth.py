"""Forward authentication for web services with HTTP Basic (MA-08, MA-11).

A reverse proxy asks before each request. nginx ``auth_request``, Caddy ``forward_auth`` and Traefik
``forwardAuth`` accept 2xx and pass 401 and 403 on. nginx converts every other status to 500, so
``idp.web.error_responses`` uses only 401 and 403 here, even after a fault (docs/decisions/0029).
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from idp import client_records, current
from idp.clients import registry
from idp.machines.machine_authentication import AuthenticatedMachine
from idp.machines.machine_refusals import ABOUT_APPLICATION
from idp.policy.held_role_group import HeldRoleGroup

PATH = "/auth/verify"
REALM = 'Basic realm="IESO Gateway", charset="UTF-8"'
MAX_CREDENTIAL = 1000


def blueprint() -> Blueprint:
    """The one endpoint."""
    pages = Blueprint("forward", __name__)
    # Flask would answer OPTIONS with 200, which says yes.
    pages.add_url_rule(PATH, "verify", verify, provide_automatic_options=False)
    return pages


def verify() -> Response:
    """Check a request for the service ``?service=CLIENT_ID``.

    204: headers name the account, its participants and its role groups. 401: the UserID, password,
    address or state is refused. 403: the proxy names no service, or the account holds none of its
    role groups; ``X-Gateway-Error`` has the reason."""
    service = request.args.get("service", "")
    if not service:
        return denied("missing_service")
    if "Authorization" not in request.headers:
        # Most programs ask without first, to be challenged.
        return challenge()
    work = current.work()
    username, password = _credentials()
    outcome = current.machine_authenticator().authenticate(
        work,
        username=username,
        password=password,
        client=registry.find_record(work, service),
    )
    if isinstance(outcome, AuthenticatedMachine):
        return _allowed(outcome)
    # Another password would not change these.
    if outcome.reason in ABOUT_APPLICATION:
        return denied("access_denied")
    return challenge()


def challenge() -> Response:
    """401: other credentials may do (RFC 7617)."""
    return Response(status=401, headers={"WWW-Authenticate": REALM})


def denied(reason: str) -> Response:
    """403: other credentials would not help. The reason is in a header, because nginx drops the
    body."""
    return Response(status=403, headers={"X-Gateway-Error": reason})


def _credentials() -> tuple[str, str]:
    """UserID and password (RFC 7617); empty ones when there are none."""
    given = request.authorization
    if given is None or given.type != "basic":
        return "", ""
    name, password = given.username or "", given.password or ""
    return (name, password) if len(name + password) <= MAX_CREDENTIAL else ("", "")


def _allowed(machine: AuthenticatedMachine) -> Response:
    account, held = machine.account, machine.role_groups
    headers = {
        "X-Gateway-User": account.username,
        "X-Gateway-Subject": client_records.subject_for(
            current.work(), machine.client, account.subject
        ),
        "X-Gateway-Groups": ", ".join(sorted({row.group for row in held})),
        "X-Gateway-Participants": ", ".join(sorted(_numbers(held))),
    }
    return Response(status=204, headers=headers)


def _numbers(held: tuple[HeldRoleGroup, ...]) -> set[str]:
    return {row.participant for row in held}
