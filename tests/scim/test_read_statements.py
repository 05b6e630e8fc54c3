"""The number of SQL statements of the bridge's requests. A number here may only decrease, and it
does not depend on how many rows there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from registration_bridge.user_schema import ROLE
from tests.oidc.test_statements import count, uses_indexes
from tests.scim.pusher import USERS, Pusher, user
from tests.scim.test_resource_documents import GROUP

#: Of each: the token with the revision. A User, also by its name: account with role groups. In the
#: last page: keys, accounts, role groups. In another page, the total too.
#: Groups: keys, groups, members, their changes, applications. Participants: keys, participants,
#: participations, contacts.
BOUNDS = {"get": 2, "eq": 2, "last page": 4, "page": 5, "next page": 5}
#: The token; whether something is known of the account, with its keys; seven tables.
CREATE = 9


@pytest.fixture(params=[3, 12], ids=["few accounts", "many accounts and role groups"])
def held(request: pytest.FixtureRequest, pusher: Pusher) -> tuple[Pusher, str]:
    """The id of the first of few or many accounts."""
    grants = [
        {"roleGroup": name, "participantId": number}
        for name in ("EMI Trader", "EMI Viewer")
        for number in ("109120", "111340")
    ]
    made = [
        pusher.create(number, extension={"grants": grants}) for number in range(1, request.param)
    ]
    return pusher, made[0]["id"]


def test_reads_send_as_many_statements_as_are_allowed(held: tuple[Pusher, str]) -> None:
    pusher, key = held

    def sent(query: str) -> int:
        seen = count(pusher.world, lambda: pusher.send("GET", f"{USERS}{query}"))
        return len(seen)

    first = (pusher.send("GET", f"{USERS}?cursor=&count=1").json or {})["nextCursor"]
    assert {
        "get": sent(f"/{key}"),
        "eq": sent("?filter=" + quote('externalId eq "reg-1"')),
        "last page": sent("?count=100"),
        "page": sent("?count=2"),
        "next page": sent(f"?cursor={first}&count=1"),
    } == BOUNDS


def test_every_statement_of_a_request_for_users_uses_an_index(held: tuple[Pusher, str]) -> None:
    """No statement reads a whole table, however many rows there are."""
    pusher, key = held
    created = user(99, userName="jim99")

    def made() -> Any:
        answer = pusher.send("POST", body=created)
        answer.status_code = 200 if answer.status_code == 201 else answer.status_code
        return answer

    for query in (f"/{key}", "?filter=" + quote('userName eq "user1"')):
        uses_indexes(pusher.world, lambda query=query: pusher.send("GET", f"{USERS}{query}"))  # type: ignore[misc]
    uses_indexes(pusher.world, made)


def test_pages_of_groups_and_participants_send_as_many_statements_for_many(
    pusher: Pusher,
) -> None:
    def sent(path: str) -> int:
        return len(count(pusher.world, lambda: pusher.send("GET", f"/scim/v2/{path}")))

    def add(role_group: str, number: str) -> None:
        made = pusher.send("POST", "/scim/v2/Groups", {
            "schemas": [GROUP, ROLE], "displayName": f"{role_group} {number}",
            ROLE: {"roleGroup": role_group, "participantId": number},
        })  # fmt: skip
        assert made.status_code == 201, made.text

    add("EMI Trader", "109120")
    few = (sent("Groups"), sent("Participants"))
    pusher.world.participant("300001", "Ottawa Solar")
    for number in ("109120", "111340", "300001"):
        add("EMI Viewer", number)
    assert (sent("Groups"), sent("Participants")) == few == (6, 5)


def test_a_create_sends_as_many_statements_as_are_allowed(pusher: Pusher) -> None:
    """The answer is counted as good."""

    def create() -> Any:
        answer = pusher.send("POST", body=user(1, userName="jim1"))
        assert answer.status_code == 201
        answer.status_code = 200
        return answer

    made: Callable[[], Any] = create
    locks = pusher.world.settings.database_url.startswith("sqlite")
    assert len(count(pusher.world, made)) == CREATE + locks
