"""A passkey in software: makes and uses keys as a browser with an authenticator does."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class SoftAuthenticator:
    """One device with its keys. Its faults are set by the test that wants them."""

    origin: str
    rp_id: str
    is_synced: bool = False
    is_backed_up: bool = False
    #: Not where a key is created without a prompt.
    asks_user: bool = True
    verifies_user: bool = True
    counter: int = 0
    step: int = 1
    client_data: dict[str, Any] = field(default_factory=dict)
    aaguid: bytes = bytes(16)
    #: Form and statement of the attestation that it adds.
    attestation: tuple[str, dict[str, Any]] = ("none", {})
    keys: dict[str, tuple[ec.EllipticCurvePrivateKey, str]] = field(default_factory=dict)

    def _flags(self) -> int:
        flags = PRESENT if self.asks_user else 0
        flags |= VERIFIED if self.verifies_user else 0
        flags |= ELIGIBLE if self.is_synced else 0
        return flags | (BACKED_UP if self.is_backed_up else 0)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told | self.client_data).encode()

    def _head(self, flags: int) -> bytes:
        rp_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return rp_hash + bytes([flags]) + struct.pack(">I", self.counter)

    def create(self, options: str, *, anew: bool = True) -> str:
        """The answer to creation options: a new ES256 key, without attestation; or the first one
        there is again, as no honest authenticator does."""
        asked = json.loads(options)
        key = ec.generate_private_key(ec.SECP256R1())
        if not anew:
            key, _ = next(iter(self.keys.values()))
        numbers = key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        )
        raw_id = hashlib.sha256(cose).digest()
        data = self._head(self._flags() | ATTESTED) + self.aaguid
        data += struct.pack(">H", len(raw_id)) + raw_id + cose
        self.keys[b64(raw_id)] = (key, asked["user"]["id"])
        client_data = self._client_data("webauthn.create", asked["challenge"])
        form, statement = self.attestation
        attestation = cbor2.dumps({"fmt": form, "attStmt": statement, "authData": data})
        return json.dumps(
            {
                "id": b64(raw_id),
                "rawId": b64(raw_id),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64(client_data),
                    "attestationObject": b64(attestation),
                    "transports": ["internal", "made-up"],
                },
            }
        )

    def get(self, options: str, key_id: str | None = None, **changes: Any) -> str:
        """The answer to request options by the first key that is allowed."""
        asked = json.loads(options)
        allowed = [entry["id"] for entry in asked.get("allowCredentials", [])] or list(self.keys)
        chosen = key_id or next(name for name in self.keys if name in allowed)
        key, handle = self.keys[chosen]
        self.counter += self.step
        data = self._head(self._flags())
        client_data = self._client_data("webauthn.get", asked["challenge"])
        signature = key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": handle,
        }
        return json.dumps(
            {
                "id": chosen,
                "rawId": chosen,
                "type": "public-key",
                "response": response | changes,
            }
        )
