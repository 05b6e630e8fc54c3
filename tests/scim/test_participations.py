"""What participants take part in, and the role groups that need it (RG-12, TM-07, AR-03)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import participants, participations, role_groups
from idp.errors import Refused
from idp.policy.console import ConsoleRole
from tests.scim.pusher import EXTENSION, PATCH, USERS, Pusher, fault
from tests.scim.test_groups import GROUPS, ROLE, grants
from tests.scim.test_participants import ERIE, PARTICIPANTS, body, create, patch
from tests.scim.test_provisioning_scope import limit
from tests.world import World

ENERGY = {"value": "Energy Market", "type": "market"}
RIGHTS = {"value": "Transmission Rights", "type": "market"}
BIDS = {"roleGroup": "EMI Bids", "participantId": "200001"}
VIEWER = {"roleGroup": "EMI Viewer", "participantId": "200001"}


@pytest.fixture
def market(world: World, pusher: Pusher) -> Pusher:
    """A participant of the energy market, and a role group that needs that."""
    world.role_group("EMI Bids", "emi", participation="Energy Market")
    create(pusher, participations=[ENERGY])
    return pusher


def give(pusher: Pusher, key: str, *wanted: dict[str, Any]) -> Any:
    return pusher.patch(
        key, {"op": "replace", "path": f"{EXTENSION}:grants", "value": list(wanted)}
    )


def test_participations_are_set_by_a_push(world: World, pusher: Pusher) -> None:
    """Made, read, retried, added, ended; a PUT that does not name them changes none."""
    made = create(pusher, participations=[RIGHTS, {"value": "Energy Market"}])
    assert made["participations"] == [ENERGY, RIGHTS]
    again = body(participations=[ENERGY, RIGHTS])
    assert pusher.send("POST", PARTICIPANTS, again).status_code == 200
    other = body(participations=[ENERGY])
    assert fault(pusher.send("POST", PARTICIPANTS, other)) == (409, "uniqueness")
    assert pusher.send("PUT", ERIE, body()).json["participations"] == [ENERGY, RIGHTS]
    demand = {"value": "Demand Response", "type": "program"}
    added = patch(pusher, {"op": "add", "path": "participations", "value": [demand]})
    assert added.json["participations"] == [demand, ENERGY, RIGHTS]
    gone = {"op": "remove", "path": 'participations[value eq "Transmission Rights"]'}
    assert patch(pusher, gone).json["participations"] == [demand, ENERGY]
    assert pusher.send("PUT", ERIE, body(participations=[])).json.get("participations") is None
    assert [event.data["after"] for event in world.events("participant.participations")] == [
        ["Energy Market", "Transmission Rights"],
        ["Demand Response", "Energy Market", "Transmission Rights"],
        ["Demand Response", "Energy Market"],
        [],
    ]


@pytest.mark.parametrize(
    "entry",
    [{"value": ""}, {"value": "x" * 101}, {"value": "x", "type": "club"}, {"type": "market"}],
)
def test_n78_invalid_participations_are_refused(pusher: Pusher, entry: dict[str, Any]) -> None:
    """N78: with its kind, and nothing is made."""
    answer = pusher.send("POST", PARTICIPANTS, body(participations=[entry]))
    assert fault(answer) == (400, "invalidValue")
    assert fault(pusher.send("GET", ERIE)) == (404, None)


@pytest.mark.parametrize("door", ["user", "group"])
def test_tm07_a_role_group_may_require_a_participation(
    world: World, market: Pusher, door: str
) -> None:
    """TM-07, AR-03: at a participant without it the role group is refused by name."""
    key = market.create(1)["id"]
    create(market, participantId="200002", name="Huron Hydro", participations=[RIGHTS])
    there = BIDS | {"participantId": "200002"}
    group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", ROLE],
             "displayName": "Bids", "members": [{"value": key}], ROLE: there}  # fmt: skip
    refused = give(market, key, there) if door == "user" else market.send("POST", GROUPS, group)
    assert fault(refused) == (400, "invalidValue")
    assert refused.json["detail"] == (
        "EMI Bids needs the participation Energy Market, which participant 200002 does not have"
    )
    assert grants(market, f"{USERS}/{key}") == []
    assert give(market, key, BIDS).status_code == 200


@pytest.mark.parametrize("way", ["patch", "delete"])
def test_ending_a_participation_revokes_the_grants_that_need_it(
    world: World, market: Pusher, way: str
) -> None:
    """As the end of a participant does: at once, with mail and event; the others stay."""
    name = world.account()
    key = world.account_row(name).subject
    create(market, participantId="200002", name="Huron Hydro", participations=[ENERGY])
    elsewhere = BIDS | {"participantId": "200002"}
    assert give(market, key, BIDS, VIEWER, elsewhere).status_code == 200
    if way == "patch":
        assert patch(market, {"op": "remove", "path": "participations"}).status_code == 200
        assert grants(market, f"{USERS}/{key}") == [elsewhere, VIEWER]
        assert world.events("participant.participations")[-1].data["assignments"] == 1
        assert fault(give(market, key, BIDS)) == (400, "invalidValue")
    else:
        assert market.send("DELETE", ERIE).status_code == 204
        create(market)
        assert market.send("GET", ERIE).json.get("participations") is None
        assert grants(market, f"{USERS}/{key}") == [elsewhere]
    mail = world.mails("access_changed", to=name)[-1]
    assert "EMI Bids (200001)" in mail.text


def test_n72_ending_participations_needs_the_permission_to_deactivate(
    world: World, market: Pusher
) -> None:
    """N72: a change needs ``update``; one that takes role groups ``deactivate`` too, and never
    takes an operator's."""
    add = {"op": "add", "path": "participations", "value": [RIGHTS]}
    end = {"op": "remove", "path": "participations"}
    limit(world, "registration", push_operations=("read", "deactivate", "create", "grant"))
    assert fault(patch(market, add)) == (403, None)
    limit(world, "registration", push_operations=("read", "update", "create", "grant"))
    assert patch(market, add).status_code == 200
    key = market.create(1)["id"]
    give(market, key, BIDS)
    assert fault(patch(market, end)) == (403, None)
    limit(world, "registration", push_operations=("read", "update", "deactivate", "grant"))
    operator = world.operator(ConsoleRole.AGENT)
    world.grant_role(operator, "EMI Bids", "200001")
    assert fault(patch(market, end)) == (403, None)
    assert len(market.send("GET", ERIE).json["participations"]) == 2


def test_a_participation_can_be_required_later_if_no_grant_contradicts(
    world: World, market: Pusher
) -> None:
    """Refused while somebody holds it where it could not be given; nothing is changed then."""
    key = market.create(1)["id"]
    give(market, key, VIEWER)
    with world.work() as work, pytest.raises(Refused) as refused:
        participations.set_required(
            work, role_groups.by_name(work, "EMI Viewer"), "Transmission Rights"
        )
    assert refused.value.detail == (
        "EMI Viewer is held at participant 200001, "
        "which does not participate in Transmission Rights"
    )
    with world.work() as work:
        viewer = role_groups.by_name(work, "EMI Viewer")
        assert viewer.participation == ""
        participations.set_required(work, viewer, "Energy Market")
        assert participations.list_participations(work, participants.by_number(work, "200001"))
    assert market.send("PATCH", ERIE, {"schemas": [PATCH], "Operations": [
        {"op": "remove", "path": "participations"}]}).status_code == 200  # fmt: skip
    assert grants(market, f"{USERS}/{key}") == []
