"""Glewlwyd from Debian, with its rows in the database of the run: one process with a thread for
each connection. SQLite's own default commits durably. Access tokens are JWTs by ES256."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.peers.posts import post

PROGRAM = shutil.which("glewlwyd")
#: The tables, as the package makes them.
TABLES = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
#: Where its endpoints are.
PREFIX = "/api/oidc"
CLIENT, PERSON, PASSWORD = "bench", "moreaua", "Quartz-Heron7-lantern"
#: Of the package, which a new installation is expected to change.
ADMINISTRATOR = {"username": "admin", "password": "password"}
_SETTINGS = """port={port}
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="ERROR"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
user_middleware_module_path="/usr/lib/glewlwyd/user_middleware"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm = "SHA512"
database = {{ type = "sqlite3" path = "{database}" }};
"""


def command(folder: str, port: int) -> list[str]:
    """Make database and settings in the folder. Returns what starts the server."""
    database, settings = Path(folder) / "glewlwyd.db", Path(folder) / "glewlwyd.conf"
    with sqlite3.connect(database) as connection:
        connection.executescript(TABLES.read_text(encoding="utf-8"))
    settings.write_text(_SETTINGS.format(port=port, database=database), encoding="utf-8")
    return [str(PROGRAM), f"--config-file={settings}"]


def set_up(port: int, secret: str, refresh_tokens: int) -> list[str]:
    """Make provider, client and person on the running server. Returns an access token of the person
    and some refresh tokens."""
    signed_in = _sign_in(port)

    def make(path: str, values: dict[str, Any]) -> None:
        _ask(port, f"/api/{path}", json.dumps(values), signed_in)

    make("mod/plugin/", {
        "module": "oidc", "name": "oidc", "display_name": "oidc", "enabled": True,
        "parameters": _provider(port),
    })  # fmt: skip
    make("scope/", {"name": "api", "display_name": "api", "password_required": False})
    make("client/?source=database", {
        "client_id": CLIENT, "name": CLIENT, "confidential": True, "enabled": True,
        "client_secret": secret, "token_endpoint_auth_method": ["client_secret_basic"],
        "authorization_type": ["client_credentials", "password", "refresh_token"],
        "redirect_uri": ["http://localhost/cb"], "scope": ["api"],
    })  # fmt: skip
    make("user/?source=database", {
        "username": PERSON, "name": "Ada Moreau", "email": "moreaua@bench.example",
        "password": PASSWORD, "enabled": True, "scope": ["openid", "g_profile"],
    })  # fmt: skip
    issued = [_tokens(port, secret) for _ in range(refresh_tokens)]
    return [issued[0]["access_token"], *(tokens["refresh_token"] for tokens in issued)]


def _sign_in(port: int) -> dict[str, str]:
    headers, _ = _ask(port, "/api/auth/", json.dumps(ADMINISTRATOR), {})
    return {"Cookie": headers["Set-Cookie"].partition(";")[0]}


def _tokens(port: int, secret: str) -> dict[str, str]:
    """Tokens of the person, by his password."""
    form = {"grant_type": "password", "username": PERSON, "password": PASSWORD, "scope": "openid"}
    basic = base64.b64encode(f"{CLIENT}:{secret}".encode()).decode()
    headers = {
        "Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    _, body = _ask(port, f"{PREFIX}/token", urlencode(form), headers)
    return dict(json.loads(body))


def _provider(port: int) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "iss": f"http://127.0.0.1:{port}", "jwt-type": "ecdsa", "jwt-key-size": "256",
        "key": private.decode(), "cert": public.decode(), "access-token-duration": 3600,
        "refresh-token-duration": 86400, "code-duration": 300, "refresh-token-rolling": True,
        "refresh-token-one-use": "always", "allow-non-oidc": True, "subject-type": "public",
        "auth-type-client-enabled": True, "auth-type-code-enabled": True,
        "auth-type-token-enabled": False, "auth-type-id-token-enabled": True,
        "auth-type-refresh-enabled": True, "auth-type-password-enabled": True,
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "introspection-revocation-auth-scope": ["api"], "jwks-show": True, "jwks-x5c": [],
    }  # fmt: skip


def _ask(port: int, path: str, body: str, headers: dict[str, str]) -> tuple[HTTPMessage, str]:
    return post("glewlwyd", port, path, body, {"Content-Type": "application/json"} | headers)
