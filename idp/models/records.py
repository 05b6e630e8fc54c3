"""Rows as frozen values, read by SQLAlchemy Core where the same few rows are read in every request.

A value has the names of its model, so that each rule is one function for both. Its fields name the
columns that are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column

from idp.db import Base, table
from idp.policy import registered_values
from idp.policy.account_states import AccountState, state_in_effect
from idp.policy.names import full_name
from idp.policy.registered_values import AccountKind, AuthMethod

if TYPE_CHECKING:
    from idp.models import Account, BrowserSession, Client, Grant


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A registered client, for requests of its own. Shared by the threads of a process."""

    id: int
    client_id: str
    auth_method: AuthMethod
    secret_digest: str | None
    former_secret_digest: str | None
    former_secret_until: datetime | None
    sealed_secret: str | None
    former_sealed_secret: str | None
    keys: tuple[dict[str, Any], ...]
    jwks_uri: str
    tls_subject_field: str
    tls_subject: str
    certificate_bound_tokens: bool
    token_endpoint_audience: bool
    dpop_bound_access_tokens: bool
    fapi2_security_profile: bool
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    require_pkce: bool
    require_pushed_requests: bool
    account_kinds: tuple[str, ...]
    trusted: bool
    uses_popups: bool
    minimum_acr: str | None
    second_factor: str
    authorization_response_alg: str
    sector_identifier: str
    id_token_alg: str
    id_token_encryption_alg: str
    id_token_encryption_enc: str
    userinfo_alg: str
    userinfo_encryption_alg: str
    userinfo_encryption_enc: str
    introspection_alg: str
    access_token_alg: str
    access_token_format: str
    audience: str
    exchange_audiences: tuple[str, ...]
    is_resource_server: bool
    push_operations: tuple[str, ...]
    push_participants: tuple[str, ...]
    push_person_id: str
    push_account_kind: str
    push_default_participant: str
    disabled_at: datetime | None

    @property
    def is_public(self) -> bool:
        """A public client has no secret (RFC 6749 section 2.1)."""
        return self.auth_method == AuthMethod.NONE

    def allows_account(self, account: AnyAccount | MachineRecord) -> bool:
        """Whether accounts of this kind can open the client (EN-03, MA-07)."""
        return account.kind in self.account_kinds

    def allows_auth_method(self, method: AuthMethod) -> bool:
        """Whether the client may use this authentication method."""
        return registered_values.allows_auth_method(self.auth_method, method)


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person, for claims."""

    person_id: str
    given_name: str
    middle_name: str
    family_name: str
    email: str
    phone: str
    updated_at: datetime

    @property
    def full_name(self) -> str:
        """Given and family name, as shown."""
        return full_name(self.given_name, self.family_name)


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account, for its tokens."""

    id: int
    subject: str
    kind: AccountKind
    state: AccountState
    ends_at: datetime | None
    username: str
    locale: str
    zoneinfo: str
    second_reason: str
    updated_at: datetime
    second_participant_number: str
    person: PersonRecord

    def effective_state(self, now: datetime) -> AccountState:
        """The state in effect."""
        return state_in_effect(self.state, self.ends_at, now)


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A machine account, for the authentication of its programs."""

    id: int
    subject: str
    kind: AccountKind
    state: AccountState
    ends_at: datetime | None
    username: str
    username_key: str
    password_hash: str | None
    former_password_hash: str | None
    former_password_until: datetime | None

    def effective_state(self, now: datetime) -> AccountState:
        """The state in effect."""
        return state_in_effect(self.state, self.ends_at, now)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A browser session, for the tokens of its sign-ins."""

    id: int
    public_id: str
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    account: AccountRecord


@dataclass(frozen=True, slots=True)
class SignedInSession(SessionRecord):
    """A browser session, for requests that change nothing of it."""

    auth_time: datetime
    acr: str
    amr: tuple[str, ...]
    binding_id: int | None

    @property
    def account_id(self) -> int:
        """The key of its account."""
        return self.account.id


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A grant with all that decides whether it is active."""

    id: int
    client_id: int
    sid: str | None
    scopes: tuple[str, ...]
    claims: dict[str, Any]
    nonce: str | None
    participant: str | None
    acr: str | None
    amr: tuple[str, ...]
    auth_time: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    client: AnyClient
    account: AnyAccount | None
    session: AnySession | None
    #: The role groups of the account that its client sees, if they were read with it.
    held: Sequence[list[str]] | None = None


@dataclass(frozen=True, slots=True)
class AccessTokenRecord:
    """The record behind an access token."""

    id: int
    scopes: tuple[str, ...]
    audience: str
    dpop_jkt: str | None
    certificate: str | None
    act: dict[str, Any] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class RefreshTokenRecord:
    """A refresh token."""

    id: int
    created_at: datetime
    expires_at: datetime
    family_expires_at: datetime
    dpop_jkt: str | None
    consumed_at: datetime | None
    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class AuthorizationCodeRecord:
    """An authorization code."""

    id: int
    redirect_uri: str
    code_challenge: str | None
    dpop_jkt: str | None
    expires_at: datetime
    consumed_at: datetime | None
    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class DeviceAuthorizationRecord:
    """The authorization of a device that somebody allowed."""

    id: int
    grant: GrantRecord


def actors(act: dict[str, Any] | None) -> list[str]:
    """The clients that exchanged an access token, the last one first (RFC 8693 section 4.1)."""
    found = []
    while act:
        found.append(str(act["sub"]))
        act = act.get("act")
    return found


AnyClient: TypeAlias = "Client | ClientRecord"
AnyAccount: TypeAlias = "Account | AccountRecord"
AnySession: TypeAlias = "BrowserSession | SessionRecord"
#: With what sign-ins need of it.
OpenSession: TypeAlias = "BrowserSession | SignedInSession"
AnyGrant: TypeAlias = "Grant | GrantRecord"


def columns(model: type[Base], record: type[Any]) -> list[Column[Any]]:
    """The columns of the table that the fields of the record name, in their order."""
    found = table(model).c
    return [found[field.name] for field in fields(record) if field.name in found]


def frozen(row: Sequence[Any] | Iterable[Any]) -> list[Any]:
    """The values of a row, with tuples for lists."""
    return [tuple(value) if type(value) is list else value for value in row]
