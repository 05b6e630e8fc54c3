"""Key sets of clients (RFC 7517) as documents at their registered ``jwks_uri``: read and parsed
within limits of size and time."""

from __future__ import annotations

import json
from threading import Timer
from typing import TYPE_CHECKING, Any

from idp.errors import Invalid
from idp.networks import NetworkSet
from idp.policy.registered_values import (
    CERTIFICATE,
    ENCRYPTION,
    MAX_CLIENT_KEYS,
    is_for_encryption,
)

if TYPE_CHECKING:
    from idp.credentials.assertions import PublicKey

#: Timeouts in seconds: for the connection and between two reads; and for the whole exchange.
TIMEOUT_SECONDS, DEADLINE_SECONDS = 2, 3
MAX_BYTES = 65_536


class BadDocument(Exception):
    """The host answered, but not with a key set that the gateway accepts."""


class HttpKeyDocuments:
    """Reads documents from public and allowed networks only."""

    def __init__(self, allowed: NetworkSet, ca_file: str = "") -> None:
        self._allowed = allowed
        self._ca_file = ca_file

    def read(self, uri: str) -> bytes:
        """The document. Raises BadDocument, or requests.RequestException. It takes no longer than
        the deadline, however slowly the host answers."""
        from idp import outbound_session  # few gateways need it

        with outbound_session.session(self._allowed, self._ca_file) as session:
            timer = Timer(DEADLINE_SECONDS, session.abort)
            timer.daemon = True
            timer.start()
            try:
                return _read(session, uri)
            finally:
                timer.cancel()


def _read(session: Any, uri: str) -> bytes:
    """A redirect is a failure, because only the registered address is allowed, and so is a
    compressed document, because its size would not be known."""
    import requests
    from urllib3.exceptions import HTTPError

    with session.get(
        uri,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        timeout=TIMEOUT_SECONDS,
        allow_redirects=False,
        stream=True,
    ) as answer:
        if answer.status_code != 200:
            raise BadDocument(f"status {answer.status_code}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise BadDocument("compressed")
        try:
            text: bytes = answer.raw.read(MAX_BYTES + 1, decode_content=False)
        except HTTPError as error:
            raise requests.ConnectionError(error) from error
    if len(text) > MAX_BYTES:
        raise BadDocument("too large")
    return text


def parse(text: bytes) -> tuple[tuple[PublicKey, ...], frozenset[str]]:
    """The usable keys of a document, and the names of all its keys: ``kid``, and the thumbprints of
    certificates. Keys for other uses and of other types are ignored (RFC 7517 section 5). Raises
    BadDocument."""
    try:
        members = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadDocument("no key set") from error
    if not isinstance(members, list):
        raise BadDocument("no key set")
    described = [member for member in members if isinstance(member, dict)]
    names = {str(member["kid"]) for member in described if "kid" in member}
    usable = [key for member in described if (key := _usable(member)) is not None]
    encrypting = [key for key in usable if is_for_encryption(key)]
    signing = [key for key in usable if not is_for_encryption(key)]
    keys = (*signing[:MAX_CLIENT_KEYS], *encrypting[:MAX_CLIENT_KEYS])
    return keys, frozenset(names | {key[CERTIFICATE] for key in keys if CERTIFICATE in key})


def _usable(member: dict[str, Any]) -> PublicKey | None:
    from idp.credentials.assertions import client_key

    if member.get("use", "sig") not in ("sig", ENCRYPTION):
        return None
    try:
        return client_key(json.dumps(member))
    except Invalid:
        return None
