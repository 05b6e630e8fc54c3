"""Canaille's rows in the database of the run: the client, and tokens of a person. ``canaille run``,
its own server, answers. SQLite's own default commits durably."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend


def prepare() -> None:
    """Make the tables, the client, and tokens of a person."""
    app = create_app(init_backend=True)
    with app.app_context(), Backend.instance.session():
        client = models.Client(
            client_id="bench",
            client_name="bench",
            client_secret=os.environ["PEER_SECRET"],
            client_id_issued_at=datetime.now(UTC),
            client_uri="http://localhost",
            redirect_uris=["http://localhost/cb"],
            grant_types=["client_credentials", "refresh_token"],
            response_types=["code"],
            scope=["openid", "profile", "api"],
            token_endpoint_auth_method="client_secret_basic",
            id_token_signed_response_alg="ES256",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
        person = models.User(
            user_name="moreaua",
            formatted_name="Ada Moreau",
            given_name="Ada",
            family_name="Moreau",
            emails=["moreaua@bench.example"],
        )
        Backend.instance.save(person)
        tokens = [secrets.token_urlsafe(32) for _ in range(int(os.environ["PEER_REFRESH"]) + 1)]
        for number, token in enumerate(tokens):
            issued = models.Token(
                token_id=token,
                access_token=token if number == 0 else secrets.token_urlsafe(32),
                refresh_token=token if number else secrets.token_urlsafe(32),
                type="Bearer",
                client=client,
                subject=person,
                scope=["openid", "profile"],
                issue_date=datetime.now(UTC),
                lifetime=3600,
            )
            issued.audience = [client]
            Backend.instance.save(issued)
    Path(os.environ["PEER_TOKENS"]).write_text("\n".join(tokens), encoding="ascii")


if __name__ == "__main__":
    prepare()
