"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4)."""

from __future__ import annotations

import json

from idp import client_records
from idp.clients import client_keys, registry
from idp.errors import ConfigurationError
from idp.messages.delivery import Sender
from idp.models import OutboxMessage
from idp.oidc import encrypted_tokens, tokens
from idp.oidc.jwks import KeyRing
from idp.transaction import Runtime, committing

LOGOUT = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: Seconds until a logout token expires. Each delivery attempt sends a new one.
LIFETIME = 120


def sender(ring: KeyRing) -> Sender:
    """The sender of back-channel logout messages, which signs with these keys."""

    def send(runtime: Runtime, row: OutboxMessage) -> None:
        """Create the logout token and send it, outside any transaction, to the present
        ``backchannel_logout_uri`` of the client. Sends nothing if the client is disabled or has
        no such URI any more."""
        if runtime.ports.logouts is None:
            raise ConfigurationError("no sender of back-channel logout requests is configured")
        ended = json.loads(runtime.vault.decrypt(row.body_sealed))
        with committing(runtime.work()) as work:
            client = registry.find(work, row.recipient)
            if client is None or client.disabled_at or not client.backchannel_logout_uri:
                return
            if client.id_token_encryption_alg:
                client_keys.prepare(work, client, (), client.id_token_encryption_alg)
            uri = client.backchannel_logout_uri
            claims = {
                "iss": work.settings.issuer,
                "sub": client_records.subject_for(work, client, ended["sub"]),
                "aud": client.client_id,
                "iat": tokens.seconds(work.now),
                "exp": tokens.seconds(work.now) + LIFETIME,
                "jti": work.token(16),
                "events": {EVENT: {}},
                "sid": ended["sid"],
            }
            token = encrypted_tokens.for_id_tokens(
                work, client, ring.sign(work, client.id_token_alg, LOGOUT, claims)
            )
        runtime.ports.logouts.send(uri, token)

    return send
