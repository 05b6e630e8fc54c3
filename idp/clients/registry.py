"""The registry of relying parties and other OAuth clients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import or_, select

from idp import outbound
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients import client_secrets
from idp.credentials.assertions import PublicKey
from idp.directory import separation_of_duties
from idp.errors import Conflict, Invalid, NotFound
from idp.mfa.decision import Rule
from idp.models import AccountKind, AuthMethod, Client, Grant, RoleGroup
from idp.networks import NetworkSet
from idp.policy.names import printable
from idp.policy.redirect_uri import registration_fault
from idp.policy.scopes import (
    ACRS,
    GRANT_TYPES,
    PERSON_ID_ATTRIBUTES,
    PERSONAL_SCOPES,
    PUSHED_KINDS,
    PushOperation,
    is_scope_token,
    obtainable,
)
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

SIGNING_ALGS = ("RS256", "ES256")
MAX_RESOURCE = 2000
MAX_KEYS = 10
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{3,100}")
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")


@dataclass(frozen=True, kw_only=True)
class ClientData:
    """The registration data of a client. Lists are tuples of strings."""

    name: str
    description: str = ""
    home_url: str = ""
    auth_method: str = AuthMethod.SECRET
    #: Public keys (JWK with ``kid``) of ``private_key_jwt``; see ``assertions.public_key``.
    keys: tuple[PublicKey, ...] = ()
    token_endpoint_audience: bool = False
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = PERSONAL_SCOPES
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    allowed_origins: tuple[str, ...] = ()
    account_kinds: tuple[str, ...] = (AccountKind.PERSONAL, AccountKind.MACHINE)
    require_pkce: bool = True
    trusted: bool = False
    uses_popups: bool = False
    minimum_acr: str | None = None
    second_factor: str = ""
    id_token_alg: str = "RS256"  # noqa: S105 - names of algorithms and forms, no secrets
    access_token_alg: str = "ES256"  # noqa: S105
    access_token_format: str = "jwt"  # noqa: S105
    audience: str = ""
    is_resource_server: bool = False
    push_operations: tuple[str, ...] = tuple(PushOperation)
    push_participants: tuple[str, ...] = ()
    push_person_id: str = ""
    push_account_kind: str = AccountKind.PERSONAL
    push_default_participant: str = ""
    role_groups: tuple[str, ...] = field(default=(), metadata={"relation": True})


def create(
    work: UnitOfWork, data: ClientData, *, client_id: str | None = None, is_approved: bool = False
) -> tuple[Client, str]:
    """Register a client. Returns it and its secret, to be shown only now (empty for a public
    client). Raises Invalid with all faults, Conflict, or Refused for a provisioning client without
    ``is_approved``."""
    client_id = client_id or work.token(16)
    separation_of_duties.check_dual_control(data.scopes, is_approved=is_approved)
    check_new(work, client_id, data)
    client = Client(client_id=client_id, created_at=work.now, updated_at=work.now)
    _apply(client, data)
    work.db.add(client)
    secret = client_secrets.issue(work, client) if client.has_secret else ""
    work.db.flush()
    events.record(work, AuditAction.CLIENT_CREATED, client=client, settings=to_json(data))
    return client, secret


def check_new(work: UnitOfWork, client_id: str, data: ClientData) -> None:
    """Raises Invalid or Conflict if the data cannot be registered."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise Invalid("a client ID has 3 to 100 letters, digits and ._~-")
    if work.db.scalar(select(Client.id).where(Client.client_id == client_id)) is not None:
        raise Conflict(f"client {client_id} already exists")
    _validate(work, data)


def check_update(work: UnitOfWork, client: Client, data: ClientData) -> None:
    """Raises Invalid if the data cannot be registered for this client."""
    _validate(work, data)
    if data.auth_method != client.auth_method and AuthMethod.NONE in (
        data.auth_method,
        client.auth_method,
    ):
        raise Invalid(
            "a public client cannot become confidential or the reverse: register a new client"
        )


def update(
    work: UnitOfWork, client: Client, data: ClientData, *, is_approved: bool = False
) -> None:
    """Replace the registration of a client. Raises Invalid, or Refused for a provisioning client
    without ``is_approved``."""
    separation_of_duties.check_dual_control(data.scopes, is_approved=is_approved)
    check_update(work, client, data)
    before = describe(client)
    _apply(client, data)
    if not client.has_secret:
        client_secrets.clear(client)
    client.updated_at = work.now
    events.record(
        work, AuditAction.CLIENT_UPDATED, client=client, before=before, after=to_json(data)
    )


