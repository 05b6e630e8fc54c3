"""A program of a Rights Administrator: an access token of the running gateway, the commands, and
the role in the account there."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from click.testing import CliRunner, Result

from registration.cli import main
from scripts.make_dist import waited
from tests.live import free_ports
from tests.registration.test_live_demo import signed_in
from tests.registration.test_live_journeys import EMAILS

pytestmark = pytest.mark.xdist_group("live")
SCOPE = "openid registration.read registration.write"
VERIFIER = "a-verifier-of-forty-three-characters-or-more"


class Callback(BaseHTTPRequestHandler):
    """What a program opens for the answer of the gateway."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def callback() -> Iterator[str]:
    """The address of a program on this computer (RFC 8252)."""
    server = HTTPServer(("127.0.0.1", free_ports(1)), Callback)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/callback"
    server.shutdown()
    thread.join()
    server.server_close()


#: So that the token names the role group of the IESO's own people.
DESK_SCOPE = f"{SCOPE} groups"


def token_of(known: dict[str, Any], tier: str, scope: str = SCOPE) -> str:
    """An access token of this person, by authorization code with PKCE."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    client_id = known["registration"]["api_client_id"]
    person = next(one for one in known["registration"]["people"] if one["tier"] == tier)
    meta = requests.get(f"{known['issuer']}/.well-known/openid-configuration", timeout=10).json()
    with callback() as uri:
        asked = {
            "response_type": "code", "client_id": client_id, "redirect_uri": uri, "scope": scope,
            "state": "s", "acr_values": "urn:ieso:acr:mfa", "max_age": "900",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }  # fmt: skip
        start = f"{meta['authorization_endpoint']}?{urlencode(asked)}"
        _, page = signed_in(known, start, person, EMAILS[tier])
        assert page.url.startswith(uri), page.text
        code = parse_qs(urlsplit(page.url).query)["code"][0]
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri,
                "client_id": client_id, "code_verifier": VERIFIER}  # fmt: skip
        answer = requests.post(meta["token_endpoint"], body, timeout=10).json()
    return str(answer["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def state(address: str, token: str) -> str:
    """How far the request at this address is."""
    return str(requests.get(address, headers=bearer(token), timeout=10).json()["state"])


def test_ar06_a_program_grants_a_role_with_a_token_of_the_gateway(
    live_demo: dict[str, Any],
) -> None:
    """AR-06, PR-03, PR-06: the commands with the gateway's own token; the request is done when the
    gateway has it. A holder sees nothing of it."""
    known = live_demo["registration"]
    assert known["api"] == f"{known['url']}/api/v1"
    environ = {"REGISTRATION_URL": known["url"]}
    token = token_of(live_demo, "ra")

    def run(*words: str) -> Result:
        given = environ | {"REGISTRATION_ACCESS_TOKEN": token}
        return CliRunner(env=given).invoke(main, list(words))

    assert "109120" in run("organizations").output
    grid = json.loads(run("grid", "109120", "--search", "100232", "--json").output)
    (row,) = [one for one in grid if one["id"] == "100232"]
    role = "view-market-data"
    acts = ("revoke", "grant") if role in [one["role"] for one in row["holds"]] else (
        "grant", "revoke"
    )  # fmt: skip
    tried = json.loads(run(acts[0], "109120", "100232", role, "--preview", "--json").output)
    assert (tried["possible"], tried["request"]) == (True, None)
    for act in acts:
        done = run(act, "109120", "100232", role, "--json", "--why", "program")
        assert done.exit_code == 0, done.output
        number = json.loads(done.output)["request"]["number"]
        waited(lambda at=f"{known['api']}/requests/{number}": state(at, token) == "done")
    history = json.loads(run("history", "list", "109120", "--person", "100232", "--json").output)
    assert [one["reason"] for one in history[:2]] == ["program", "program"]
    changes = f"{known['api']}/organizations/109120/roles/changes"
    head = bearer(token_of(live_demo, "ra", "openid registration.read"))
    answer = requests.post(changes, json={}, headers=head, timeout=10)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith(":scope_missing")
    head = bearer(token_of(live_demo, "holder"))
    foreign = f"{known['api']}/organizations/111340/roles"
    assert requests.get(foreign, headers=head, timeout=10).status_code == 404


def test_tm02_the_desk_registers_an_organization_by_the_command(live_demo: dict[str, Any]) -> None:
    """TM-02, TM-08, PR-06: the token of the gateway names the role group of the IESO; without the
    scope, and for others, the command finds nothing."""
    known = live_demo["registration"]
    token = token_of(live_demo, "ieso", DESK_SCOPE)

    def run(token: str, *words: str) -> Result:
        given = {"REGISTRATION_URL": known["url"], "REGISTRATION_ACCESS_TOKEN": token}
        return CliRunner(env=given).invoke(main, ["register-organization", *words])

    name = ("Prairie Wind LP", "--number", "109888")
    tried = run(token, *name, "--preview")
    assert (tried.exit_code, tried.output) == (
        0, "Prairie Wind LP: 109888\nNothing was changed.\n",
    )  # fmt: skip
    for other in (token_of(live_demo, "ieso"), token_of(live_demo, "ra", DESK_SCOPE)):
        assert "There is no such thing" in run(other, *name).output
    done = run(token, *name, "--json")
    assert done.exit_code == 0, done.output
    number = json.loads(done.output)["request"]["number"]
    waited(lambda: state(f"{known['api']}/requests/{number}", token) == "done")
