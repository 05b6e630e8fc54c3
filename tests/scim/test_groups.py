"""The registration bridge: role groups at a participant as Groups (RG-01, RG-05, N72 to
N79)."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from idp.directory import provisioned_groups
from idp.models import ProvisionedGroup
from idp.policy.console import OPERATOR, ConsoleRole
from idp.transaction import UnitOfWork
from registration_bridge import group_storage
from tests.oidc.test_statements import count
from tests.scim.pusher import EXTENSION, PATCH, Pusher, fault
from tests.world import World

GROUPS = "/scim/v2/Groups"
NAMES = [{"givenName": "Jim", "familyName": f"Smith{letter}"} for letter in "abcdef"]
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ROLE = "urn:ieso:params:scim:schemas:extension:role:2.0:Group"
TRADER = {"roleGroup": "EMI Trader", "participantId": "109120"}
NAMED = TRADER | {"participantName": "Erie Wind"}
#: What the gateway adds to it.
SHOWN = NAMED | {"accountKind": "personal", "applications": ["emi"]}


def group(*members: str, **changes: Any) -> dict[str, Any]:
    """The body of a good push; a change to None leaves an attribute out."""
    body: dict[str, Any] = {
        "schemas": [GROUP, ROLE],
        "externalId": "traders-109120",
        "displayName": "Traders of 109120",
        "members": [{"value": member} for member in members],
        ROLE: NAMED,
    }
    return {k: v for k, v in (body | changes).items() if v is not None}


def create(pusher: Pusher, *members: str, **changes: Any) -> dict[str, Any]:
    answer = pusher.send("POST", GROUPS, group(*members, **changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def patch(pusher: Pusher, key: str, *operations: dict[str, Any], **more: Any) -> TestResponse:
    body = {"schemas": [PATCH], "Operations": list(operations)}
    return pusher.send("PATCH", f"{GROUPS}/{key}", body, **more)


def members(pusher: Pusher, key: str) -> list[str]:
    found = pusher.send("GET", f"{GROUPS}/{key}").json or {}
    return sorted(member["value"] for member in found.get("members", []))


def grants(pusher: Pusher, key: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = pusher.send("GET", key).json[EXTENSION].get("grants", [])
    return found


def test_rg01_members_of_groups_and_grants_of_users_agree(world: World, pusher: Pusher) -> None:
    """RG-01: a member holds the grant, a grant makes a member; the end of the group takes it."""
    one, two = pusher.create(1), pusher.create(2, extension={"grants": [TRADER]})
    made = create(pusher, one["id"], two["id"])
    assert made["meta"]["location"] == f"https://gateway.test{GROUPS}/{made['id']}"
    assert made["displayName"] == "Traders of 109120"
    assert made[ROLE] == SHOWN
    first = next(member for member in made["members"] if member["value"] == one["id"])
    assert first == {
        "value": one["id"],
        "$ref": one["meta"]["location"],
        "type": "User",
    }
    assert grants(pusher, one["id"]) == grants(pusher, two["id"]) == [TRADER]
    gone = {"op": "remove", "path": f"{EXTENSION}:grants"}
    assert pusher.patch(one["id"], gone).status_code == 200
    assert members(pusher, made["id"]) == [two["id"]]
    assert pusher.send("DELETE", f"{GROUPS}/{made['id']}").status_code == 204
    assert grants(pusher, two["id"]) == []
    assert fault(pusher.send("GET", f"{GROUPS}/{made['id']}")) == (404, None)
    names = [e.name for e in world.events() if e.name.startswith("scim.group")]
    assert names == ["scim.group_created", "scim.group_deleted"]


def test_a_new_group_has_the_existing_holders_as_members(pusher: Pusher) -> None:
    """Whoever holds the role group when its Group is made goes on holding it."""
    one, two = pusher.create(1, extension={"grants": [TRADER]})["id"], pusher.create(2)["id"]
    key = create(pusher, two)["id"]
    assert members(pusher, key) == sorted([one, two])


def test_a_repeated_creation_gets_the_same_answer(world: World, pusher: Pusher) -> None:
    """The same push again finds what it made; another one for the same role group conflicts."""
    made = create(pusher)
    again = pusher.send("POST", GROUPS, group())
    assert (again.status_code, (again.json or {})["id"]) == (200, made["id"])
    assert fault(pusher.send("POST", GROUPS, group(externalId="other"))) == (409, "uniqueness")
    assert fault(pusher.send("POST", GROUPS, group(externalId=None))) == (409, "uniqueness")
    viewer = {"roleGroup": "EMI Viewer", "participantId": "109120"}
    assert fault(pusher.send("POST", GROUPS, group(**{ROLE: viewer}))) == (409, "uniqueness")
    assert len(world.events("scim.group_created")) == 1


def test_a_group_without_an_external_id_is_not_created_twice(pusher: Pusher) -> None:
    """Nothing says that it is the same push: its members are not those of the first."""
    create(pusher, externalId=None)
    again = group(pusher.create(1)["id"], externalId=None)
    assert fault(pusher.send("POST", GROUPS, again)) == (409, "uniqueness")


def test_member_changes_of_common_clients_are_accepted(pusher: Pusher) -> None:
    """Forms of Okta and Entra: add, remove by filter and by value, replace, without a path."""
    one, two, three = (pusher.create(number)["id"] for number in (1, 2, 3))
    key = create(pusher, one)["id"]
    steps: list[tuple[dict[str, Any], list[str]]] = [
        ({"op": "add", "path": "members", "value": [{"value": two, "display": "x"}]}, [one, two]),
        ({"op": "Add", "path": "members", "value": [{"value": two}]}, [one, two]),
        ({"op": "remove", "path": f'members[value eq "{one}"]'}, [two]),
        ({"op": "Remove", "path": "members", "value": [{"value": two}]}, []),
        ({"op": "replace", "path": "members", "value": [{"value": three}]}, [three]),
        ({"op": "Add", "value": {"members": [{"value": one, "display": "x"}]}}, [one, three]),
        ({"op": "remove", "path": "members"}, []),
    ]
    for operation, expected in steps:
        answer = patch(pusher, key, operation)
        assert answer.status_code == 200, (operation, answer.text)
        assert members(pusher, key) == sorted(expected), operation
    renamed = patch(pusher, key, {"op": "replace", "value": {"id": key, "displayName": "Traders"}})
    assert (renamed.json or {})["displayName"] == "Traders"
    put = pusher.send("PUT", f"{GROUPS}/{key}", group(two, **{ROLE: None, "schemas": [GROUP]}))
    assert put.status_code == 200, put.text
    assert members(pusher, key) == [two]
    assert put.json[ROLE] == SHOWN
    again = pusher.send("PUT", f"{GROUPS}/{key}", put.json)
    assert (again.status_code, again.json) == (200, put.json)


def test_n79_bad_members_change_nothing(world: World, pusher: Pusher) -> None:
    """N79, RG-05: nobody unknown or closed, no group in a group, no person in a machines' group."""
    one, closed = pusher.create(1)["id"], pusher.create(2)["id"]
    assert pusher.send("DELETE", closed).status_code == 204
    machines = {"roleGroup": "MIM", "participantId": "109120"}
    bad: list[dict[str, Any]] = [
        group(one, "nobody"),
        group(one, closed),
        group(**{ROLE: machines, "members": [{"value": one}]}),
        group(members=[{"value": one, "type": "Group"}]),
        group(**{ROLE: {"roleGroup": "Nothing", "participantId": "109120"}}),
        group(**{ROLE: {"roleGroup": "EMI Trader", "participantId": "x" * 300}}),
        group(displayName="a\x00b"),
        group(displayName=None),
        group(**{ROLE: None, "schemas": [GROUP]}),
    ]
    for body in bad:
        assert fault(pusher.send("POST", GROUPS, body)) == (400, "invalidValue"), body
    assert world.events("scim.group_created") == []
    key = create(pusher, one)["id"]
    operation = {"op": "add", "path": "members", "value": [{"value": "nobody"}]}
    assert fault(patch(pusher, key, operation)) == (400, "invalidValue")
    assert members(pusher, key) == [one]


