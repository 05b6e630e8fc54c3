"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.4)."""

from __future__ import annotations

import json

from idp.clients import registry
from idp.errors import ConfigurationError
from idp.messages.deliver import Sender
from idp.models import OutboxMessage
from idp.oidc import tokens
from idp.oidc.jwks import KeyRing
from idp.transaction import Runtime, committing

LOGOUT = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: Seconds until a logout token expires; each try sends a new one.
LIFE = 120


def sender(ring: KeyRing) -> Sender:
    """What hands logout tokens over that are signed with these keys."""

    def send(runtime: Runtime, row: OutboxMessage) -> None:
        """Make the token and send it, outside any transaction, to where the client is by now. A
        client that wants to be told no more is not."""
        if runtime.ports.logouts is None:
            raise ConfigurationError("there is nothing that tells relying parties")
        ended = json.loads(runtime.vault.decrypt(row.body_sealed))
        with committing(runtime.work()) as work:
            client = registry.find(work, row.recipient)
            if client is None or client.disabled_at or not client.backchannel_logout_uri:
                return
            uri = client.backchannel_logout_uri
            claims = {
                "iss": work.settings.issuer,
                "sub": ended["sub"],
                "aud": client.client_id,
                "iat": tokens.seconds(work.now),
                "exp": tokens.seconds(work.now) + LIFE,
                "jti": work.token(16),
                "events": {EVENT: {}},
                "sid": ended["sid"],
            }
            token = ring.sign(work, client.id_token_alg, LOGOUT, claims)
        runtime.ports.logouts.send(uri, token)

    return send