def set_visible_groups(work: UnitOfWork, client: Client, groups: list[RoleGroup]) -> None:
    """Set the role groups that the client sees."""
    before = sorted(group.name for group in client.role_groups)
    after = sorted(group.name for group in groups)
    if before != after:
        client.role_groups = groups
        client.updated_at = work.now
        events.record(
            work, AuditAction.CLIENT_ROLE_GROUPS, client=client, before=before, after=after
        )


def disable(work: UnitOfWork, client: Client) -> None:
    """Disable a client: it gets no new tokens, and everything issued to it is revoked at once
    (N18)."""
    if client.disabled_at is None:
        client.disabled_at = work.now
        client.updated_at = work.now
        sessions.revoke_grants(work, Grant.client_id == client.id, EndReason.CLIENT_DISABLED)
        events.record(work, AuditAction.CLIENT_DISABLED, client=client)


def enable(work: UnitOfWork, client: Client, *, is_approved: bool = False) -> None:
    """Enable a client again, with its secret or keys. What was revoked stays revoked. Raises
    Refused for a provisioning client without ``is_approved``."""
    separation_of_duties.check_dual_control(client.scopes, is_approved=is_approved)
    if client.disabled_at is not None:
        client.disabled_at = None
        client.updated_at = work.now
        events.record(work, AuditAction.CLIENT_ENABLED, client=client)


def find(work: UnitOfWork, client_id: str) -> Client | None:
    """The client with this id, disabled or not."""
    # Do not query for an impossible id: PostgreSQL rejects NUL and lone surrogates.
    if not _CLIENT_ID.fullmatch(client_id):
        return None
    found: Client | None = work.clients.get(client_id)
    if found is None or found not in work.db:
        found = work.db.scalar(select(Client).where(Client.client_id == client_id))
        if found is not None:
            work.clients[client_id] = found
    return found


def find_by_resource(work: UnitOfWork, resource: str) -> Client | None:
    """The enabled client with this audience or client id."""
    if not resource or len(resource) > MAX_RESOURCE or not resource.isprintable():
        return None
    named = or_(Client.client_id == resource, Client.audience == resource)
    rows = work.db.scalars(select(Client).where(named, Client.disabled_at.is_(None)).limit(2)).all()
    return rows[0] if len(rows) == 1 else None


def get(work: UnitOfWork, client_id: str) -> Client:
    """As ``find``; raises NotFound."""
    client = find(work, client_id)
    if client is None:
        raise NotFound(f"no client {client_id}")
    return client


def list_clients(work: UnitOfWork) -> list[Client]:
    """All clients by name."""
    return list(work.db.scalars(select(Client).order_by(Client.name, Client.client_id)))


def allowed_origins(work: UnitOfWork) -> set[str]:
    """The origins that enabled clients registered for cross-origin requests."""
    query = select(Client.allowed_origins).where(Client.disabled_at.is_(None))
    return {origin for row in work.db.scalars(query) for origin in row}


def describe(client: Client) -> dict[str, Any]:
    """The complete registration, without the secret."""
    values = {
        item.name: getattr(client, item.name)
        for item in fields(ClientData)
        if not item.metadata.get("relation")
    }
    return {"client_id": client.client_id, **values, "disabled": client.disabled_at is not None}


def current_data(client: Client) -> ClientData:
    """The present registration as data, for ``dataclasses.replace``."""
    return from_json(describe(client))


def from_json(known: dict[str, Any]) -> ClientData:
    """The inverse of ``to_json`` and ``describe``."""
    values: dict[str, Any] = {
        item.name: tuple(value) if isinstance(value := known[item.name], list) else value
        for item in fields(ClientData)
        if item.name in known
    }
    return ClientData(**values)


def to_json(data: ClientData) -> dict[str, Any]:
    """The data in JSON types."""
    return {
        item.name: list(value) if isinstance(value := getattr(data, item.name), tuple) else value
        for item in fields(data)
    }


def _apply(client: Client, data: ClientData) -> None:
    for name, value in to_json(data).items():
        if name != "role_groups":
            setattr(client, name, value)


def _validate(work: UnitOfWork, data: ClientData) -> None:
    faults = [*_text_faults(data), *_choice_faults(data), *_uri_faults(work, data)]
    if faults:
        raise Invalid("; ".join(faults))


