"""Issuing ID tokens and access tokens, and finding the record of an access token."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp import client_records
from idp.directory import held_role_groups
from idp.grants import access_tokens, grant_lifecycle
from idp.models import AccountKind
from idp.models.records import AccessTokenRecord, AnyAccount, AnyClient, AnyGrant, GrantRecord
from idp.oidc import claims as claim_rules
from idp.oidc import encrypted_tokens, protected_resources
from idp.oidc.claims import Subject
from idp.oidc.jwks import BadToken, KeyRing
from idp.policy.held_role_group import HeldRoleGroup
from idp.policy.registered_values import CERTIFICATE
from idp.transaction import UnitOfWork
from service_base import request_ids

ACCESS = "at+jwt"
#: RFC 8693 section 3.
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
ID = "JWT"


def seconds(moment: datetime) -> int:
    """NumericDate (RFC 7519 section 2)."""
    return int(moment.timestamp())


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """A service exchanges an access token for one of another audience, under the same grant (RFC
    8693)."""

    #: The service, which the new token is issued to.
    actor: AnyClient
    audience: str
    #: The old token expires then, and so does the new one.
    expires_at: datetime
    #: The claim ``act``.
    act: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The token response for a grant, without a refresh token (RFC 6749 section 5.1)."""

    body: dict[str, Any]
    #: What ``access_tokens.record`` stores of the access token.
    record: dict[str, Any]


def sign(
    work: UnitOfWork,
    ring: KeyRing,
    grant: AnyGrant,
    scopes: tuple[str, ...],
    dpop_jkt: str | None = None,
    certificate: str | None = None,
    delegation: Delegation | None = None,
) -> Signed:
    """The tokens for a grant. The access token, which is not valid before it is recorded, is bound
    to the key and the certificate of these thumbprints, if there are any."""
    held = _held_for_tokens(work, grant, scopes)
    terms = _terms(work, grant, delegation, dpop_jkt, certificate)
    access, record = _access_token(work, ring, grant, scopes, held, terms)
    body: dict[str, Any] = {
        "access_token": access,
        "token_type": token_type(dpop_jkt),
        "expires_in": seconds(terms.expires_at) - seconds(work.now),
        **scope_member(scopes),
    }
    if delegation is not None:
        body["issued_token_type"] = ACCESS_TOKEN_TYPE
    elif grant.account is not None and "openid" in scopes:
        body["id_token"] = _id_token(work, ring, grant, scopes, access, held)
    return Signed(body=body, record=record)


def token_type(dpop_jkt: str | None) -> str:
    """How an access token is presented (RFC 6750, RFC 9449 section 5)."""
    return "Bearer" if dpop_jkt is None else "DPoP"


def confirmation(dpop_jkt: str | None, certificate: str | None = None) -> dict[str, Any]:
    """The claim ``cnf`` of a token that is bound to a key (RFC 9449 section 6) or a certificate
    (RFC 8705 section 3)."""
    members = {} if dpop_jkt is None else {"jkt": dpop_jkt}
    if certificate is not None:
        members[CERTIFICATE] = certificate
    return {"cnf": members} if members else {}


def scope_member(scopes: Sequence[str]) -> dict[str, str]:
    """The member ``scope``. Omitted if there are no scopes, because its value cannot be empty
    (RFC 6749 section 3.3)."""
    return {"scope": " ".join(scopes)} if scopes else {}


def claims_for(
    work: UnitOfWork, grant: AnyGrant, scopes: tuple[str, ...], target: str
) -> dict[str, Any]:
    """The claims that ``scopes`` and the ``claims`` parameter request for ``target``."""
    names = claim_rules.requested(scopes, grant.claims, target)
    held = held_groups(work, grant) if claim_rules.needs_groups(names) else []
    return claim_rules.build(subject_of(work, grant), names, held)


def held_groups(work: UnitOfWork, grant: AnyGrant) -> list[HeldRoleGroup]:
    """The role groups of the grant's relying party that its account has now."""
    if isinstance(grant, GrantRecord) and grant.held is not None:
        rows = held_role_groups.of_rows(grant.held)
    else:
        rows = held_role_groups.held_for_client(work, _account(grant).id, grant.client_id)
    return [row for row in rows if grant.participant in (None, row.participant)]


