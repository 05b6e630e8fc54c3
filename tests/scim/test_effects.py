"""A push that is only tried tells what it would entail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from idp import current
from idp.clients import client_data, registry
from idp.directory import accounts
from idp.errors import Collision
from idp.models import AccountState, Assignment, BrowserSession, Event, OutboxMessage
from registration_bridge import user_writes
from registration_bridge.message_urns import EFFECTS
from tests.scim.pusher import EXTENSION, PATCH, USERS, Pusher, user
from tests.scim.test_groups import GROUPS, TRADER, group
from tests.scim.test_participants import PARTICIPANTS
from tests.scim.test_participants import body as participant
from tests.world import Rp, World

VIEWER = TRADER | {"roleGroup": "EMI Viewer"}


@pytest.fixture
def emi(world: World, pusher: Pusher) -> dict[str, Any]:
    """A User who is signed in twice, at an application that hears of it."""
    with world.work() as work:
        row = registry.get(work, "emi")
        uri = "https://emi.rp.test/logout"
        registry.update(
            work, row, replace(client_data.current_data(row), backchannel_logout_uri=uri)
        )
    name = world.account()
    for grant in (TRADER, VIEWER):
        world.grant_role(name, grant["roleGroup"], grant["participantId"])
    for _ in range(2):
        browser = world.browser().signed_in(name)
        assert "code=" in browser.authorize(rp_of(world)).headers["Location"]
    (found,) = pusher.send("GET", f'{USERS}?filter=userName%20eq%20"{name}"').json["Resources"]
    return dict(found)


def rp_of(world: World) -> Any:
    return Rp("emi", "", "https://emi.rp.test/callback")


def rows(world: World) -> list[int]:
    """How much there is of what a push may write."""
    with world.work() as work:
        counted = [func.count(model.id) for model in (Event, OutboxMessage, Assignment)]
        ended = select(func.count(BrowserSession.id)).where(BrowserSession.ended_at.is_not(None))
        return [*(work.db.scalar(select(one)) or 0 for one in counted), work.db.scalar(ended) or 0]


def tried(pusher: Pusher, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = pusher.send(method, f"{path}?dryRun=true", body)
    assert answer.status_code in (200, 201), answer.text
    found = answer.json or {}
    assert EFFECTS in found["schemas"]
    return dict(found[EFFECTS])


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


def set_grants(*grants: dict[str, str]) -> dict[str, Any]:
    return {"op": "replace", "path": f"{EXTENSION}:grants", "value": list(grants)}


def test_the_effects_of_a_creation(world: World, pusher: Pusher) -> None:
    """A mail, to whom, and the events; nothing is written."""
    before = rows(world)
    effects = tried(pusher, "POST", USERS, user(1, extension={"grants": [TRADER]}))
    kinds = {mail["kind"]: mail for mail in effects["mails"]}
    assert kinds["account_created"] == {
        "kind": "account_created", "count": 1, "to": ["jim1@participant.example"]}  # fmt: skip
    assert {"scim.created", "account.created", "role_group.assigned"} <= set(effects["events"])
    assert not {"sessions", "applications", "notified"} & set(effects)
    assert rows(world) == before
    assert pusher.found("userName pr") == []


def test_the_effects_of_a_deactivation(world: World, pusher: Pusher, emi: dict[str, Any]) -> None:
    """Sessions that end, applications that are lost and told; a DELETE has a body then."""
    before = rows(world)
    effects = tried(pusher, "DELETE", f"{USERS}/{emi['id']}")
    assert effects["sessions"] == 2
    assert effects["applications"] == [{"name": "EMI", "accounts": 1}]
    assert effects["notified"] == ["emi"]
    assert effects["mails"]
    assert rows(world) == before
    with world.work() as work:
        account = accounts.by_username(work, emi["userName"])
        assert account.state == AccountState.ACTIVE


def test_an_application_is_listed_as_lost_with_its_last_role_group(
    world: World, pusher: Pusher, emi: dict[str, Any]
) -> None:
    """One of two leaves the tile; the User shows what it would be."""
    path = f"{USERS}/{emi['id']}"
    body = pusher.send("PATCH", f"{path}?dryRun=true", patch(set_grants(VIEWER))).json
    assert body[EXTENSION]["grants"] == [VIEWER]
    assert "applications" not in body[EFFECTS]
    assert body[EFFECTS]["notified"] == ["emi"]
    lost = tried(pusher, "PATCH", path, patch(set_grants()))
    assert lost["applications"] == [{"name": "EMI", "accounts": 1}]
    assert len(pusher.send("GET", path).json[EXTENSION]["grants"]) == 2


def test_a_push_that_changes_nothing_has_no_effects(pusher: Pusher, emi: dict[str, Any]) -> None:
    """Without mails, events, anything."""
    assert tried(pusher, "PATCH", f"{USERS}/{emi['id']}", patch(set_grants(TRADER, VIEWER))) == {}


def test_effects_of_groups_and_participants_are_counted(
    world: World, pusher: Pusher, emi: dict[str, Any]
) -> None:
    """By kind and by application, whatever the number of members."""
    users = [pusher.create(n, extension={"grants": [TRADER]}) for n in range(1, 4)]
    for made in users:
        world.set_state(made["userName"], AccountState.ACTIVE)
    others = [made["id"] for made in users]
    made = pusher.send("POST", GROUPS, group(*others)).json["id"]
    effects = tried(pusher, "DELETE", f"{GROUPS}/{made}")
    assert effects["mails"][0]["count"] == 4
    assert effects["applications"] == [{"name": "EMI", "accounts": 3}]
    effects = tried(pusher, "DELETE", f"{PARTICIPANTS}/109120")
    assert effects["applications"] == [{"name": "EMI", "accounts": 4}]
    assert len(pusher.send("GET", f"{GROUPS}/{made}").json["members"]) == 4


def test_each_operation_of_a_bulk_has_its_own_effects(
    world: World, pusher: Pusher, emi: dict[str, Any]
) -> None:
    """Those of others, and of what is refused, are not mixed in."""
    before = rows(world)
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": user(1)},
        {"method": "DELETE", "path": "/Users/nobody"},
        {"method": "DELETE", "path": f"/Users/{emi['id']}"},
    ]  # fmt: skip
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": operations}  # fmt: skip
    found = pusher.send("POST", "/scim/v2/Bulk?dryRun=true", body).json["Operations"]
    assert [entry["status"] for entry in found] == ["201", "404", "204"]
    assert "sessions" not in found[0][EFFECTS]
    assert EFFECTS not in found[1]
    assert found[2][EFFECTS]["sessions"] == 2
    assert rows(world) == before
    real = pusher.send("POST", "/scim/v2/Bulk", body).json["Operations"]
    assert not [entry for entry in real if EFFECTS in entry]


def test_a_refused_operation_has_no_effects(pusher: Pusher, emi: dict[str, Any]) -> None:
    """A push that wrote half of what it asked for, and was then refused."""
    ended = {"method": "PATCH", "path": f"/Users/{emi['id']}", "data": patch(set_grants(
        TRADER, TRADER | {"participantId": "300001"}))}  # fmt: skip
    pusher.send("POST", PARTICIPANTS, participant(participantId="300001", status="ended"))
    operations = [ended, {"method": "POST", "path": "/Users", "bulkId": "1", "data": user(1)}]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": operations}  # fmt: skip
    found = pusher.send("POST", "/scim/v2/Bulk?dryRun=true", body).json["Operations"]
    assert [entry["status"] for entry in found] == ["400", "201"]
    assert [mail["kind"] for mail in found[1][EFFECTS]["mails"]] == ["account_created"]


def test_reading_has_no_effects(pusher: Pusher, emi: dict[str, Any]) -> None:
    """They change nothing."""
    assert EFFECTS not in pusher.send("GET", f"{USERS}/{emi['id']}?dryRun=true").json
    refused = pusher.send("POST", f"{USERS}?dryRun=true", user(1, name=None))
    assert (refused.status_code, EFFECTS in refused.json) == (400, False)


def test_the_effects_of_a_repeated_push_are_counted_once(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R03: another push came first, and the attempt that was rolled back has no effects."""
    attempts = []

    def conflict(*arguments: Any, **named: Any) -> Any:
        made = create(*arguments, **named)
        current.work().db.flush()
        attempts.append(made)
        if len(attempts) == 1:
            raise Collision("taken")
        return made

    create = user_writes.create
    monkeypatch.setattr(user_writes, "create", conflict)
    effects = tried(pusher, "POST", USERS, user(1))
    assert len(attempts) == 2
    assert [mail["count"] for mail in effects["mails"]] == [1]