def test_n75_role_group_and_participant_of_a_group_are_immutable(pusher: Pusher) -> None:
    """N75: the pair is for life."""
    key = create(pusher)["id"]
    for name, value in (("roleGroup", "EMI Viewer"), ("participantId", "111340")):
        operation = {"op": "replace", "path": f"{ROLE}:{name}", "value": value}
        assert fault(patch(pusher, key, operation)) == (400, "mutability")
    assert (pusher.send("GET", f"{GROUPS}/{key}").json or {})[ROLE] == SHOWN


def test_a_participant_is_renamed_for_everybody(world: World, pusher: Pusher) -> None:
    """The name of registration is what tokens and pages show; said once in the trail."""
    key = create(pusher)["id"]
    rename = {"op": "replace", "path": f"{ROLE}:participantName", "value": "Erie Wind Inc."}
    for _ in range(2):
        answer = patch(pusher, key, rename)
        assert answer.json[ROLE]["participantName"] == "Erie Wind Inc."
    assert [e.data for e in world.events("participant.renamed")] == [{"participant": "109120"}]


def test_n72_a_push_cannot_change_operators(world: World, pusher: Pusher) -> None:
    """N72: neither their role groups are Groups nor are they added to or taken from one."""
    agent = pusher.create(1)
    key = create(pusher, agent["id"])["id"]
    world.role_group(ConsoleRole.AGENT)
    console = {"roleGroup": ConsoleRole.AGENT, "participantId": OPERATOR}
    body = group(externalId="console", **{ROLE: console})
    assert fault(pusher.send("POST", GROUPS, body)) == (403, None)
    world.grant_role(agent["userName"], ConsoleRole.AGENT, OPERATOR)
    remove = {"op": "remove", "path": "members"}
    assert fault(patch(pusher, key, remove)) == (403, None)
    assert fault(pusher.send("DELETE", f"{GROUPS}/{key}")) == (403, None)
    viewer = {"roleGroup": "EMI Viewer", "participantId": "109120"}
    body = group(agent["id"], externalId="viewers", **{ROLE: viewer})
    assert fault(pusher.send("POST", GROUPS, body)) == (403, None)
    assert members(pusher, key) == [agent["id"]]


