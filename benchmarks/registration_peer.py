"""A gateway that answers registration at once, so that its pages can be measured alone.

It signs ID tokens and access tokens with a key of its own, and says of every push that it would be
done. Nothing is looked up, so the times of pages that ask the gateway have the calls but not the
gateway's own work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from registration.browser_sessions import PERSON_ID, STRONG
from registration.settings import Settings
from registration_bridge.message_urns import BULK, EFFECTS

HEADER = {"alg": "ES256", "kid": "bench"}
LIFETIME = 3600


@dataclass(frozen=True)
class Peer:
    """The gateway at ``issuer``, with the key that it signs with."""

    issuer: str
    key: ECKey

    @classmethod
    def at(cls, port: int) -> Peer:
        """On this machine."""
        kept = {"kid": HEADER["kid"], "use": "sig", "alg": HEADER["alg"]}
        return cls(f"http://127.0.0.1:{port}", ECKey.generate_key("P-256", kept))

    def access_token(self, settings: Settings, subject: str, now: datetime) -> str:
        """Of a person with a second factor of now, for the interface for programs."""
        claims = self._claims(settings.api_audience, subject, int(now.timestamp()))
        more = {"client_id": "bench", "jti": "bench", "scope": "openid registration.read"}
        return jwt.encode(HEADER | {"typ": "at+jwt"}, claims | more, self.key)

    def id_token(self, client_id: str, code: str) -> str:
        """For a code ``nonce time person``."""
        nonce, now, person_id = code.split(" ")
        claims = self._claims(client_id, f"sub-{person_id}", int(now))
        more = {"nonce": nonce, "sid": f"sid-{nonce}", PERSON_ID: person_id}
        return jwt.encode(HEADER, claims | more, self.key)

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON."""
        match path.partition("?")[0]:
            case "/.well-known/openid-configuration":
                return 200, self._discovery()
            case "/jwks":
                return 200, {"keys": [self.key.as_dict(private=False)]}
            case "/oauth2/v1/token":
                return 200, self._token(parse_qs(body.decode()))
            case "/scim/v2/Bulk":
                return 200, {"schemas": [BULK], "Operations": [
                    {"status": "200", "bulkId": one["bulkId"], EFFECTS: {"sessions": 1}}
                    for one in json.loads(body)["Operations"]
                ]}  # fmt: skip
            case "/scim/v2/Users":
                return 200, {"totalResults": 0, "Resources": []}
        return 404, {"detail": "not here"}

    def _claims(self, audience: str, subject: str, now: int) -> dict[str, Any]:
        return {
            "iss": self.issuer, "aud": audience, "sub": subject, "iat": now, "auth_time": now,
            "exp": now + LIFETIME, "acr": STRONG[0],
        }  # fmt: skip

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/oauth2/v1/authorize",
            "token_endpoint": f"{self.issuer}/oauth2/v1/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/oauth2/v1/logout",
            "id_token_signing_alg_values_supported": [HEADER["alg"]],
        }

    def _token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        found = {"access_token": "bench", "token_type": "Bearer", "expires_in": LIFETIME}
        if "code" not in form:
            return found
        return found | {"id_token": self.id_token(Settings().client_id, form["code"][0])}


def new_key() -> str:
    """A private key (PEM) that signs pushes."""
    key = ECKey.generate_key("P-256").private_key
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


@contextmanager
def answering(peer: Peer) -> Iterator[None]:
    """Serve it for the duration of the block, in a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            status, found = peer.answer(self.path, self.rfile.read(size))
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the base class looks for

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", int(peer.issuer.rpartition(":")[2])), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
