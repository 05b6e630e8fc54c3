"""The registration system as a client of the bridge."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from tests.world import Rp, World

USERS = "/scim/v2/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
EXTENSION = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def user(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The body of a good push; a change to None leaves an attribute out."""
    extension = {"personId": f"R{number:05}"} | changes.pop("extension", {})
    body: dict[str, Any] = {
        "schemas": [CORE, EXTENSION],
        "externalId": f"reg-{number}",
        "name": {"givenName": "Jim", "familyName": f"Smith{'abcdefghij'[number % 10]}"},
        "emails": [{"value": f"jim{number}@participant.example", "type": "work", "primary": True}],
        "active": True,
        EXTENSION: {k: v for k, v in extension.items() if v is not None},
    }
    return {k: v for k, v in (body | changes).items() if v is not None}


@dataclass
class Pusher:
    """A client with scope ``scim`` and its token."""

    world: World
    rp: Rp
    token: str = ""

    @classmethod
    def of(cls, world: World, name: str = "Registration", scope: str = "scim") -> Pusher:
        rp = world.relying_party(
            name,
            grant_types=("client_credentials",),
            scopes=(scope,),
            redirect_uris=(),
            post_logout_redirect_uris=(),
            home_url="",
        )
        made = cls(world, rp)
        made.renew()
        return made

    def renew(self) -> None:
        """Another token, since they end after minutes."""
        answer = self.world.post(self.rp, grant_type="client_credentials")
        assert answer.status_code == 200, answer.text
        self.token = (answer.json or {})["access_token"]

    def send(
        self,
        method: str,
        path: str = USERS,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> TestResponse:
        """One request; a path that is no path is an id."""
        target = path if path.startswith("/") else f"{USERS}/{path}"
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        data = raw if raw is not None else json.dumps(body) if body is not None else None
        return self.world.app.test_client(use_cookies=False).open(
            target,
            method=method,
            data=data,
            headers=sent,
            content_type="application/scim+json" if data is not None else None,
            base_url=self.world.settings.issuer,
        )

    def create(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        answer = self.send("POST", body=user(number, **changes))
        assert answer.status_code == 201, answer.text
        return dict(answer.json or {})

    def patch(self, resource_id: str, *operations: dict[str, Any], **more: Any) -> TestResponse:
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return self.send("PATCH", resource_id, body, **more)

    def found(self, filter_: str, **query: str) -> list[str]:
        """The user names that a filter finds."""
        from urllib.parse import urlencode

        answer = self.send("GET", f"{USERS}?{urlencode({'filter': filter_, **query})}")
        assert answer.status_code == 200, answer.text
        body = answer.json or {}
        names = [row["userName"] for row in body.get("Resources", [])]
        assert body["totalResults"] >= len(names)
        return names


def fault(answer: TestResponse) -> tuple[int, str | None]:
    """Status and ``scimType`` of an error in the protocol's form."""
    assert answer.mimetype == "application/scim+json", answer.text
    body = answer.json or {}
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert body["status"] == str(answer.status_code)
    return answer.status_code, body.get("scimType")