def test_n80_only_a_token_with_the_scope(world: World, pusher: Pusher) -> None:
    """N80: every place of groups asks for it."""
    key = create(pusher)["id"]
    other = Pusher.of(world, "Other", scope="market.read")
    for method, path in (
        ("GET", GROUPS),
        ("POST", GROUPS),
        ("GET", f"{GROUPS}/{key}"),
        ("PUT", f"{GROUPS}/{key}"),
        ("PATCH", f"{GROUPS}/{key}"),
        ("DELETE", f"{GROUPS}/{key}"),
    ):
        assert fault(other.send(method, path, group())) == (403, None)


@pytest.mark.parametrize(
    "filter_",
    [
        'displayName eq "TRADERS OF 109120"',
        'externalId eq "traders-109120"',
        f'{ROLE}:roleGroup eq "EMI Trader" and {ROLE}:participantId eq "109120"',
        'members.value eq "{member}"',
        'members[value eq "{member}"]',
        "members pr and displayName pr",
        'meta.resourceType eq "Group" and members[type eq "User" and value eq "{member}"]',
        'meta.created gt "2020-01-01T00:00:00Z"',
        f'not ({ROLE}:participantId eq "111340")',
    ],
)
def test_filters_are_database_conditions(pusher: Pusher, filter_: str) -> None:
    """Each finds the one group of two that it means."""
    one = pusher.create(1)["id"]
    key = create(pusher, one)["id"]
    viewer = {"roleGroup": "EMI Viewer", "participantId": "111340"}
    if "meta" not in filter_:
        create(pusher, externalId="viewers", displayName="Viewers", **{ROLE: viewer})
    asked = filter_.replace("{member}", one)
    body = pusher.send("POST", f"{GROUPS}/.search", {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": asked,
    }).json  # fmt: skip
    assert [row["id"] for row in body["Resources"]] == [key], body


