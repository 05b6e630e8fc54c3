"""Security event tokens (RFC 8417) of the Shared Signals Framework 1.0 and CAEP 1.0.

A token is created at each delivery, with the same ``jti``. Changed claims have their values at the
delivery, so that an event that comes late does not bring back an old value.
"""

from __future__ import annotations

import json
from typing import Any

from idp import client_records
from idp.clients import event_streams, registry
from idp.errors import ConfigurationError
from idp.grants import grant_lifecycle
from idp.messages import waiting_events
from idp.messages.delivery import Sender
from idp.models import Client, OutboxMessage
from idp.oidc import claims as claim_rules
from idp.oidc import tokens
from idp.oidc.jwks import KeyRing
from idp.policy.event_types import VERIFICATION, EventType
from idp.transaction import Runtime, UnitOfWork, committing

SET = "secevent+jwt"
#: The one algorithm that receivers must support (CAEP Interoperability Profile section 2.6).
ALG = "RS256"
#: The claims that change with a field of a person or an account, or with role groups.
CLAIMS_OF: dict[str, tuple[str, ...]] = {
    "given_name": ("given_name", "name"),
    "middle_name": ("middle_name",),
    "family_name": ("family_name", "name"),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "locale": ("locale",),
    "zoneinfo": ("zoneinfo",),
    "groups": claim_rules.GROUP_CLAIMS,
}


def build(work: UnitOfWork, ring: KeyRing, client: Client, row: OutboxMessage) -> str | None:
    """The token of a queued event for the client. None if there is nothing to say: the client gets
    none of the claims that changed."""
    found = json.loads(work.vault.decrypt(row.body_sealed))
    event = found["event"]
    if found["type"] == EventType.TOKEN_CLAIMS_CHANGE:
        values = _values(work, client, found["sub"], found["changed"])
        if not values:
            return None
        event = event | {"claims": values}
    claims = {
        "iss": work.settings.issuer,
        "aud": client.client_id,
        "iat": tokens.seconds(row.created_at),
        "jti": waiting_events.jti_of(row),
        "sub_id": _subject(work, client, found),
        "events": {found["type"]: event},
    }
    if "sid" in found:
        claims["sid"] = found["sid"]
    return ring.sign(work, ALG, SET, claims)


def _subject(work: UnitOfWork, client: Client, found: dict[str, Any]) -> dict[str, str]:
    """RFC 9493 section 3.2; of a verification event, the stream (SSF section 8.1.4.1)."""
    if found["type"] == VERIFICATION:
        return {"format": "opaque", "id": found["stream"]}
    subject = client_records.subject_for(work, client, found["sub"])
    return {"format": "iss_sub", "iss": work.settings.issuer, "sub": subject}


def _values(work: UnitOfWork, client: Client, subject: str, changed: list[str]) -> dict[str, Any]:
    """The changed claims that the account's last grant gives the client; None is a claim that has
    no value now."""
    grant = grant_lifecycle.newest(work, subject, client.id)
    if grant is None:
        return {}
    allowed = {
        name
        for target in ("id_token", "userinfo")
        for name in claim_rules.requested(grant.scopes, grant.claims, target)
    }
    names = {name for field in changed for name in CLAIMS_OF.get(field, ())} & allowed
    held = tokens.held_groups(work, grant) if claim_rules.needs_groups(names) else []
    built = claim_rules.build(tokens.subject_of(work, grant), names, held)
    return tokens.limited(work, {name: built.get(name) for name in sorted(names)}) if names else {}


def sender(ring: KeyRing) -> Sender:
    """The sender of security events, which signs with these keys."""

    def send(runtime: Runtime, row: OutboxMessage) -> None:
        """Push one event (RFC 8935), outside any transaction, to the present address of the client.
        Sends nothing if the client is disabled, or has no stream or no address any more."""
        if runtime.ports.events is None:
            raise ConfigurationError("no sender of security events is configured")
        with committing(runtime.work()) as work:
            client = registry.find(work, row.recipient)
            if client is None or client.disabled_at or not client.event_push_uri:
                return
            stream = event_streams.of(work, client)
            token = build(work, ring, client, row) if stream is not None else None
            if stream is None or token is None:
                return
            uri, authorization = client.event_push_uri, event_streams.authorization(work, stream)
        runtime.ports.events.send(uri, token, authorization)

    return send
