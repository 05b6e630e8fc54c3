"""Access tokens of the gateway: who uses the interface for programs (RFC 9068)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.jwt import ClaimsOption, JWTClaimsRegistry, Token
from sqlalchemy import exists, select

from registration.delegation_facts import AccountKind
from registration.models import Account, Person, Session
from registration.transaction import UnitOfWork
from service_base import request_ids
from service_base.refusals import Refused

TYPES = ("at+jwt", "application/at+jwt")
#: Clocks of two machines may differ by this many seconds.
LEEWAY = 5


class SessionEnded(Refused):
    """The person has signed out after the token was issued."""

    code = "session_ended"
    template = "The person has signed out since the access token was issued."


class NotAPerson(Refused):
    """The token is that of a machine account or of a client itself."""

    code = "not_a_person"
    template = "Only people can use this interface."


class PersonUnknown(Refused):
    """Registration has no open account of this person."""

    code = "person_unknown"
    template = "Registration does not know the person."


@dataclass(frozen=True)
class TokenSignIn:
    """A person, as an access token says how he signed in and what the program may do for him."""

    person: Person
    role_groups: tuple[str, ...]
    acr: str
    authenticated_at: datetime
    scopes: frozenset[str]
    client_id: str


def check(work: UnitOfWork, token: Token) -> dict[str, Any]:
    """The claims of a token whose signature is valid, if it is an access token of the gateway for
    this interface (RFC 9068 section 4). Raises JoseError or ValueError."""
    must: ClaimsOption = {"essential": True}
    issuer: ClaimsOption = {"essential": True, "value": work.settings.issuer}
    audience: ClaimsOption = {"essential": True, "value": work.settings.api_audience}
    claims: dict[str, Any] = token.claims
    JWTClaimsRegistry(
        now=int(work.now.timestamp()), leeway=LEEWAY,
        iss=issuer, aud=audience, exp=must, iat=must, sub=must, jti=must, client_id=must,
    ).validate(claims)  # fmt: skip
    if str(token.header.get("typ", "")).lower() not in TYPES:
        raise ValueError("this is no access token")
    if "cnf" in claims:
        # RFC 9449 section 7.1: whoever stole it cannot use it as a bearer token.
        raise ValueError("this token is bound to a key")
    texts = ("sub", "client_id", "scope", "acr")
    if not all(isinstance(claims.get(name, ""), str) for name in texts):
        raise ValueError("a claim is no text")
    moments = ("iat", "exp", "auth_time")
    if not all(isinstance(claims.get(name, 0), int) for name in moments):
        raise ValueError("a claim is no time")
    return claims


def sign_in(work: UnitOfWork, claims: dict[str, Any]) -> TokenSignIn:
    """The person of claims that were checked. Machines have no rights here, so they are refused.
    Raises NotAPerson, PersonUnknown or SessionEnded."""
    subject, client_id = claims["sub"], claims["client_id"]
    query = select(Account).where(Account.scim_id == subject, Account.ended_at.is_(None))
    account = work.db.scalars(query).one_or_none()
    is_machine = account is not None and account.kind == AccountKind.MACHINE
    if subject == client_id or is_machine or "auth_time" not in claims:
        raise NotAPerson()
    if account is None or account.person is None or account.kind != AccountKind.PERSON:
        raise PersonUnknown()
    if _signed_out_since(work, subject, datetime.fromtimestamp(claims["iat"], UTC)):
        raise SessionEnded()
    request_ids.is_asked_by(subject)
    groups = claims.get("groups")
    return TokenSignIn(
        account.person,
        tuple(str(one) for one in groups) if isinstance(groups, list) else (),
        claims.get("acr", ""),
        datetime.fromtimestamp(claims["auth_time"], UTC),
        frozenset(claims.get("scope", "").split()),
        client_id,
    )


def _signed_out_since(work: UnitOfWork, subject: str, moment: datetime) -> bool:
    """An access token does not name its session. A sign-out, here or by a logout token of the
    gateway, ends all tokens that the person got before."""
    ended = exists().where(
        Session.subject == subject,
        Session.ended_at >= moment,
        Session.ended_why.in_(("gateway", "signed_out")),
    )
    return bool(work.db.scalar(select(ended)))
