"""The registration bridge: Bulk (RFC 7644 section 3.7; N79, R03)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from idp.directory import lifecycle
from tests.scim.pusher import EXTENSION, PATCH, USERS, Pusher, fault, user
from tests.scim.test_groups import GROUPS, group, members
from tests.world import World

BULK = "/scim/v2/Bulk"
REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def post(number: int, **changes: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": f"b{number}",
            "data": user(number, **changes)}  # fmt: skip


def patch(path: str, *operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    data = {"schemas": [PATCH], "Operations": list(operations)}
    return {"method": "PATCH", "path": path, "data": data, **more}


def bulk(pusher: Pusher, *operations: Any, **more: Any) -> list[dict[str, Any]]:
    body = {"schemas": [REQUEST], "Operations": list(operations)} | more
    answer = pusher.send("POST", BULK, body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = (answer.json or {}).get("Operations", [])
    return found


def statuses(found: list[dict[str, Any]]) -> list[str]:
    return [entry["status"] for entry in found]


def test_a_refused_operation_does_not_affect_the_others(world: World, pusher: Pusher) -> None:
    """One that is refused leaves the others done: made, referred to by bulkId, changed, closed."""
    done = bulk(
        pusher,
        post(1),
        post(2, name=None),
        post(3, extension={"personId": ""}),
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group("bulkId:b1")},
        {"method": "post", "path": "/Users", "bulkId": "b4", "data": user(4) | {"title": "x"}},
        {"method": "DELETE", "path": "/Users/nobody"},
        patch("/Users/bulkId:b4", {"op": "Replace", "path": "active", "value": "False"}),
        patch("/Users/bulkId:b4", {"op": "replace", "path": "title", "value": "x"}),
    )
    assert statuses(done) == ["201", "400", "400", "201", "201", "404", "200", "200"]
    assert done[1]["response"]["scimType"] == "invalidValue"
    assert pusher.found("userName pr") == ["smithbj", "smithej"]
    assert pusher.found("active eq false") == ["smithej"]
    team = done[3]["location"].rpartition("/")[2]
    assert members(pusher, team) == [done[0]["location"].rpartition("/")[2]]
    assert len(world.events("scim.created")) == 2
    assert len(world.mails("account_created")) == 2
    refused = world.events("scim.refused")
    assert [(e.reason, e.data["method"], e.data["path"]) for e in refused] == [
        ("invalidValue", "POST", "/Users"), ("invalidValue", "POST", "/Users"),
        ("404", "DELETE", "/Users/nobody"),
    ]  # fmt: skip
    again = bulk(pusher, post(1))
    assert (statuses(again), again[0]["location"]) == (["200"], done[0]["location"])
    assert statuses(bulk(pusher, {"method": "DELETE", "path": "/Users/" + team})) == ["404"]


def test_n86_an_operation_without_method_or_path_is_refused(world: World, pusher: Pusher) -> None:
    """N86: it is in the trail with what it says; in a dry run it leaves no event."""
    incomplete = ({"path": "/Users"}, {"method": "DELETE"})
    body = {"schemas": [REQUEST], "Operations": list(incomplete)}
    assert pusher.send("POST", f"{BULK}?dryRun=true", body).status_code == 200
    assert world.events("scim.refused") == []
    assert statuses(bulk(pusher, *incomplete)) == ["400", "400"]
    refused = world.events("scim.refused")
    assert [(e.data["method"], e.data["path"]) for e in refused] == [("", "/Users"), ("DELETE", "")]


def test_a_bulk_stops_after_the_requested_number_of_errors(pusher: Pusher) -> None:
    """``failOnErrors``: what follows is not tried; what came before stays."""
    done = bulk(pusher, post(1), post(2, name=None), post(3), failOnErrors=1)
    assert statuses(done) == ["201", "400"]
    assert pusher.found("userName pr") == ["smithbj"]


def test_n79_too_large_and_malformed_bulks_are_refused(pusher: Pusher) -> None:
    """N79: at most 1000 operations and 4 MiB; places, methods and data that do not fit."""
    config = pusher.send("GET", "/scim/v2/ServiceProviderConfig").json["bulk"]
    assert config == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 4_194_304}
    many = {"schemas": [REQUEST], "Operations": [{"method": "DELETE", "path": "/Users/x"}] * 1001}
    assert fault(pusher.send("POST", BULK, many)) == (413, None)
    assert fault(pusher.send("POST", BULK, raw=b" " * 4_194_305)) == (413, None)
    for raw in (b"[]", b"{", b'{"Operations":1,"operations":2}'):
        assert fault(pusher.send("POST", BULK, raw=raw))[0] == 400
    done = bulk(
        pusher,
        {"method": "GET", "path": "/Users/x"},
        {"method": "POST", "path": "/Nothing", "data": {}},
        {"method": "POST", "path": "/Users", "bulkId": "x", "data": group()},
        {"method": "POST", "path": "/Groups", "bulkId": "y", "data": user(1)},
        {"method": "POST", "path": "/Users/.search", "data": {}},
        {"method": "POST", "path": "/Users", "bulkId": "z", "data": user(1) | {"active": "maybe"}},
        {"method": "POST", "path": "/Users", "bulkId": "v", "data": []},
        patch("/Users/x", {"op": "replace", "path": "displayName", "value": "x"}),
        patch("/Users/x"),
        {"method": "DELETE"},
        {"path": "/Users/x"},
        {"method": "DELETE", "path": "/Users/\x00"},
    )
    assert len(done) == 12
    assert all(entry["status"].startswith("4") for entry in done), done
    answer = pusher.send("POST", BULK, {"schemas": [REQUEST], "Operations": ["x", None]})
    assert answer.status_code in (200, 400), answer.text
    assert pusher.send("GET", USERS).json["totalResults"] == 0


def test_versions_are_checked_in_a_bulk(pusher: Pusher) -> None:
    """A stale version is 412; without one an operation is applied to what is there."""
    made = pusher.create(1)
    rename = {"op": "replace", "path": "nickName", "value": "Jimmy"}
    path, version = f"/Users/{made['id']}", made["meta"]["version"]
    done = bulk(pusher, patch(path, rename, version=version), patch(path, rename, version=version),
                patch(path, {"op": "remove", "path": "nickName"}))  # fmt: skip
    assert statuses(done) == ["200", "412", "200"]


def test_the_circuit_breaker_stops_the_rest_of_a_bulk(world: World, pusher: Pusher) -> None:
    """What is too much is 429 for each, one alarm for all."""
    names = [{"givenName": "Jim", "familyName": f"Smith{chr(97 + n)}"} for n in range(22)]
    made = [pusher.create(number, name=name) for number, name in enumerate(names)]
    done = bulk(pusher, *({"method": "DELETE", "path": f"/Users/{row['id']}"} for row in made))
    assert statuses(done) == ["204"] * 20 + ["429"] * 2
    assert len(world.events("alarm.mass_change")) == 1


def test_concurrent_creations_make_one_account(world: World, pusher: Pusher) -> None:
    """The same push six times in parallel: one account, six good answers."""
    answers: list[int] = []
    barrier = threading.Barrier(6)

    def push() -> None:
        barrier.wait()
        answers.append(pusher.send("POST", USERS, user(1)).status_code)

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] * 5 + [201]
    assert len(world.events("scim.created")) == 1
    assert pusher.found(f'{EXTENSION}:personId eq "R00001"') == ["smithbj"]
    assert pusher.send("GET", GROUPS).status_code == 200


def test_an_internal_error_has_the_form_of_the_protocol(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected: 500 without a trace; in a Bulk for the one operation."""

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("unexpected")

    made = pusher.create(1)["id"]
    monkeypatch.setattr(lifecycle, "change_state", fail)
    assert fault(pusher.send("DELETE", made)) == (500, None)
    delete = {"method": "DELETE", "path": f"/Users/{made}"}
    assert statuses(bulk(pusher, delete, post(2))) == ["500", "201"]
    assert fault(pusher.send("GET", "/scim/v3/Users")) == (404, None)
    assert len(pusher.found("active eq true")) == 2


@pytest.mark.parametrize(
    "data",
    [
        user(1, password="x"),
        user(1, emails=[{"value": "no address"}]),
        user(1) | {"active": "maybe"},
        [],
    ],
)
def test_pr06_an_operation_is_refused_in_the_words_of_a_single_request(
    pusher: Pusher, data: Any
) -> None:
    """PR-06, RFC 7644 section 3.7.3: the same status, type and detail."""
    single = pusher.send("POST", USERS, data).json or {}
    (one,) = bulk(pusher, {"method": "POST", "path": "/Users", "bulkId": "b", "data": data})
    assert one["status"] == single["status"]
    told = {name: one["response"].get(name) for name in ("scimType", "detail")}
    assert told == {name: single.get(name) for name in ("scimType", "detail")}


def test_n86_an_answer_in_a_request_is_ignored(pusher: Pusher) -> None:
    """N86, RFC 7644 section 3.7.3: ``response`` and ``status`` are of the answer."""
    (done,) = bulk(pusher, post(1) | {"response": {"detail": "x"}, "status": "500"})
    assert (done["status"], "response" in done) == ("201", False)
