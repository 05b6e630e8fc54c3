"""The published description of the bridge, and that it is true: schemathesis sends what fits it,
completed so that it reaches the rules."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.scim.pusher import EXTENSION, PATCH, Pusher, user
from tests.scim.test_groups import GROUPS, ROLE, group
from tests.scim.test_participants import PARTICIPANTS
from tests.scim.test_participants import body as participant
from tests.world import World

EXAMPLES = 25
GOOD: dict[str, Callable[[], dict[str, Any]]] = {
    "Users": user, "Groups": group, "Participants": participant,
}  # fmt: skip
SEARCHES = ("/Users/.search", "/Groups/.search", "/Participants/.search", "/.search")
#: A path for each operation of a PATCH, and for some a value that fits.
OPERATIONS = cycle(
    [("active", None), ("externalId", "key"), ("emails", None), ("name", None), ("members", None),
     ('emails[type eq "work"].value', None), ("timezone", None), ("externalId", "other"),
     (f"{EXTENSION}:grants", None), (f"{EXTENSION}:registeredNetworks", None), ("nickName", None),
     (f"{EXTENSION}:endDate", None), ('members[value eq "x"]', None),
     (f"{ROLE}:participantName", None)]
)  # fmt: skip
OF_PARTICIPANTS = cycle(
    [("name", "Erie"), ("status", "ended"), ("externalId", "key"), ("status", "active"),
     ("name", None), ("status", None)]
)  # fmt: skip


def completed(case: Any, ids: dict[str, str]) -> Any:
    """The case with ids that exist and with what every body needs."""
    kind = case.path.split("/")[1]
    if "id" in case.path_parameters and case.method != "DELETE":
        case.path_parameters["id"] = ids[kind]
    body = case.body
    if case.method == "PATCH":
        for operation in body.get("Operations", []):
            path, value = next(OF_PARTICIPANTS if kind == "Participants" else OPERATIONS)
            operation |= {"path": path}
            if value:
                # One that fits alone: something is done whatever else was made up.
                fitting = {"op": "replace", "path": path, "value": value}
                case.body = {"schemas": [PATCH], "Operations": [fitting]}
    elif case.method in ("POST", "PUT") and case.path not in ("/Bulk", *SEARCHES):
        good = GOOD[kind]()
        body["schemas"] = good["schemas"]
        for name, value in good.items():
            if not body.get(name):
                body[name] = value
    return case


def test_the_description_is_public_and_complete(world: World) -> None:
    """OpenAPI 3.1 without a token; every kind of resource is in it."""
    answer = world.app.test_client().get("/scim/v2/openapi.json", base_url=world.settings.issuer)
    found: dict[str, Any] = answer.json or {}
    assert (answer.status_code, found["openapi"]) == (200, "3.1.0")
    assert found["servers"] == [{"url": "https://gateway.test/scim/v2"}]
    for endpoint in map("/{}".format, GOOD):
        assert {endpoint, f"{endpoint}/{{id}}", f"{endpoint}/.search"} <= set(found["paths"])


def test_every_answer_is_described_and_none_is_an_internal_error(
    world: World, pusher: Pusher
) -> None:
    """Whatever is sent: no 5xx, no status that is not in the description; and every operation was
    also done, but for those whose ids are made up."""
    ids = {"Users": pusher.create(1)["id"], "Participants": "200001"}
    ids["Groups"] = pusher.send("POST", GROUPS, group(ids["Users"])).json["id"]
    pusher.send("POST", PARTICIPANTS, participant())
    schema = schemathesis.openapi.from_wsgi(
        "/scim/v2/openapi.json", world.app, base_url=world.settings.issuer
    )
    done: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate],
                  derandomize=True, suppress_health_check=list(HealthCheck))  # fmt: skip
        def run(case: Any) -> None:
            answer = completed(case, ids).call(
                base_url=f"{world.settings.issuer}/scim/v2",
                headers={"Authorization": f"Bearer {pusher.token}"},
            )
            described = case.operation.definition.raw["responses"]
            assert str(answer.status_code) in described, (case.method, case.path, answer.text)
            if answer.status_code < 300:
                done.add(f"{case.method} {case.path}")

        run()
    asked = {f"{r.ok().method.upper()} {r.ok().path}" for r in schema.get_all_operations()}
    assert asked - done <= {"POST /Bulk", *(f"DELETE /{kind}/{{id}}" for kind in GOOD)}
