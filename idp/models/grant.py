"""What was asked and what was given: interactions, grants, codes and tokens.

A ``Grant`` is one authorization of one client. Everything issued under it (code, family of
refresh tokens, access tokens) points to it, so revoking the grant ends them all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey, partial_index
from idp.models.account import Account
from idp.models.client import Client
from idp.models.credential import TemporaryPassword
from idp.models.session import BrowserSession
from idp.policy.signin_state import LEGAL_ANSWERS, LEGAL_STAGE, Stage


class Interaction(Base):
    """A sign-in under way: the validated authorization request, or a local page to return to."""

    __tablename__ = "interaction"

    id: Mapped[PrimaryKey]
    #: Names it in URLs; useless without the browser it is bound to.
    handle: Mapped[str] = mapped_column(String(64), unique=True)
    #: Digest of the browser's own cookie (N54).
    browser: Mapped[str] = mapped_column(String(64))
    client_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("client.id"))
    #: ``oidc.interaction.AuthorizationRequest`` as JSON; empty without a client.
    request: Mapped[dict[str, Any]]
    return_to: Mapped[str] = mapped_column(String(2000), default="/")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    #: How far the sign-in has come; ``idp.policy.signin_state`` has the table of legal rows. Only
    #: ``idp.signin.transitions`` writes what follows.
    stage: Mapped[str] = mapped_column(
        String(20), default=Stage.STARTED, server_default=text("'started'")
    )
    #: Whose sign-in it is, and the stamp that ends it when the account changes.
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"))
    security_stamp: Mapped[str | None] = mapped_column(String(80))
    #: Why a new password is required, and the temporary one that was used.
    change_reason: Mapped[str | None] = mapped_column(String(10))
    temporary_password_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey(TemporaryPassword.id)
    )
    #: What was proved, as values of ``amr``, and whether a one-time secret was shown.
    proved: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    has_secret: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: ``policy.signin_state.SecondFactorDecision`` as JSON.
    second_factor: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: Whether the holder wants this browser remembered.
    remember: Mapped[bool] = mapped_column(default=False, server_default=false())
    authenticated_at: Mapped[datetime | None]
    #: What the person who was signed in answered, and who that was.
    consented_at: Mapped[datetime | None]
    denied_at: Mapped[datetime | None]
    account_chosen_at: Mapped[datetime | None]
    answered_by_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"))
    completed_at: Mapped[datetime | None]

    client: Mapped[Client | None] = relationship(lazy="joined")

    __table_args__ = (
        Index("ix_interaction_expires_at", "expires_at"),
        CheckConstraint(LEGAL_STAGE, name="stage"),
        CheckConstraint(LEGAL_ANSWERS, name="answers"),
    )


class PushedRequest(Base):
    """A validated authorization request that a client pushed (RFC 9126)."""

    __tablename__ = "pushed_request"

    id: Mapped[PrimaryKey]
    #: Keyed digest of the secret part of its ``request_uri``.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"))
    #: ``oidc.interaction.AuthorizationRequest`` as JSON.
    request: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]
    #: When the client got its answer.
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_pushed_request_expires_at", "expires_at"),
        Index("ix_pushed_request_client_id", "client_id"),
    )


class Consent(Base):
    """What an account allowed a relying party to see; remembered, and revocable in settings."""

    __tablename__ = "consent"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(BigId, ForeignKey("account.id"))
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"))
    scopes: Mapped[list[str]]
    granted_at: Mapped[datetime]

    client: Mapped[Client] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (
        Index("uq_consent_account_id_client_id", "account_id", "client_id", unique=True),
    )


class Grant(Base):
    """One authorization; the family of everything issued under it."""

    __tablename__ = "grant"

    id: Mapped[PrimaryKey]
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"), index=True)
    #: None for client credentials: the client acts for itself.
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"))
    session_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("browser_session.id"))
    #: Serves logout by a relying party.
    sid: Mapped[str | None] = mapped_column(String(40))
    scopes: Mapped[list[str]]
    #: The ``claims`` parameter (OIDC Core 5.5), validated.
    claims: Mapped[dict[str, Any]]
    nonce: Mapped[str | None] = mapped_column(Text)
    #: Number of the one participant that a machine acts for; None: all of its own.
    participant: Mapped[str | None] = mapped_column(String(20))
    acr: Mapped[str | None] = mapped_column(String(100))
    amr: Mapped[list[str]]
    auth_time: Mapped[datetime | None]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None] = mapped_column(String(40))

    client: Mapped[Client] = relationship(lazy="joined", innerjoin=True)
    account: Mapped[Account | None] = relationship(lazy="joined")
    session: Mapped[BrowserSession | None] = relationship(lazy="joined")

    # A grant of client credentials is in none of them.
    __table_args__ = tuple(
        partial_index(f"ix_grant_{name}", name, where=text(f"{name} IS NOT NULL"))
        for name in ("account_id", "session_id", "sid")
    )


class AuthorizationCode(Base):
    """Spent once by conditional UPDATE; the row stays so that a second use is recognised."""

    __tablename__ = "authorization_code"

    id: Mapped[PrimaryKey]
    #: Serves the token endpoint's look-up.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    grant_id: Mapped[int] = mapped_column(BigId, ForeignKey("grant.id"), index=True)
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    #: Thumbprint of the only key that may redeem it (RFC 9449 section 10).
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]

    grant: Mapped[Grant] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index("ix_authorization_code_expires_at", "expires_at"),)


class RefreshToken(Base):
    """One member of a rotating family."""

    __tablename__ = "refresh_token"

    id: Mapped[PrimaryKey]
    #: Serves the token endpoint's look-up.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    grant_id: Mapped[int] = mapped_column(BigId, ForeignKey("grant.id"), index=True)
    created_at: Mapped[datetime]
    #: Idle limit of this member.
    expires_at: Mapped[datetime]
    #: Absolute limit of the family.
    family_expires_at: Mapped[datetime]
    #: Thumbprint of the key without which a public client cannot use it (RFC 9449 section 5).
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    consumed_at: Mapped[datetime | None]
    #: The next member, sealed: given again when the answer was lost (within the grace).
    successor_sealed: Mapped[str | None] = mapped_column(Text)
    successor_digest: Mapped[str | None] = mapped_column(String(64))
    #: The scope that was asked when it was consumed: only the same request is a retry.
    consumed_scope: Mapped[str | None] = mapped_column(Text)

    grant: Mapped[Grant] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index("ix_refresh_token_expires_at", "expires_at"),)


class DeviceAuthorization(Base):
    """What a device asks for, and the decision of a person (RFC 8628)."""

    __tablename__ = "device_authorization"

    id: Mapped[PrimaryKey]
    #: Serves the token endpoint's look-up.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: The code that the person types, and the same sealed, to be compared with the device.
    user_code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_code_sealed: Mapped[str] = mapped_column(Text)
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"), index=True)
    #: ``oidc.interaction.AuthorizationRequest`` as JSON.
    request: Mapped[dict[str, Any]]
    #: The address that asked.
    ip: Mapped[str | None] = mapped_column(String(45))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    #: The device waits this long between two questions, and asks the next one not before this time.
    poll_seconds: Mapped[int]
    next_poll_at: Mapped[datetime]
    #: The person allowed it if there is a grant, and refused it if not.
    decided_at: Mapped[datetime | None]
    grant_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("grant.id"), index=True)
    #: When the device got its tokens.
    consumed_at: Mapped[datetime | None]

    client: Mapped[Client] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index("ix_device_authorization_expires_at", "expires_at"),)


class AccessToken(Base):
    """The record behind an access token: no token is valid without its row and its grant."""

    __tablename__ = "access_token"

    id: Mapped[PrimaryKey]
    #: ``jti`` of a JWT, or the digest of an opaque token. Serves userinfo and introspection.
    handle: Mapped[str] = mapped_column(String(64), unique=True)
    grant_id: Mapped[int] = mapped_column(BigId, ForeignKey("grant.id"), index=True)
    scopes: Mapped[list[str]]
    audience: Mapped[str] = mapped_column(String(2000))
    #: Thumbprint of the key that it is bound to (RFC 9449 section 6); None: a bearer token.
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    #: The clients that exchanged it, the last one outermost (RFC 8693 section 4.1); None: it was
    #: issued to the client of its grant.
    act: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: The SHA-256 thumbprint of the certificate that it works with (RFC 8705); None: any caller.
    certificate: Mapped[str | None] = mapped_column(String(43))

    grant: Mapped[Grant] = relationship(lazy="joined", innerjoin=True)

    __table_args__ = (Index("ix_access_token_expires_at", "expires_at"),)
