"""The peer for comparison: scim2-server's in-memory store behind scim2-flask, with the bridge's
models. It has no persistence, rules, audit trail or mail."""

from __future__ import annotations

import os

from flask import Flask
from scim2_flask import ScimServer
from scim2_server.memory import InMemoryStorage

from registration_bridge.user_schema import Email, Name, Registration, provider

described = provider()
# The store pages by index.
described.config.pagination = None
storage = InMemoryStorage()
model = described.model_for("User")
users = next(rt for rt in described.resource_types if rt.name == "User")
with described:
    for number in range(int(os.environ["PEER_USERS"])):
        user = model(
            user_name=f"user{number}",
            name=Name(given_name="Jim", family_name="Smith"),
            emails=[Email(value=f"user{number}@participant.example", type="work", primary=True)],
            active=True,
        )
        user[Registration] = Registration(person_id=f"P{number}", account_kind="personal")
        storage.create(users, user)
app = Flask(__name__)
app.secret_key = "peer"
ScimServer(storage, described, app)


@app.get("/healthz")
def healthz() -> str:
    """Answers once all users exist."""
    return "ok"
