"""What the bridge sends is what the protocol library would write of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from scim2_models import Context

from registration_bridge.user_schema import ROLE, provider
from tests.scim.pusher import EXTENSION, USERS, Pusher
from tests.scim.test_provisioning_scope import limit
from tests.world import World

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PARTICIPANT = "urn:ieso:params:scim:schemas:core:2.0:Participant"
HELD = {
    "roleGroup": "EMI Trader", "participantId": "109120", "grantedBy": "Ann Lee",
    "validUntil": "2041-01-01T00:00:00.120000Z", "requestNumber": "Q-7",
}  # fmt: skip


def written(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The body, read and written by the library."""
    described = provider()
    with described:
        read = described.model_for(kind).model_validate(body)
        return dict(read.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


@pytest.fixture
def full(pusher: Pusher) -> dict[str, str]:
    """The paths of a User, a Group and a Participant that have every attribute."""
    made = pusher.create(
        phoneNumbers=[{"value": "+14169671111"}], nickName="Jimmy",
        extension={"grants": [HELD], "endDate": "2042-01-01T00:00:00Z", "sequence": 4},
    )  # fmt: skip
    group = pusher.send("POST", "/scim/v2/Groups", {
        "schemas": [GROUP, ROLE], "displayName": "Traders", "externalId": "g-1",
        ROLE: {"roleGroup": "EMI Trader", "participantId": "109120"},
    })  # fmt: skip
    assert group.status_code == 201, group.text
    participant = pusher.send("PUT", "/scim/v2/Participants/109120", {
        "schemas": [PARTICIPANT], "participantId": "109120", "name": "Erie Wind",
        "externalId": "p-1", "participations": [{"value": "Energy Market", "type": "market"}],
        "contacts": [{"value": made[EXTENSION]["personId"], "type": "primary_contact"}],
    })  # fmt: skip
    assert participant.status_code == 200, participant.text
    return {
        "User": f"/scim/v2/Users/{made['id']}",
        "Group": f"/scim/v2/Groups/{(group.json or {})['id']}",
        "Participant": "/scim/v2/Participants/109120",
    }


@pytest.mark.parametrize("kind", ["User", "Group", "Participant"])
def test_a_document_is_what_the_library_writes(
    pusher: Pusher, full: dict[str, str], kind: str
) -> None:
    """RFC 7643 section 2: alone, in a page, and in the answers to a change."""
    answer = pusher.send("GET", full[kind])
    body = answer.json or {}
    assert written(kind, body) == body
    assert answer.text == json.dumps(body)
    page = pusher.send("GET", full[kind].rpartition("/")[0]).json or {}
    assert body in page["Resources"]
    assert page["itemsPerPage"] == len(page["Resources"]) == page["totalResults"]
    unchanged = pusher.send("PUT", full[kind], body)
    assert (unchanged.status_code, unchanged.json) == (200, body)


@pytest.mark.parametrize("kind", ["User", "Group", "Participant"])
def test_chosen_attributes_are_those_of_the_document(
    pusher: Pusher, full: dict[str, str], kind: str
) -> None:
    """RFC 7644 section 3.9."""
    body = pusher.send("GET", full[kind]).json or {}
    chosen = pusher.send("GET", f"{full[kind]}?attributes=externalId,meta.location").json
    assert chosen == {
        "schemas": body["schemas"][:1], "id": body["id"], "externalId": body["externalId"],
        "meta": {"location": body["meta"]["location"]},
    }  # fmt: skip
    left = pusher.send("GET", f"{full[kind]}?excludedAttributes=meta,externalId").json
    assert left == {k: v for k, v in body.items() if k not in ("meta", "externalId")}


def test_a_user_found_by_a_key_is_the_user(world: World, pusher: Pusher, full: Any) -> None:
    """With its lists, for a client without a limit and for one that sees one participant."""
    local = Pusher.of(world, "Local")
    limit(world, "local", push_participants=("109120",))
    there = {"roleGroup": "EMI Viewer", "participantId": "111340"}
    both = pusher.create(2, userName="Both", extension={"grants": [HELD, there]})
    networks = [{"value": "192.0.2.1/32"}, {"value": "198.51.100.1/32", "label": "plant"}]
    machine = pusher.create(3, userName="API3", extension={
        "accountKind": "machine", "registeredNetworks": networks,
        "grants": [{"roleGroup": "MIM", "participantId": "109120"}],
    })  # fmt: skip
    assert machine[EXTENSION]["registeredNetworks"] == networks
    for client in (pusher, local):
        for made in (both, machine):
            alone = client.send("GET", made["id"]).json
            for filter_ in (
                f'id eq "{made["id"]}"', f'userName eq "{made["userName"].upper()}"',
                f'externalId eq "{made["externalId"]}"',
            ):  # fmt: skip
                found = client.send("GET", f"{USERS}?count=1&filter={quote(filter_)}").json or {}
                assert (found["totalResults"], found["Resources"]) == (1, [alone]), filter_
        shown = client.send("GET", both["id"]).json or {}
        assert len(shown[EXTENSION]["grants"]) == (2 if client is pusher else 1)
    for filter_ in ('userName eq "nobody"', 'externalId eq ""', 'id eq "\\u0000"'):
        found = pusher.send("GET", f"{USERS}?filter={quote(filter_)}").json or {}
        assert (found["totalResults"], found["Resources"]) == (0, []), filter_
