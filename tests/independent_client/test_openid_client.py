"""A relying party built on a library that others wrote works with the gateway as it is."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

HERE = Path(__file__).parent
MISSING = "needs Node.js and what `make node-tools` installs"

pytestmark = [pytest.mark.independent, pytest.mark.xdist_group("live")]


def _node() -> str:
    """The path of Node.js; without it the test is skipped, except in CI."""
    node = shutil.which("node")
    if node and (HERE / "node_modules" / "openid-client").is_dir():
        return node
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)


def _run(
    demo: dict[str, Any], *, role: str = "trader", party: int = 0, **overrides: str
) -> subprocess.CompletedProcess[str]:
    """Run the client as a relying party of the demonstration, for one of its people."""
    node = _node()
    application = demo["relying_parties"][party]
    person = next(p for p in demo["people"] if p["role"] == role)
    environ = {
        "PATH": os.environ["PATH"],
        "ISSUER": demo["issuer"],
        "CLIENT_ID": application["client_id"],
        "CLIENT_SECRET": application["client_secret"],
        "REDIRECT_URI": application["redirect_uris"][0],
        "POST_LOGOUT_REDIRECT_URI": application["post_logout_redirect_uris"][0],
        "USERNAME": person["username"],
        "PASSWORD": person["password"],
        "TOTP_SECRET": person["totp_secret"],
    } | overrides
    return subprocess.run(
        [node, "client.mjs"],
        cwd=HERE,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_certified_client_library_signs_in_refreshes_and_signs_out(
    live_demo: dict[str, Any],
) -> None:
    run = _run(live_demo)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)

    party = live_demo["relying_parties"][0]
    claims = result["claims"]
    assert result["issuer"] == claims["iss"] == live_demo["issuer"]
    assert claims["aud"] == party["client_id"]
    assert claims["acr"] == "urn:ieso:acr:mfa"
    assert claims["amr"] == ["pwd", "otp", "mfa"]
    assert result["tokenType"] == "bearer"
    assert result["rotated"] is True
    assert result["userinfo"]["sub"] == claims["sub"]

    introspection = result["introspection"]
    assert introspection["before"]["active"] is True
    assert introspection["before"]["client_id"] == party["client_id"]
    assert introspection["refreshTokenAfter"] == {"active": False}
    assert introspection["accessTokenAfter"] == {"active": False}

    assert result["silentBefore"] == "signed in"
    assert result["logout"]["redirectedTo"] == party["post_logout_redirect_uris"][0]
    assert result["silentAfter"] == "login_required"


def test_a_certified_client_library_binds_its_tokens_to_a_key(live_demo: dict[str, Any]) -> None:
    """RFC 9449: a pushed request, tokens, refresh and userinfo with proofs. One request is repeated
    with the nonce that the gateway demanded. RFC 9701: the library verifies the signed answers of
    introspection."""
    # A code of an authenticator app is accepted once: each test signs in another person.
    run = _run(live_demo, role="access_management", DPOP="1")
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["tokenType"] == "dpop"
    assert result["rotated"] is True
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["introspection"]["before"]["token_type"] == "DPoP"
    assert len(result["introspection"]["before"]["cnf"]["jkt"]) == 43
    assert result["nonces"] == ["400 /oauth2/v1/token"]
    assert "application/token-introspection+jwt" in result["types"]


def test_a_certified_client_library_decrypts_its_tokens(
    live_demo: dict[str, Any], tmp_path: Path
) -> None:
    """OIDC Core 10.2, with a key that the command line registers. The hint at sign-out is the
    signed ID token from inside."""
    party, key = live_demo["relying_parties"][1], ECKey.generate_key("P-256")
    more = {"use": "enc", "kid": "mine"}
    file = tmp_path / "key.json"
    file.write_text(json.dumps({**key.as_dict(private=False), **more}))
    _gateway(
        live_demo, "client", "update", party["client_id"], "--key-file", str(file),
        "--id-token-encryption-alg", "ECDH-ES+A256KW", "--userinfo-alg", "ES256",
        "--userinfo-encryption-alg", "ECDH-ES+A256KW",
    )  # fmt: skip
    private = json.dumps({**key.as_dict(private=True), "kid": "mine"})
    run = _run(live_demo, role="second_access_management", party=1, ENCRYPTION_KEY=private)
    # The application of the demonstration itself decrypts nothing.
    _gateway(
        live_demo, "client", "update", party["client_id"], "--id-token-encryption-alg", "none",
        "--userinfo-encryption-alg", "none", "--userinfo-alg", "none",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["decrypted"] == 3
    assert result["claims"]["aud"] == party["client_id"]
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["logout"]["redirectedTo"] == party["post_logout_redirect_uris"][0]
    assert result["silentAfter"] == "login_required"


def _gateway(demo: dict[str, Any], *arguments: str) -> None:
    """A command of the gateway, in the environment of the demonstration."""
    command = [sys.executable, "-m", "idp.cli", *arguments]
    subprocess.run(
        ["bash", "-c", f". {shlex.quote(demo['folder'])}/gateway.env; exec {shlex.join(command)}"],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )


def test_a_wrong_client_secret_is_refused_as_invalid_client(live_demo: dict[str, Any]) -> None:
    run = _run(live_demo, role="auditor", CLIENT_SECRET="not-the-secret-of-this-client")
    assert run.returncode == 1
    assert "invalid_client" in run.stderr


def test_a_wrong_password_leads_back_to_the_sign_in_page(live_demo: dict[str, Any]) -> None:
    run = _run(live_demo, PASSWORD="Not-the-password-9!")
    assert run.returncode == 1
    assert "/signin" in run.stderr
