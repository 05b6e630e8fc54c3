"""A create that is sent again: answered by what became of the account (PR-01, PR-04, PR-06)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from idp.directory import provisioned_accounts
from idp.models import AccountState
from tests.scim.pusher import EXTENSION, USERS, Pusher, fault, user
from tests.world import World

ACTIVE = {"op": "replace", "path": "active"}


def again(pusher: Pusher, way: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of the same create, alone or in a Bulk."""
    if way == "alone":
        answer = pusher.send("POST", body=body)
        return answer.status_code, dict(answer.json or {})
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1",
                            "data": body}]}  # fmt: skip
    done = (pusher.send("POST", "/scim/v2/Bulk", bulk).json or {})["Operations"][0]
    return int(done["status"]), done.get("response", {})


@pytest.mark.parametrize("way", ["alone", "bulk"])
def test_pr06_a_closed_account_is_not_reported_as_active(
    world: World, pusher: Pusher, way: str
) -> None:
    """PR-04, PR-06: 409 that says so and what to do; nothing is made, nobody gets a mail."""
    made = pusher.create()
    assert pusher.send("DELETE", made["id"]).status_code == 204
    before = len(world.mails())
    for body in (user(), user(nickName="Jim")):
        status, error = again(pusher, way, body)
        assert (status, error["scimType"]) == (409, "uniqueness")
        assert error["detail"] == (
            "externalId is already in use by a deactivated account. It cannot be reactivated. "
            "Create a new account with another externalId."
        )
    assert world.account_row("smithbj").state == AccountState.DEACTIVATED
    assert len(world.mails()) == before
    # The way out that it names.
    anew = user() | {"externalId": "reg-1b"}
    assert again(pusher, way, anew)[0] == 201
    assert world.account_row("smithji").state == AccountState.PENDING


@pytest.mark.parametrize("way", ["alone", "bulk"])
@pytest.mark.parametrize("by", ["registration", "operator"])
def test_pr06_a_suspended_account_is_not_reported_as_active(
    world: World, pusher: Pusher, way: str, by: str
) -> None:
    """PR-06: 409 with its id and who can restore it; the way out works."""
    made = pusher.create()
    if by == "registration":
        assert pusher.patch(made["id"], ACTIVE | {"value": False}).status_code == 200
    else:
        world.set_state("smithbj", AccountState.SUSPENDED)
    status, error = again(pusher, way, user())
    assert (status, error["scimType"]) == (409, "uniqueness")
    ends = {
        "registration": "which is suspended: PATCH active to true.",
        "operator": "which an operator suspended: contact Customer Relations.",
    }
    assert error["detail"] == f"externalId is already in use by the User {made['id']}, {ends[by]}"
    assert world.account_row("smithbj").state == AccountState.SUSPENDED
    if by == "registration":
        assert pusher.patch(made["id"], ACTIVE | {"value": True}).json["active"] is True
        status, _ = again(pusher, way, user())
        assert status == 200


def test_pr06_a_create_of_a_suspended_account_may_be_repeated(world: World, pusher: Pusher) -> None:
    """A lost answer: the account is as the push says, so the answer is the same."""
    made = pusher.create(active=False)
    answer = pusher.send("POST", body=user(active=False))
    assert (answer.status_code, answer.json) == (200, made)


def test_pr06_an_account_past_its_end_is_closed_before_the_worker_comes(
    world: World, pusher: Pusher
) -> None:
    """PR-04, PR-05: to the second: 404, not in lists, and a repeated create is told."""
    end = (world.clock.now() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    body = user(extension={"endDate": end})
    made = pusher.send("POST", body=body).json
    world.clock.advance(hours=1)
    pusher.renew()
    assert fault(pusher.send("GET", made["id"])) == (404, None)
    assert pusher.send("GET", USERS).json["totalResults"] == 0
    assert pusher.found('userName eq "smithbj"') == []
    later = {"op": "remove", "path": f"{EXTENSION}:endDate"}
    assert fault(pusher.patch(made["id"], later)) == (404, None)
    answer = pusher.send("POST", body=body)
    assert fault(answer) == (409, "uniqueness")
    assert "deactivated" in answer.text


@pytest.mark.parametrize("way", ["alone", "bulk"])
def test_pr01_a_concurrent_identical_create_counts_as_a_repetition(
    world: World, pusher: Pusher, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """PR-01: the first one is finished between a look at what there is and the person's account:
    200 as for one that comes later, no second mail."""
    made = pusher.create()
    looks: list[object] = [None]
    look = provisioned_accounts.by_external_id

    def too_early(*about: Any) -> Any:
        return looks.pop() if looks else look(*about)

    monkeypatch.setattr(provisioned_accounts, "by_external_id", too_early)
    status, found = again(pusher, way, user())
    assert looks == []
    assert (status, found.get("id", made["id"])) == (200, made["id"])
    assert len(world.mails("account_created")) == 1


def test_a_missing_attribute_is_named(pusher: Pusher) -> None:
    """UI-09: by the name that the specification has."""
    made = pusher.create()
    for body, name in (
        (user(name=None), "name"),
        (user(emails=None), "emails"),
        (user(emails=[{"type": "work"}]), "emails.value"),
        (user(name={"middleName": "J"}), "name.familyName"),
    ):
        for answer in (pusher.send("POST", body=body), pusher.send("PUT", made["id"], body)):
            assert fault(answer) == (400, "invalidValue")
            assert answer.json["detail"] == f"{name} is required."