def test_n78_excluded_members_are_not_loaded(pusher: Pusher) -> None:
    """N78: the answer of a large group without its members; what is sorted is sorted."""
    one = pusher.create(1)["id"]
    key = create(pusher, one)["id"]
    viewer = {"roleGroup": "EMI Viewer", "participantId": "111340"}
    create(pusher, externalId="viewers", displayName="Aardvarks", **{ROLE: viewer})
    answer = pusher.send("GET", f"{GROUPS}/{key}?excludedAttributes=members").json
    assert "members" not in answer
    assert answer["displayName"] == "Traders of 109120"
    found = pusher.send("GET", f"{GROUPS}?attributes=displayName&sortBy=displayName").json
    assert [row["displayName"] for row in found["Resources"]] == ["Aardvarks", "Traders of 109120"]
    assert all("members" not in row for row in found["Resources"])
    assert fault(pusher.send("GET", f"{GROUPS}?sortBy=members")) == (400, "invalidFilter")
    assert fault(pusher.send("GET", f"{GROUPS}?filter=active+eq+true")) == (400, "invalidFilter")


@pytest.mark.parametrize(
    ("query", "reads"),
    [
        ("", True),
        ("?excludedAttributes=members", False),
        ("?excludedAttributes=MEMBERS", False),
        ("?excludedAttributes=displayName", True),
        ("?attributes=displayName", False),
        ("?attributes=displayName,members", True),
        ("?attributes=members.value", True),
    ],
)
def test_n78_members_are_read_only_if_they_are_shown(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch, query: str, *, reads: bool
) -> None:
    """N78: of one group and of a page; a change of the name reads none before it."""
    one = pusher.create(1)["id"]
    key = create(pusher, one)["id"]
    read: list[str] = []
    members_of = provisioned_groups.members_of_groups

    def noted(work: UnitOfWork, rows: list[ProvisionedGroup]) -> dict[int, list[str]]:
        read.extend(row.display_name for row in rows)
        return members_of(work, rows)

    monkeypatch.setattr(provisioned_groups, "members_of_groups", noted)
    for path in (f"{GROUPS}/{key}", GROUPS):
        body = pusher.send("GET", path + query).json or {}
        assert ("members" in str(body)) is reads
        assert bool(read) is reads
        read.clear()
    rename = {"op": "replace", "path": "displayName", "value": "Traders"}
    assert patch(pusher, key, rename).json["members"][0]["value"] == one
    assert len(read) == 1


@pytest.mark.parametrize("place", ["/scim/v2/Users", GROUPS])
def test_n86_values_that_no_database_can_store_are_not_found(pusher: Pusher, place: str) -> None:
    """N86: NUL in an id, NUL and lone surrogates in filters; no fault of ours."""
    rename = {"op": "replace", "path": "externalId", "value": "x"}
    patched = {"schemas": [PATCH], "Operations": [rename]}
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", patched)):
        assert fault(pusher.send(method, f"{place}/a%00b", body)) == (404, None)
    for name in ("id", "externalId", "displayName", "meta.location"):
        for text in ("a\\u0000b", "\\ud800"):
            filter_ = quote(f'{name} eq "{text}"')
            found = pusher.send("GET", f"{place}?filter={filter_}")
            assert (found.status_code, (found.json or {})["totalResults"]) == (200, 0), filter_


