"""The public keys of a client: registered ones, or those at its ``jwks_uri``. Each signs or
encrypts; none does both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from idp.credentials import assertions
from idp.credentials.assertions import PublicKey
from idp.models.records import AnyClient
from idp.policy.registered_values import FAPI2_ALGS, can_encrypt, is_for_encryption
from idp.transaction import UnitOfWork

#: The name of a key that is missing. No key has it.
UNKNOWN = "\0"


def has_any(client: AnyClient) -> bool:
    """Whether the client has keys that sign, wherever they are."""
    return bool(client.jwks_uri) or not all(map(is_for_encryption, client.keys))


def of(work: UnitOfWork, client: AnyClient) -> Sequence[PublicKey]:
    """The keys that sign and count now. Nothing is fetched."""
    return [key for key in _all(work, client) if not is_for_encryption(key)]


def to_encrypt(work: UnitOfWork, client: AnyClient, alg: str) -> PublicKey | None:
    """The key to encrypt for the client by this algorithm, if there is one now. Nothing is
    fetched."""
    return next((key for key in _all(work, client) if can_encrypt(key, alg)), None)


def _all(work: UnitOfWork, client: AnyClient) -> Sequence[PublicKey]:
    if not client.jwks_uri:
        return client.keys
    hosts = work.ports.key_hosts
    return hosts.keys(client.jwks_uri, work.now) if hosts is not None else ()


def algorithms(client: AnyClient) -> Sequence[str]:
    """What the client may sign with."""
    return FAPI2_ALGS if client.fapi2_security_profile else assertions.ALGORITHMS


def of_tokens(tokens: Iterable[str]) -> list[str]:
    """The names (``kid``) of the keys that signed these tokens, as they say."""
    return [name for token in tokens if (name := assertions.unverified_key_name(token))]


def prepare(work: UnitOfWork, client: AnyClient, names: Sequence[str], alg: str = "") -> None:
    """Fetch the keys at the registered ``jwks_uri`` if they are due for a key of these names, or
    because there is none to encrypt by ``alg``.

    Call it before the transaction writes. It ends the transaction, so that no lock and no
    connection of the database waits for the other server."""
    hosts, uri = work.ports.key_hosts, client.jwks_uri
    if hosts is None or not uri or client.disabled_at is not None:
        return
    if alg and to_encrypt(work, client, alg) is None:
        names = (*names, UNKNOWN)
    if not hosts.is_due(uri, names, work.now):
        return
    # What the process keeps may be an address that is not registered any more.
    work.kept()
    work.rollback()
    hosts.fetch(uri, work.now)
