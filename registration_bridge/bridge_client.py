"""A client of the bridge, for registration systems and the command line: tokens, pages and Bulk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc7523.assertion import private_key_jwt_sign
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, RSAKey
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from registration_bridge.message_urns import BULK, EFFECTS
from service_base import tracing

PAGE = 1000
ASSERTION_SECONDS = 60
TIMEOUT = 120
#: Too many pushes, or the gateway restarts: any push may be sent again.
RETRY = Retry(
    total=8,
    connect=2,
    backoff_max=30,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=None,
    backoff_factor=0.5,
    respect_retry_after_header=True,
    raise_on_status=False,
)


class BridgeError(Exception):
    """The gateway refused a request or failed. ``status`` is None if it was not reached."""

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail, self.status = detail, status


@dataclass(frozen=True)
class Result:
    """The result of one operation of a Bulk: HTTP status, address of the resource, and the reason
    of a refusal. For a dry run, also the effects (``effects``)."""

    status: int
    location: str = ""
    detail: str = ""
    effects: dict[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return self.status < 300


class BridgeClient:
    """The bridge of the gateway at ``issuer``, used as an OAuth client with the scope ``scim``. It
    authenticates with a secret or with a private ``key`` (PEM, EC P-256 or RSA). ``clock`` returns
    seconds since 1970. Raises ValueError for another key; every call raises BridgeError."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: str = "",
        *,
        key: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer.rstrip("/")
        self._session = OAuth2Session(
            client_id,
            secret,
            scope="scim",
            token_endpoint_auth_method=_BySignature(self._issuer, key, clock)
            if key
            else "client_secret_basic",
            token_endpoint=f"{self._issuer}/oauth2/v1/token",
            grant_type="client_credentials",
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRY))
        # An assertion is valid once: the request is repeated only when no server received it.
        self._session.mount(
            f"{self._issuer}/oauth2/", HTTPAdapter(max_retries=Retry(connect=2, read=0, other=0))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def count(self) -> int:
        """The number of Users."""
        return int(self._get({"count": "0"})["totalResults"])

    def users(self) -> Iterator[dict[str, Any]]:
        """All Users, page by page."""
        return self._every("Users")

    def participants(self) -> Iterator[dict[str, Any]]:
        """All Participants, page by page."""
        return self._every("Participants")

    def _every(self, place: str) -> Iterator[dict[str, Any]]:
        query = {"count": str(PAGE), "cursor": ""}
        while True:
            found = self._send("GET", f"/scim/v2/{place}", params=query)
            yield from found.get("Resources", [])
            if "nextCursor" not in found:
                return
            query["cursor"] = found["nextCursor"]

    def find(self, attribute: str, value: str) -> dict[str, Any] | None:
        """The User whose attribute has this value, or None."""
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        found = self._get({"filter": f'{attribute} eq "{quoted}"', "count": "1"})
        rows = found.get("Resources", [])
        return dict(rows[0]) if rows else None

    def participant(self, number: str) -> dict[str, Any] | None:
        """The Participant of this number, or None."""
        try:
            return self._send("GET", f"/scim/v2/Participants/{quote(number, safe='')}")
        except BridgeError as error:
            if error.status == 404:
                return None
            raise

    def bulk(self, operations: list[dict[str, Any]], *, is_dry: bool = False) -> list[Result]:
        """The results of these operations, in the same order. A dry run changes nothing."""
        for number, operation in enumerate(operations):
            operation.setdefault("bulkId", str(number))
        query = "?dryRun=true" if is_dry else ""
        body = {"schemas": [BULK], "Operations": operations}
        found = self._send("POST", f"/scim/v2/Bulk{query}", json=body)
        return [_result(entry) for entry in found.get("Operations", [])]

    def _get(self, query: dict[str, str]) -> dict[str, Any]:
        return self._send("GET", "/scim/v2/Users", params=query)

    def _send(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            if not self._session.token:
                # When it expires, the session fetches another one.
                self._session.fetch_token()
            # The gateway continues the trace of a client that it trusts with it.
            trace = {"traceparent": parent} if (parent := tracing.outgoing()) else {}
            answer = self._session.request(
                method, self._issuer + path, timeout=TIMEOUT, allow_redirects=False,
                headers=trace, **more,
            )  # fmt: skip
        except requests.RequestException as error:
            raise BridgeError(f"{self._issuer} does not answer: {error}") from error
        except OAuthError as error:
            raise BridgeError(f"no token: {error.description or error.error}", 401) from error
        try:
            found: dict[str, Any] = answer.json()
        except ValueError as error:
            raise BridgeError("the answer is not JSON", answer.status_code) from error
        if answer.status_code >= 300:
            raise BridgeError(str(found.get("detail", "refused")), answer.status_code)
        return found


class _BySignature(PrivateKeyJWT):  # type: ignore[misc]
    """private_key_jwt as the gateway requires it: the issuer as audience, valid for minutes."""

    def __init__(self, issuer: str, pem: str, clock: Callable[[], float]) -> None:
        try:
            kind = load_pem_private_key(pem.encode(), None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("encrypted, or of an unknown kind") from error
        is_ec = isinstance(kind, EllipticCurvePrivateKey) and isinstance(kind.curve, SECP256R1)
        if not is_ec and not isinstance(kind, RSAPrivateKey):
            raise ValueError("neither EC P-256 nor RSA")
        super().__init__(issuer, alg="ES256" if is_ec else "PS256")
        self._key = (ECKey if is_ec else RSAKey).import_key(pem)
        self._clock = clock

    def sign(self, auth: Any, token_endpoint: str) -> str:
        signed: str = private_key_jwt_sign(
            self._key,
            auth.client_id,
            token_endpoint,
            alg=self.alg,
            issued_at=int(self._clock()),
            expires_in=ASSERTION_SECONDS,
        )
        return signed


def _result(entry: dict[str, Any]) -> Result:
    response = entry.get("response") or {}
    return Result(
        int(entry["status"]),
        str(entry.get("location", "")),
        str(response.get("detail", "")),
        entry.get(EFFECTS) or {},
    )