def test_versions_follow_the_members(pusher: Pusher) -> None:
    """RFC 7644 section 3.14: a change of members from either side makes another version."""
    one = pusher.create(1)["id"]
    made = create(pusher)
    before = made["meta"]["version"]
    assert pusher.patch(
        one, {"op": "add", "path": f"{EXTENSION}:grants", "value": [TRADER]}
    ).status_code == 200  # fmt: skip
    operation = {"op": "remove", "path": "members"}
    stale = patch(pusher, made["id"], operation, headers={"If-Match": before})
    assert fault(stale) == (412, None)
    after = pusher.send("GET", f"{GROUPS}/{made['id']}").headers["ETag"]
    assert patch(pusher, made["id"], operation, headers={"If-Match": after}).status_code == 200
    assert members(pusher, made["id"]) == []


def test_g1_no_concurrent_change_to_a_group_is_lost(world: World, pusher: Pusher) -> None:
    """G1, R03: six members at the same moment without If-Match: nobody is lost."""
    keys = [pusher.create(number)["id"] for number in range(1, 7)]
    made = create(pusher)["id"]
    barrier = threading.Barrier(6, timeout=60)
    statuses: list[int] = []

    def push(key: str) -> None:
        barrier.wait()
        operation = {"op": "add", "path": "members", "value": [{"value": key}]}
        statuses.append(patch(pusher, made, operation).status_code)

    threads = [threading.Thread(target=push, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert members(pusher, made) == sorted(keys)


def test_g2_a_large_group_is_changed_without_reading_it(world: World, pusher: Pusher) -> None:
    """G2: the statements of a PATCH do not grow with the members; one too large to show is
    answered with 204."""
    keys = [pusher.create(n, name=NAMES[n])["id"] for n in range(6)]
    key = create(pusher, keys[0])["id"]

    def statements(*operations: dict[str, Any]) -> int:
        return len(count(world, lambda: patch(pusher, key, *operations)))

    add = {"op": "add", "path": "members", "value": [{"value": keys[5]}]}
    remove = {"op": "remove", "path": f'members[value eq "{keys[5]}"]'}
    small = (statements(add), statements(remove))
    many = {"op": "add", "path": "members", "value": [{"value": each} for each in keys[1:5]]}
    assert patch(pusher, key, many).status_code == 200
    assert (statements(add), statements(remove)) == small
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(group_storage, "MAX_RESULTS", 6)
        assert len((patch(pusher, key, add).json or {})["members"]) == 6
        patched.setattr(group_storage, "MAX_RESULTS", 5)
        answer = patch(pusher, key, add)
        assert (answer.status_code, answer.get_data()) == (204, b"")
        assert answer.headers["ETag"]
    assert members(pusher, key) == sorted(keys)


def test_malformed_members_are_refused(pusher: Pusher) -> None:
    """N79, G3: parts of a member, members that are no objects, a filter on an addition."""
    one = pusher.create(1)["id"]
    key = create(pusher, one)["id"]
    bad: list[tuple[dict[str, Any], str]] = [
        ({"op": "replace", "path": f'members[value eq "{one}"].value', "value": "x"}, "mutability"),
        ({"op": "add", "path": f'members[value eq "{one}"]', "value": {"value": one}},
         "invalidPath"),
        ({"op": "add", "path": "members", "value": [one]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": "x"}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": 7}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": one, "type": "Group"}]},
         "invalidValue"),
        ({"op": "remove", "path": "members[value regex 1]"}, "invalidPath"),
    ]  # fmt: skip
    for operation, expected in bad:
        assert fault(patch(pusher, key, operation)) == (400, expected), operation
    harmless: list[dict[str, Any]] = [
        {"op": "remove", "path": 'members[value eq "nobody"]'},
        {"op": "remove", "path": "members", "value": [{"value": "nobody"}]},
        {"op": "add", "path": "members", "value": []},
        {"op": "add", "path": "members", "value": {"value": one}},
    ]
    before = pusher.send("GET", f"{GROUPS}/{key}").json
    for operation in harmless:
        assert patch(pusher, key, operation).status_code == 200, operation
    assert pusher.send("GET", f"{GROUPS}/{key}").json == before
    both = {"op": "replace", "path": "members", "value": [{"value": one}, {"value": one}]}
    assert patch(pusher, key, both).status_code == 200
    assert members(pusher, key) == [one]
