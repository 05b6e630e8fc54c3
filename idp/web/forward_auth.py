"""Forward authentication: a reverse proxy asks before each request to a web service that speaks
HTTP Basic (MA-08, MA-11). nginx ``auth_request``, Caddy ``forward_auth`` and Traefik
``forwardAuth`` take 2xx for yes and pass 401 and 403 on."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_limiter import RateLimitExceeded

from idp import current
from idp.clients import registry
from idp.directory.role_groups import Held
from idp.limits import counter
from idp.machines.machine_accounts import Admitted

REALM = 'Basic realm="IESO Gateway", charset="UTF-8"'
MAX_CREDENTIAL = 1000
#: Refusals that another password would not change: 403 instead of 401.
NOT_ALLOWED = ("unknown_application", "no_role_group")


def blueprint() -> Blueprint:
    """The one endpoint."""
    pages = Blueprint("forward", __name__)
    pages.add_url_rule("/auth/verify", "verify", verify)
    pages.register_error_handler(RateLimitExceeded, _limited)
    return pages


def verify() -> Response:
    """204 with who it is and what they may do at the service ``?service=CLIENT_ID``; 401 when
    UserID, password, address or state do not do, 403 when service or role group is missing, or
    with Retry-After when there were too many refusals."""
    if "Authorization" not in request.headers:
        # Most programs ask without first, to be challenged.
        return _challenge()
    work = current.work()
    username, password = _credentials()
    outcome = current.machines().admit(
        work,
        username=username,
        password=password,
        client=registry.find(work, request.args.get("service", "")),
    )
    if isinstance(outcome, Admitted):
        return _admitted(outcome)
    if outcome.reason in NOT_ALLOWED:
        return Response(status=403)
    return _challenge()


def _challenge() -> Response:
    return Response(status=401, headers={"WWW-Authenticate": REALM})


def _limited(_error: RateLimitExceeded) -> Response:
    """403, because nginx makes an error of its own (500) of everything but 2xx, 401 and 403."""
    return Response(status=403, headers={"Retry-After": str(counter.seconds_left())})


def _credentials() -> tuple[str, str]:
    """UserID and password (RFC 7617); empty ones when there are none."""
    given = request.authorization
    if given is None or given.type != "basic":
        return "", ""
    name, password = given.username or "", given.password or ""
    return (name, password) if len(name + password) <= MAX_CREDENTIAL else ("", "")


def _admitted(outcome: Admitted) -> Response:
    account, held = outcome.account, outcome.held
    headers = {
        "X-Gateway-User": account.username,
        "X-Gateway-Subject": account.subject,
        "X-Gateway-Groups": ", ".join(sorted({row.group for row in held})),
        "X-Gateway-Participants": ", ".join(sorted(_numbers(held))),
    }
    return Response(status=204, headers=headers)


def _numbers(held: tuple[Held, ...]) -> set[str]:
    return {row.participant for row in held}
