"""The registration data of a client, as a value and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from idp.models import AccountKind, AuthMethod, Client
from idp.policy.registered_values import FAPI2_SIGNING_ALG
from idp.policy.scopes import (
    PERSONAL_SCOPES,
    PushOperation,
    default_scopes,
)

if TYPE_CHECKING:
    from idp.credentials.assertions import PublicKey


@dataclass(frozen=True, kw_only=True)
class ClientData:
    """The registration data of a client. Lists are tuples of strings."""

    name: str
    description: str = ""
    name_fr: str = ""
    description_fr: str = ""
    #: The digest of a stored logo (``logos.store``).
    logo: str | None = None
    home_url: str = ""
    auth_method: str = AuthMethod.SECRET
    #: Public keys (JWK with ``kid``) of ``private_key_jwt``, or with a thumbprint of their
    #: certificate of ``self_signed_tls_client_auth``; and keys to encrypt for the client, with
    #: ``use`` ``enc``. See ``assertions.client_key``.
    keys: tuple[PublicKey, ...] = ()
    jwks_uri: str = ""
    #: For ``tls_client_auth``: a ``TlsSubjectField`` and its value.
    tls_subject_field: str = ""
    tls_subject: str = ""
    certificate_bound_tokens: bool = False
    token_endpoint_audience: bool = False
    grant_types: tuple[str, ...] = ("authorization_code",)
    scopes: tuple[str, ...] = PERSONAL_SCOPES
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    event_push_uri: str = ""
    frontchannel_logout_uri: str = ""
    frontchannel_logout_session_required: bool = False
    allowed_origins: tuple[str, ...] = ()
    account_kinds: tuple[str, ...] = (AccountKind.PERSONAL, AccountKind.MACHINE)
    require_pkce: bool = True
    require_pushed_requests: bool = False
    dpop_bound_access_tokens: bool = False
    fapi2_security_profile: bool = False
    trusted: bool = False
    uses_popups: bool = False
    minimum_acr: str | None = None
    sector_identifier: str = ""
    second_factor: str = ""
    id_token_alg: str = "RS256"  # noqa: S105 - names of algorithms and forms, no secrets
    authorization_response_alg: str = "RS256"
    userinfo_alg: str = ""
    id_token_encryption_alg: str = ""
    id_token_encryption_enc: str = "A256GCM"  # noqa: S105
    userinfo_encryption_alg: str = ""
    userinfo_encryption_enc: str = "A256GCM"
    introspection_alg: str = "RS256"
    access_token_alg: str = "ES256"  # noqa: S105
    access_token_format: str = "jwt"  # noqa: S105
    audience: str = ""
    exchange_audiences: tuple[str, ...] = ()
    is_resource_server: bool = False
    push_operations: tuple[str, ...] = tuple(PushOperation)
    push_participants: tuple[str, ...] = ()
    push_person_id: str = ""
    push_account_kind: str = AccountKind.PERSONAL
    push_default_participant: str = ""
    role_groups: tuple[str, ...] = field(default=(), metadata={"relation": True})

    def __post_init__(self) -> None:
        """The FAPI 2.0 Security Profile sets each field for which it allows one value only, so that
        the registration shows what counts. ``client_validation`` checks the others."""
        if self.fapi2_security_profile:
            for name, value in self._fapi2_values().items():
                object.__setattr__(self, name, value)

    def _fapi2_values(self) -> dict[str, Any]:
        """Sections 5.3.2.1, 5.3.2.2 and 5.4.1."""
        return {
            "require_pkce": True,
            "require_pushed_requests": True,
            # Tokens are bound to a key or to a certificate.
            "dpop_bound_access_tokens": self.dpop_bound_access_tokens
            or not self.certificate_bound_tokens,
            "token_endpoint_audience": False,
            "id_token_alg": FAPI2_SIGNING_ALG,
            "authorization_response_alg": FAPI2_SIGNING_ALG,
            "userinfo_alg": FAPI2_SIGNING_ALG if self.userinfo_alg else "",
            "introspection_alg": FAPI2_SIGNING_ALG,
            "access_token_alg": FAPI2_SIGNING_ALG,
            # They get tokens by a password, and tokens that are not bound.
            "account_kinds": tuple(
                kind for kind in self.account_kinds if kind != AccountKind.MACHINE
            ),
        }


def of_new_client(given: Mapping[str, Any]) -> ClientData:
    """The registration of a new client. A resource server without redirect URIs gets no tokens
    unless it has grant types; the scopes follow from the grant types."""
    values = dict(given)
    if values.get("is_resource_server") and not values.get("redirect_uris"):
        values.setdefault("grant_types", ())
    grant_types = values.get("grant_types", ClientData.grant_types)
    return ClientData(**{"scopes": default_scopes(grant_types), **values})


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
