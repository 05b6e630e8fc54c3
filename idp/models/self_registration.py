"""Applications that register themselves (RFC 7591, RFC 7592)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, PrimaryKey
from idp.models.client import Client


class InitialAccessToken(Base):
    """Allows a number of applications to register themselves until it expires."""

    __tablename__ = "initial_access_token"

    id: Mapped[PrimaryKey]
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    #: Keyed digest of the token.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: Who it was given to.
    name: Mapped[str] = mapped_column(String(200))
    max_uses: Mapped[int]
    uses: Mapped[int] = mapped_column(default=0)
    #: Whether its confidential clients must use PKCE; public clients always do.
    require_pkce: Mapped[bool] = mapped_column(default=True)
    #: Whether assertions of its clients may name the token endpoint as ``aud`` (old libraries).
    token_endpoint_audience: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ClientRegistration(Base):
    """A client that registered itself, and its registration access token."""

    __tablename__ = "client_registration"

    id: Mapped[PrimaryKey]
    client_id: Mapped[int] = mapped_column(BigId, ForeignKey("client.id"), unique=True)
    initial_token_id: Mapped[int] = mapped_column(BigId, ForeignKey("initial_access_token.id"))
    #: Keyed digest of the registration access token.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: ``updated_at`` of the client after the application's own last change.
    own_change_at: Mapped[datetime]
    #: When the application deleted its registration.
    ended_at: Mapped[datetime | None]

    client: Mapped[Client] = relationship()
    initial_token: Mapped[InitialAccessToken] = relationship()

    __table_args__ = (Index("ix_client_registration_initial_token_id", "initial_token_id"),)