def _text_faults(data: ClientData) -> list[str]:
    faults = []
    if not data.name or len(data.name) > 200 or not printable(data.name):
        faults.append("the name is 1 to 200 printable characters")
    if len(data.description) > 500 or not printable(data.description):
        faults.append("the description is at most 500 printable characters")
    return faults


def _choice_faults(data: ClientData) -> list[str]:
    public = data.auth_method == AuthMethod.NONE
    checks = {
        f"auth_method is one of {', '.join(AuthMethod)}": data.auth_method in list(AuthMethod),
        f"grant_types are among {', '.join(GRANT_TYPES)}": set(data.grant_types)
        <= set(GRANT_TYPES),
        f"private_key_jwt needs 1 to {MAX_KEYS} keys, and nothing else has any": (
            0 < len(data.keys) <= MAX_KEYS if data.auth_method == AuthMethod.KEY else not data.keys
        ),
        "only private_key_jwt has an audience of its assertions": (
            not data.token_endpoint_audience or data.auth_method == AuthMethod.KEY
        ),
        "a public client cannot use client_credentials": not (
            public and "client_credentials" in data.grant_types
        ),
        "refresh_token needs authorization_code": "refresh_token" not in data.grant_types
        or "authorization_code" in data.grant_types,
        "scopes are words of printable ASCII": all(map(is_scope_token, data.scopes)),
        "PKCE can be waived for a confidential client only": data.require_pkce or not public,
        f"id_token_alg is one of {', '.join(SIGNING_ALGS)}": data.id_token_alg in SIGNING_ALGS,
        f"access_token_alg is one of {', '.join(SIGNING_ALGS)}": data.access_token_alg
        in SIGNING_ALGS,
        f"account_kinds are one or several of {', '.join(AccountKind)}": bool(data.account_kinds)
        and set(data.account_kinds) <= set(AccountKind),
        "access_token_format is jwt or opaque": data.access_token_format in ("jwt", "opaque"),
        f"minimum_acr is one of {', '.join(ACRS)}": data.minimum_acr is None
        or data.minimum_acr in ACRS,
        f"second_factor must be one of {', '.join(Rule)}": data.second_factor in ("", *Rule),
        f"push_operations are among {', '.join(PushOperation)}": set(data.push_operations)
        <= set(PushOperation),
        "a participant number is 1 to 20 ASCII characters": all(
            0 < len(number) <= 20 and number.isascii() and number.isprintable()
            for number in (*data.push_participants, data.push_default_participant or "0")
        ),
        f"push_person_id is one of {', '.join(PERSON_ID_ATTRIBUTES)}": data.push_person_id
        in ("", *PERSON_ID_ATTRIBUTES),
        # Machine accounts have networks, for which SCIM has no standard attribute.
        f"push_account_kind is one of {', '.join(PUSHED_KINDS)}": data.push_account_kind
        in PUSHED_KINDS,
        "push_default_participant is one of push_participants": not data.push_participants
        or data.push_default_participant in ("", *data.push_participants),
    }
    faults = [fault for fault, holds in checks.items() if not holds]
    never = [scope for scope in data.scopes if not obtainable(scope, data.grant_types)]
    if never:
        listed = ", ".join(f"{scope!a}" for scope in never)
        faults.append(f"with these grant types it can never get the scope {listed}")
    return faults


def _uri_faults(work: UnitOfWork, data: ClientData) -> list[str]:
    native = data.auth_method == AuthMethod.NONE
    development = work.settings.is_loopback_http
    faults = []
    logout_uri = data.backchannel_logout_uri
    groups = (
        ("redirect URI", data.redirect_uris, native),
        ("post-logout redirect URI", data.post_logout_redirect_uris, native),
        ("home URL", (data.home_url,) if data.home_url else (), native),
        # The gateway calls this URI, so it cannot be a native application's.
        ("back-channel logout URI", (logout_uri,) if logout_uri else (), False),
    )
    for label, uris, is_native in groups:
        for uri in uris:
            fault = registration_fault(uri, native=is_native, allow_loopback_http=development)
            if fault:
                faults.append(f"{label} {uri!a} {fault}")
    allowed = NetworkSet(work.settings.outbound_networks)
    if logout_uri and (fault := outbound.url_fault(logout_uri, allowed)):
        faults.append(f"back-channel logout URI {logout_uri!a} {fault}")
    if "authorization_code" in data.grant_types and not data.redirect_uris:
        faults.append("authorization_code needs a redirect URI")
    faults += [
        f"origin {origin!a} is not scheme://host[:port]"
        for origin in data.allowed_origins
        if not _ORIGIN.fullmatch(origin)
    ]
    return faults
