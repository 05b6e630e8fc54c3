"""Relying parties and other OAuth clients."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Column, ForeignKey, String, Table, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp.db import Base, BigId, BinaryJson, PrimaryKey
from idp.models.logo import Logo
from idp.models.role import RoleGroup
from idp.policy.registered_values import (
    SECRET_METHODS,
    AccountKind,
    AuthMethod,
    allows_auth_method,
)

#: The relying parties that see a role group. The gateway's own groups have none.
client_role_group = Table(
    "client_role_group",
    Base.metadata,
    Column("client_id", BigId, ForeignKey("client.id"), primary_key=True),
    Column("role_group_id", BigId, ForeignKey(RoleGroup.id), primary_key=True, index=True),
)


class HasKind(Protocol):
    """An account."""

    @property
    def kind(self) -> AccountKind:
        """Its kind."""


class Client(Base):
    """A registered client. Lists are stored as JSON arrays of strings."""

    __tablename__ = "client"

    id: Mapped[PrimaryKey]
    client_id: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(500), default="")
    #: The same on French pages; empty: as above.
    name_fr: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    description_fr: Mapped[str] = mapped_column(String(500), default="", server_default=text("''"))
    #: The digest of its logo (``idp.clients.logos``); pages show initials if there is none.
    logo: Mapped[str | None] = mapped_column(String(64), ForeignKey(Logo.digest), index=True)
    #: The URL of its tile on the dashboard; empty: no tile.
    home_url: Mapped[str] = mapped_column(String(2000), default="")
    auth_method: Mapped[AuthMethod] = mapped_column(String(30))
    secret_digest: Mapped[str | None] = mapped_column(String(64))
    #: The secret before the last rotation, and when it expires.
    former_secret_digest: Mapped[str | None] = mapped_column(String(64))
    former_secret_until: Mapped[datetime | None]
    #: The same secrets, sealed, of a client that signs with them (``client_secret_jwt``).
    sealed_secret: Mapped[str | None] = mapped_column(Text)
    former_sealed_secret: Mapped[str | None] = mapped_column(Text)
    #: Public keys (JWK) for ``private_key_jwt``, and to encrypt for it (``use`` ``enc``); several
    #: during a key rotation.
    keys: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    #: Where it publishes them instead; empty: nowhere.
    jwks_uri: Mapped[str] = mapped_column(String(2000), default="", server_default=text("''"))
    #: The field of its certificate that names it, and the value (``tls_client_auth``).
    tls_subject_field: Mapped[str] = mapped_column(
        String(20), default="", server_default=text("''")
    )
    tls_subject: Mapped[str] = mapped_column(String(2000), default="", server_default=text("''"))
    #: Its access tokens work with its certificate only (RFC 8705 section 3).
    certificate_bound_tokens: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Assertions may name the token endpoint as ``aud`` instead of the issuer (old libraries).
    token_endpoint_audience: Mapped[bool] = mapped_column(default=False, server_default=false())
    grant_types: Mapped[list[str]]
    scopes: Mapped[list[str]]
    redirect_uris: Mapped[list[str]]
    post_logout_redirect_uris: Mapped[list[str]]
    #: The back-channel logout URI (Back-Channel Logout 1.0); empty: none.
    backchannel_logout_uri: Mapped[str] = mapped_column(
        String(2000), default="", server_default=text("''")
    )
    #: Where security events are pushed to (RFC 8935); empty: nowhere.
    event_push_uri: Mapped[str] = mapped_column(String(2000), default="", server_default=text("''"))
    #: Opened in a frame of the page of a sign-out (Front-Channel Logout 1.0); empty: none.
    frontchannel_logout_uri: Mapped[str] = mapped_column(
        String(2000), default="", server_default=text("''")
    )
    #: Whether that address gets ``iss`` and ``sid``.
    frontchannel_logout_session_required: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )
    #: Origins whose browsers may call the token endpoint and userinfo (CORS).
    allowed_origins: Mapped[list[str]]
    #: The kinds of account that can open it (``AccountKind``).
    account_kinds: Mapped[list[str]]
    require_pkce: Mapped[bool] = mapped_column(default=True)
    #: It must push its authorization requests (RFC 9126 section 6).
    require_pushed_requests: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: It gets tokens only with a proof of possession (RFC 9449 section 5.2).
    dpop_bound_access_tokens: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Every rule of the FAPI 2.0 Security Profile counts for it (``ClientData``).
    fapi2_security_profile: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: A first-party relying party: no consent is requested.
    trusted: Mapped[bool] = mapped_column(default=False)
    #: Opens the sign-in in a popup that needs access to its opener.
    uses_popups: Mapped[bool] = mapped_column(default=False, server_default=false())
    minimum_acr: Mapped[str | None] = mapped_column(String(100))
    #: The rule (``idp.mfa.second_factor_rule``); empty for the default of the environment.
    second_factor: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    id_token_alg: Mapped[str] = mapped_column(String(10), default="RS256")
    #: Of authorization responses in JWTs (JARM).
    authorization_response_alg: Mapped[str] = mapped_column(
        String(10), default="RS256", server_default=text("'RS256'")
    )
    #: The sector whose clients know an account by the same subject (OIDC Core section 8.1); empty:
    #: the public subject.
    sector_identifier: Mapped[str] = mapped_column(
        String(253), default="", server_default=text("''")
    )
    #: How ID tokens and logout tokens, and userinfo, are encrypted for it, and their content; no
    #: algorithm: not at all.
    id_token_encryption_alg: Mapped[str] = mapped_column(
        String(20), default="", server_default=text("''")
    )
    id_token_encryption_enc: Mapped[str] = mapped_column(
        String(10), default="A256GCM", server_default=text("'A256GCM'")
    )
    userinfo_encryption_alg: Mapped[str] = mapped_column(
        String(20), default="", server_default=text("''")
    )
    userinfo_encryption_enc: Mapped[str] = mapped_column(
        String(10), default="A256GCM", server_default=text("'A256GCM'")
    )
    #: Of userinfo; empty: plain JSON.
    userinfo_alg: Mapped[str] = mapped_column(String(10), default="", server_default=text("''"))
    #: Of answers of introspection in JWTs (RFC 9701).
    introspection_alg: Mapped[str] = mapped_column(
        String(10), default="RS256", server_default=text("'RS256'")
    )
    access_token_alg: Mapped[str] = mapped_column(String(10), default="ES256")
    #: ``jwt`` (RFC 9068) or ``opaque``.
    access_token_format: Mapped[str] = mapped_column(String(10), default="jwt")
    #: ``aud`` of its access tokens; empty: the gateway.
    audience: Mapped[str] = mapped_column(String(2000), default="")
    #: The audiences for which it may exchange tokens that it receives (RFC 8693).
    exchange_audiences: Mapped[list[str]] = mapped_column(
        BinaryJson, default=list, server_default=text("'[]'")
    )
    #: May introspect tokens that were issued to other clients for its audience.
    is_resource_server: Mapped[bool] = mapped_column(default=False)
    #: Operations allowed with the scope ``scim``: values of ``PushOperation``.
    push_operations: Mapped[list[str]] = mapped_column(default=list)
    #: The participants that it may provision, by number; empty: all.
    push_participants: Mapped[list[str]] = mapped_column(default=list)
    #: For clients limited to the standard SCIM attributes: the attribute that contains the Person
    #: ID (empty: the gateway's extension), the kind of account to create, and the default
    #: participant.
    push_person_id: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))
    push_account_kind: Mapped[str] = mapped_column(
        String(10), default="personal", server_default=text("'personal'")
    )
    push_default_participant: Mapped[str] = mapped_column(
        String(20), default="", server_default=text("''")
    )
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    role_groups: Mapped[list[RoleGroup]] = relationship(
        secondary=client_role_group, order_by=RoleGroup.name
    )

    def allows_account(self, account: HasKind) -> bool:
        """Whether accounts of this kind can open the client (EN-03, MA-07)."""
        return account.kind in self.account_kinds

    @property
    def is_public(self) -> bool:
        """A public client has no secret (RFC 6749 section 2.1)."""
        return self.auth_method == AuthMethod.NONE

    @property
    def has_secret(self) -> bool:
        """False for public clients and clients with keys."""
        return self.auth_method in SECRET_METHODS

    def allows_auth_method(self, method: AuthMethod) -> bool:
        """Whether the client may use this authentication method."""
        return allows_auth_method(self.auth_method, method)
