"""The gateway's own compact form of a JWT is that of the library (RFC 7515, RFC 7518, RFC 7519)."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import UnsupportedKeyOperationError
from joserfc.jwk import ECKey, Key, RSAKey

from idp.oidc.token_signer import TokenSigner
from idp.policy.registered_values import SIGNING_ALGS

CLAIMS: dict[str, Any] = {
    "sub": "zoé", "aud": ["a", "b"], "exp": 1_800_000_000, "name": "Zoë 🌊", "cnf": {"jkt": "x"},
}  # fmt: skip
KEYS: dict[str, Key] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "r1", "use": "sig"}, private=True),
    "ES256": ECKey.generate_key("P-256", {"kid": "e1", "use": "sig"}, private=True),
}


def test_every_algorithm_is_tried_here() -> None:
    assert set(KEYS) == set(SIGNING_ALGS)


@pytest.mark.parametrize("alg", SIGNING_ALGS)
@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
def test_the_library_reads_what_is_signed(alg: str, typ: str) -> None:
    """Twice, since the header of a type is kept. RFC 7518 section 3.4: an ES256 signature has 64
    bytes whatever its numbers, so some hundred are tried."""
    signer, public = TokenSigner(alg, KEYS[alg]), KEYS[alg].as_dict(private=False)
    reader = (RSAKey if alg == "RS256" else ECKey).import_key(public)
    for number in range(300 if alg == "ES256" else 2):
        claims = CLAIMS | {"jti": str(number)}
        found = jwt.decode(signer.sign(typ, claims), reader, algorithms=[alg])
        assert found.header == {"alg": alg, "kid": KEYS[alg].kid, "typ": typ}
        assert found.claims == claims


def test_the_token_is_the_one_of_the_library() -> None:
    """Byte for byte, since an RS256 signature is always the same."""
    key = KEYS["RS256"]
    header = {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    assert TokenSigner("RS256", key).sign("JWT", CLAIMS) == jwt.encode(
        header, CLAIMS, key, algorithms=["RS256"]
    )


def test_a_public_key_signs_nothing() -> None:
    public = ECKey.import_key(KEYS["ES256"].as_dict(private=False))
    with pytest.raises(UnsupportedKeyOperationError):
        TokenSigner("ES256", public)
