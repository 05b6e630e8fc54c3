"""Applications register themselves (RFC 7591), and read, replace and delete their registration
(RFC 7592).

Their registrations are checked as those of operators are. They have no first-party rights: people
are asked for consent. Once an operator changes such a client, its application can only read it, so
that nobody extends what Access Management has decided (docs/decisions/0057).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients import client_metadata, client_secrets, initial_tokens, registry
from idp.clients.client_data import ClientData, current_data
from idp.clients.client_metadata import Metadata
from idp.clients.registration_refusals import (
    ManagedByOperators,
    MemberFault,
    MemberInvalid,
    TokenNotAccepted,
)
from idp.models import AuthMethod, Client, ClientRegistration, InitialAccessToken
from idp.policy.registered_values import SIGNING_METHODS
from idp.transaction import UnitOfWork, lock_rows

_PURPOSE = "registration-access-token"


@dataclass(frozen=True)
class Registered:
    """A client with its registration access token, and its secret if there is a new one."""

    client: Client
    token: str
    secret: str = ""


def register(work: UnitOfWork, initial: InitialAccessToken, metadata: Metadata) -> Registered:
    """Register an application. Raises Invalid with all faults, and then the initial access token is
    not used up; or TokenNotAccepted if concurrent registrations were its last."""
    client_id = work.token(16)
    data = client_metadata.registration(metadata, ClientData(name=client_id))
    if not initial.require_pkce and data.auth_method != AuthMethod.NONE:
        data = replace(data, require_pkce=False)
    if initial.token_endpoint_audience and data.auth_method in SIGNING_METHODS:
        data = replace(data, token_endpoint_audience=True)
    registry.check_new(work, client_id, data)
    initial_tokens.use(work, initial)
    client, secret = registry.create(work, data, client_id=client_id)
    token = work.token(32)
    work.db.add(
        ClientRegistration(
            client_id=client.id,
            initial_token_id=initial.id,
            digest=work.vault.digest(_PURPOSE, token),
            own_change_at=client.updated_at,
        )
    )
    events.record(
        work,
        AuditAction.INITIAL_TOKEN_USED,
        client=client,
        initial_token=initial.public_id,
        label=initial.name,
        uses=initial.uses,
    )
    return Registered(client, token, secret)


def find(work: UnitOfWork, client_id: str, token: str) -> ClientRegistration:
    """The registration that this token opens. Raises TokenNotAccepted."""
    client = registry.find(work, client_id)
    row = of_client(work, client) if client else None
    is_right = work.vault.matches(_PURPOSE, token, row.digest if row else "")
    if row is None or not is_right or row.ended_at or row.client.disabled_at:
        raise TokenNotAccepted()
    row.digest = work.vault.digest(_PURPOSE, token)
    return row


def of_client(work: UnitOfWork, client: Client) -> ClientRegistration | None:
    """The registration of a client that registered itself."""
    return work.db.scalar(
        select(ClientRegistration).where(ClientRegistration.client_id == client.id)
    )


def update(work: UnitOfWork, row: ClientRegistration, metadata: Metadata) -> str:
    """Replace the registration (RFC 7592 section 2.2); what is omitted gets its default. Returns
    the secret if the client has a new one. Raises Invalid, or ManagedByOperators."""
    client = row.client
    _check_is_own(work, row)
    if metadata.get("client_id") != client.client_id:
        raise MemberInvalid("client_id", MemberFault.OTHER_CLIENT)
    sent = metadata.get("client_secret")
    if sent is not None and not (
        isinstance(sent, str) and client_secrets.matches(work, client, sent)
    ):
        raise MemberInvalid("client_secret", MemberFault.OTHER_CLIENT)
    unnamed = replace(current_data(client), name=client.client_id)
    registry.update(work, client, client_metadata.registration(metadata, unnamed))
    is_missing = client_secrets.is_missing(client)
    secret = client_secrets.rotate(work, client, overlap_hours=0) if is_missing else ""
    row.own_change_at = client.updated_at
    return secret


def delete(work: UnitOfWork, row: ClientRegistration) -> None:
    """Disable the client and end its tokens. Its row stays, for the audit trail. Raises
    ManagedByOperators."""
    _check_is_own(work, row)
    row.ended_at = work.now
    registry.disable(work, row.client)
    events.record(work, AuditAction.CLIENT_REGISTRATION_DELETED, client=row.client)


def _check_is_own(work: UnitOfWork, row: ClientRegistration) -> None:
    # A concurrent change of an operator is waited for.
    lock_rows(work, Client, Client.id == row.client_id)
    if row.client.updated_at != row.own_change_at:
        raise ManagedByOperators()
