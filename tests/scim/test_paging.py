"""The registration bridge: pages of a search by index and by cursor (RFC 7644 section 3.4.2.4, RFC
9865; N78)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from registration_bridge.filter_attributes import GROUPS, PARTICIPANTS
from registration_bridge.filter_attributes import USERS as USER_ATTRIBUTES
from tests.oidc.test_statements import count
from tests.scim.pusher import EXTENSION, USERS, Pusher, fault
from tests.world import World


def page(pusher: Pusher, **query: Any) -> dict[str, Any]:
    answer = pusher.send("GET", f"{USERS}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def names(found: dict[str, Any]) -> list[str]:
    return [row["userName"] for row in found.get("Resources", [])]


def walk(pusher: Pusher, **query: Any) -> list[str]:
    """All user names, page after page."""
    found = page(pusher, cursor="", **query)
    seen = names(found)
    while "nextCursor" in found:
        found = page(pusher, cursor=found["nextCursor"], **query)
        seen += names(found)
    return seen


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"sortBy": "userName"},
        {"sortBy": "userName", "sortOrder": "descending"},
        {"sortBy": "meta.created", "sortOrder": "descending"},
        {"sortBy": "externalId"},
        {"sortBy": f"{EXTENSION}:sequence"},
        {"sortBy": "active"},
    ],
)
def test_cursors_return_each_account_once(
    world: World, pusher: Pusher, order: dict[str, str]
) -> None:
    """RFC 9865 section 2: each account once, in the same order as by index, the last page without
    a cursor; values that are equal or missing do no harm."""
    for number in range(1, 8):
        key = f"reg-{number}" if number % 3 else None
        sequence = {"sequence": number % 2} if number % 3 else {}
        pusher.create(number, externalId=key, extension=sequence)
        world.clock.advance(seconds=number % 2)
    expected = names(page(pusher, **order))
    assert len(expected) == 7
    for size in (1, 3, 7, 10):
        assert walk(pusher, count=size, **order) == expected


def test_a_cursor_is_stable_under_concurrent_changes(pusher: Pusher) -> None:
    """What was there all the time comes once, whatever is made or closed between two pages."""
    made = [pusher.create(number) for number in range(1, 6)]
    first = page(pusher, cursor="", count=2)
    assert first["totalResults"] == 5
    assert pusher.send("DELETE", made[0]["id"]).status_code == 204
    pusher.create(6)
    rest = names(page(pusher, cursor=first["nextCursor"], count=2))
    assert rest == [made[2]["userName"], made[3]["userName"]]


@pytest.mark.parametrize("place", ["Users", "Groups", "Participants"])
def test_n86_every_attribute_can_be_filtered(pusher: Pusher, place: str) -> None:
    """N86: ``pr`` and null on columns of every type, and moments beyond the calendar: an answer or
    invalidFilter, never a fault of ours."""
    names = {"Users": USER_ATTRIBUTES, "Groups": GROUPS, "Participants": PARTICIPANTS}[place]
    for name in names:
        for text in (f"{name} pr", f"not ({name} pr)", f"{name} eq null", f"{name} ne null"):
            answer = pusher.send("GET", f"/scim/v2/{place}?filter={quote(text)}")
            assert answer.status_code in (200, 400), (text, answer.text)
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        text = quote(f'meta.lastModified gt "{moment}"')
        answer = pusher.send("GET", f"/scim/v2/{place}?filter={text}")
        assert fault(answer) == (400, "invalidFilter")


def test_n86_dates_out_of_range_are_refused(pusher: Pusher) -> None:
    """N86: in a grant and as the end of an account."""
    made = pusher.create(1)
    moment = "9999-12-31T23:59:59-14:00"
    grant = {"roleGroup": "EMI Trader", "participantId": "1", "validUntil": moment}
    for path, value in (("grants", [grant]), ("endDate", moment)):
        bad = pusher.patch(made["id"], {"op": "add", "path": f"{EXTENSION}:{path}", "value": value})
        assert fault(bad) == (400, "invalidValue"), path


def test_n78_an_altered_cursor_is_refused(pusher: Pusher) -> None:
    """N78: a forged cursor, one of another query, one beside an index; counts are bounded."""
    for number in (1, 2, 3):
        pusher.create(number)
    cursor = page(pusher, cursor="", count=1)["nextCursor"]
    forged = ("AAAA", cursor[:-4] + "AAAA", "1", "%00", "' or 1=1", "é")
    for query in (
        *({"cursor": text, "count": 1} for text in forged),
        {"cursor": cursor, "count": 1, "filter": 'userName sw "s"'},
        {"cursor": cursor, "count": 1, "sortBy": "userName"},
    ):
        answer = pusher.send("GET", f"{USERS}?{urlencode(query)}")
        assert fault(answer) == (400, "invalidCursor"), query
    answer = pusher.send("GET", f"{USERS}?{urlencode({'cursor': cursor, 'count': 2})}")
    assert fault(answer) == (400, "invalidCount")
    answer = pusher.send("GET", f"{USERS}?{urlencode({'cursor': cursor, 'startIndex': 1})}")
    assert fault(answer)[0] == 400
    assert names(page(pusher, count=10**9, startIndex=-1)) == names(page(pusher))
    assert page(pusher, count=-5)["itemsPerPage"] == 0
    assert page(pusher, count=0)["totalResults"] == 3
    assert names(page(pusher, startIndex=99)) == []
    for bad in ("x", "1;drop table account", "password", "userName)--"):
        answer = pusher.send("GET", f"{USERS}?{urlencode({'sortBy': bad})}")
        assert answer.status_code in (200, 400), answer.text


def test_the_number_of_statements_does_not_grow_with_the_page(world: World, pusher: Pusher) -> None:
    """As many for one User as for ten, by index and by cursor."""
    pusher.create(1)
    paths = [f"{USERS}?{urlencode(query)}" for query in ({}, {"cursor": ""}, {"sortBy": "userName"},
             {"filter": 'userName eq "smithbj"'})]  # fmt: skip
    before = [len(count(world, lambda path=path: pusher.send("GET", path))) for path in paths]
    for number in range(2, 10):
        pusher.create(number)
    after = [len(count(world, lambda path=path: pusher.send("GET", path))) for path in paths]
    assert after == before
    assert max(before) <= 7