def sub_of(work: UnitOfWork, grant: AnyGrant) -> str:
    """The claim ``sub`` of everything that is issued under a grant: the account, as the client of
    the grant knows it, or a client that acts for itself."""
    if grant.account is None:
        return grant.client.client_id
    return client_records.subject_for(work, grant.client, grant.account.subject)


def subject_of(work: UnitOfWork, grant: AnyGrant) -> Subject:
    """The account and its person, as input for the claims."""
    account = _account(grant)
    person = account.person
    return Subject(
        sub=sub_of(work, grant),
        username=account.username,
        kind=account.kind,
        name=person.full_name,
        given_name=person.given_name,
        middle_name=person.middle_name,
        family_name=person.family_name,
        email=person.email,
        phone=person.phone,
        person_id=person.person_id,
        locale=account.locale,
        zoneinfo=account.zoneinfo,
        updated_at=seconds(max(account.updated_at, person.updated_at)),
        environment=work.settings.environment,
        second_reason=account.second_reason,
        second_participant=account.second_participant_number,
    )


def find_active_access_token(
    work: UnitOfWork, ring: KeyRing, token: str
) -> AccessTokenRecord | None:
    """The record of an access token of this gateway, JWT or opaque, if it is active."""
    if token.count(".") == 2:
        try:
            claims = ring.verify(work, token, ACCESS)
        except BadToken:
            return None
        handles = [claims["jti"]] if isinstance(claims.get("jti"), str) else []
    else:
        handles = work.vault.digests("access", token)
    row = access_tokens.find(work, handles) if handles else None
    if row is None or not access_tokens.is_active(work, row):
        return None
    if (account := row.grant.account) is not None:
        request_ids.concerns(account.subject)
    # The revision is known only now. The key may have been revoked since it was read.
    is_current = token.count(".") != 2 or ring.publishes_key_of(work, token, ACCESS)
    return row if is_current else None


def _account(grant: AnyGrant) -> AnyAccount:
    if grant.account is None:
        raise LookupError("a grant of client credentials has no account")
    return grant.account


def _held_for_tokens(
    work: UnitOfWork, grant: AnyGrant, scopes: tuple[str, ...]
) -> list[HeldRoleGroup]:
    names = claim_rules.requested(scopes, grant.claims, "id_token")
    if grant.account is None or not claim_rules.needs_groups(names):
        return []
    return held_groups(work, grant)


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """To whom an access token is issued, where it works, until when, and what it is bound to."""

    client: AnyClient
    client_id: str
    audience: str
    expires_at: datetime
    act: dict[str, Any] | None = None
    dpop_jkt: str | None = None
    certificate: str | None = None


def _terms(
    work: UnitOfWork,
    grant: AnyGrant,
    delegation: Delegation | None,
    dpop_jkt: str | None,
    certificate: str | None,
) -> _Terms:
    if delegation is None:
        return _Terms(
            client=grant.client,
            client_id=grant_lifecycle.token_client_id(grant),
            audience=audience_of(work, grant),
            expires_at=work.after(seconds=work.settings.access_token_ttl),
            dpop_jkt=dpop_jkt,
            certificate=certificate,
        )
    return _Terms(
        client=delegation.actor,
        client_id=delegation.actor.client_id,
        audience=delegation.audience,
        expires_at=delegation.expires_at,
        act=delegation.act,
        dpop_jkt=dpop_jkt,
        certificate=certificate,
    )


def _access_token(
    work: UnitOfWork,
    ring: KeyRing,
    grant: AnyGrant,
    scopes: tuple[str, ...],
    held: list[HeldRoleGroup],
    terms: _Terms,
) -> tuple[str, dict[str, Any]]:
    """The token, and what is recorded of it."""
    client = terms.client
    handle = work.token(16)
    if client.access_token_format == "opaque":  # noqa: S105 - a form, not a secret
        token = work.token(32)
        handle = work.vault.digest("access", token)
    else:
        claims = _access_claims(work, grant, scopes, held, terms, handle)
        claims |= confirmation(terms.dpop_jkt, terms.certificate)
        token = ring.sign(work, client.access_token_alg, ACCESS, claims)
    return token, {
        "handle": handle,
        "scopes": list(scopes),
        "audience": terms.audience,
        "expires_at": terms.expires_at,
        "dpop_jkt": terms.dpop_jkt,
        "certificate": terms.certificate,
        "act": terms.act,
    }


