"""Why changes of signing keys are refused."""

from __future__ import annotations

from datetime import datetime

from idp.errors import NotFound, Refused
from service_base.phrases import N_


class SigningKeyNotFound(NotFound):
    """There is no such key."""

    template = N_("no key {kid}")
    kid: str


class SigningKeyMissing(NotFound):
    """The algorithm has no key in this state."""

    template = N_("no {state} key for {alg}")
    state: str
    alg: str


class KeyNotPublishedYet(Refused):
    """The caches of relying parties may not have the key yet."""

    template = N_("the next {alg} key can sign from {ready}; relying parties may not have it yet")
    alg: str
    #: ISO 8601, UTC.
    ready: datetime
