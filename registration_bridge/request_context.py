"""What the bridge knows about the current request."""

from __future__ import annotations

from flask import g

from idp import current
from idp.directory.provisioning_scope import ProvisioningScope

PREFIX = "/scim/v2"
#: Bytes of a request with several operations.
MAX_BULK_BODY = 4_194_304


def scope() -> ProvisioningScope:
    """What the client of this request may see and change."""
    found: ProvisioningScope = g.scim_scope
    return found


def base_url() -> str:
    """The address of the service, as configured."""
    return current.runtime().settings.issuer + PREFIX