def audience_of(work: UnitOfWork, grant: AnyGrant) -> str:
    """The audience of an access token. For a machine account it is the application."""
    client = grant.client
    if grant.account is not None and grant.account.kind == AccountKind.MACHINE:
        return client.audience or client.client_id
    return _audience(work, client)


def _audience(work: UnitOfWork, client: AnyClient) -> str:
    return client.audience or work.settings.issuer


def is_valid_resource(work: UnitOfWork, client: AnyClient, params: dict[str, str]) -> bool:
    """Whether ``resource``, if present, is the audience of the client's tokens, or a part of it:
    the gateway's own resources are in the gateway's audience (RFC 8707)."""
    resource, audience = params.get("resource"), _audience(work, client)
    if not resource or resource == audience:
        return True
    is_ours = audience == work.settings.issuer
    return is_ours and resource in protected_resources.identifiers(work.settings)


def _access_claims(
    work: UnitOfWork,
    grant: AnyGrant,
    scopes: tuple[str, ...],
    held: list[HeldRoleGroup],
    terms: _Terms,
    jti: str,
) -> dict[str, Any]:
    """RFC 9068 section 2.2."""
    claims: dict[str, Any] = {
        "iss": work.settings.issuer,
        "sub": sub_of(work, grant),
        "aud": terms.audience,
        "client_id": terms.client_id,
        "iat": seconds(work.now),
        "exp": seconds(terms.expires_at),
        "jti": jti,
        **scope_member(scopes),
    }
    if terms.act is not None:
        claims["act"] = terms.act
    if grant.account is None:
        return claims
    claims |= {"auth_time": seconds(_auth_time(grant)), "acr": grant.acr, "amr": grant.amr}
    names = claim_rules.requested(scopes, {}, "id_token")
    return claims | limited(work, claim_rules.of_groups(names, held))


def _id_token(
    work: UnitOfWork,
    ring: KeyRing,
    grant: AnyGrant,
    scopes: tuple[str, ...],
    access: str,
    held: list[HeldRoleGroup],
) -> str:
    """OIDC Core section 2. A refresh does not change ``auth_time``."""
    names = claim_rules.requested(scopes, grant.claims, "id_token")
    person = claim_rules.build(subject_of(work, grant), names, held)
    claims: dict[str, Any] = {
        **limited(work, person),
        "iss": work.settings.issuer,
        "aud": grant.client.client_id,
        "iat": seconds(work.now),
        "exp": seconds(work.now) + work.settings.id_token_ttl,
        "jti": work.token(16),
        "auth_time": seconds(_auth_time(grant)),
        "acr": grant.acr,
        "amr": grant.amr,
        "at_hash": _at_hash(access),
    }
    if grant.sid is not None:
        # A grant without one outlives its session (offline_access).
        claims["sid"] = grant.sid
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    token = ring.sign(work, grant.client.id_token_alg, ID, claims)
    return encrypted_tokens.for_id_tokens(work, grant.client, token)


def limited(work: UnitOfWork, claims: dict[str, Any]) -> dict[str, Any]:
    """The claims as a token may contain them: with too many role groups, these are at userinfo."""
    userinfo = f"{work.settings.issuer}/oauth2/v1/userinfo"
    return claim_rules.within_limit(claims, work.settings.max_groups, userinfo)


def _auth_time(grant: AnyGrant) -> datetime:
    return grant.auth_time or grant.created_at


def _at_hash(access: str) -> str:
    """OIDC Core 3.1.3.6. Both signature algorithms use SHA-256."""
    half = hashlib.sha256(access.encode("ascii")).digest()[:16]
    return urlsafe_b64encode(half).decode().rstrip("=")


def client_id_of(claims: dict[str, Any]) -> str | None:
    """The client id that an ID token was issued to."""
    audience = claims.get("aud")
    return audience if isinstance(audience, str) else None


def may_introspect(row: AccessTokenRecord, client: AnyClient) -> bool:
    """Whether the client may introspect the token: its own, or one whose audience it is."""
    if access_tokens.holder_id(row) == client.client_id:
        return True
    return client.is_resource_server and bool(client.audience) and client.audience == row.audience
