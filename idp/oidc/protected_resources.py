"""The gateway's own resources that access tokens open, and their metadata (RFC 9728)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp.policy.event_types import MANAGE, READ
from idp.policy.registered_values import DPOP_ALGS, SIGNING_ALGS
from idp.policy.scopes import IDENTITY_SCOPES
from idp.policy.scopes import SCIM as SCIM_SCOPE
from idp.settings import Settings

#: Where the metadata of a resource is: before its path (section 3.1).
WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, kw_only=True)
class ProtectedResource:
    """A resource of the gateway."""

    path: str
    name: str
    scopes: tuple[str, ...]
    #: How a bearer token is sent (RFC 6750 section 2).
    methods: tuple[str, ...]
    #: Whether a client can have its answers signed.
    signs_answers: bool = False

    @property
    def metadata_path(self) -> str:
        """The path of its metadata."""
        return WELL_KNOWN + self.path

    def url(self, settings: Settings) -> str:
        """Its identifier."""
        return settings.issuer + self.path

    def metadata_url(self, settings: Settings) -> str:
        """What ``resource_metadata`` of a challenge says (section 5.1)."""
        return settings.issuer + self.metadata_path


USERINFO = ProtectedResource(
    path="/oauth2/v1/userinfo",
    name="Userinfo",
    scopes=tuple(scope for scope in IDENTITY_SCOPES if scope != "offline_access"),
    methods=("header", "body"),
    signs_answers=True,
)
SCIM = ProtectedResource(
    path="/scim/v2",
    name="Accounts and role groups (SCIM)",
    scopes=(SCIM_SCOPE,),
    methods=("header",),
)
SHARED_SIGNALS = ProtectedResource(
    path="/oauth2/v1/ssf",
    name="Security events (Shared Signals)",
    scopes=(READ, MANAGE),
    methods=("header",),
)
RESOURCES = (USERINFO, SCIM, SHARED_SIGNALS)


def metadata(settings: Settings, resource: ProtectedResource) -> dict[str, Any]:
    """Section 2."""
    found: dict[str, Any] = {
        "resource": resource.url(settings),
        "resource_name": resource.name,
        "authorization_servers": [settings.issuer],
        "scopes_supported": list(resource.scopes),
        "bearer_methods_supported": list(resource.methods),
        "dpop_signing_alg_values_supported": list(DPOP_ALGS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": bool(settings.client_certificate_header),
    }
    if resource.signs_answers:
        keys = f"{settings.issuer}/oauth2/v1/keys"
        found |= {"jwks_uri": keys, "resource_signing_alg_values_supported": list(SIGNING_ALGS)}
    return found


def identifiers(settings: Settings) -> list[str]:
    """The identifiers of all resources."""
    return [resource.url(settings) for resource in RESOURCES]
