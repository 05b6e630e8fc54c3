"""Reconciliation: zero drift between registration and the gateway, or tasks (PR-07)."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from registration import account_pushes, accounts, gateway_comparison, push_delivery
from registration.gateway_comparison import COMPARED, MORE, Comparison, compare, compare_nightly
from registration.gateway_drift import (
    GATEWAY_OPERATOR,
    Drift,
    DriftKind,
    DriftValue,
    differences,
)
from registration.models import (
    Account,
    History,
    Machine,
    Organization,
    Task,
)
from registration.transaction import Origin, Runtime
from registration_bridge.bridge_client import BridgeError
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW
from tests.registration.test_pushes import ordered

HERE = "109120"


def pushed(runtime: Runtime) -> None:
    """The gateway has what registration decided."""
    ordered(runtime)
    push_delivery.deliver_due(runtime)
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]


def compared(runtime: Runtime, **options: Any) -> Comparison:
    return compare(runtime, Origin("cli"), **options)


def extension(bridge: FakeBridge) -> dict[str, Any]:
    found: dict[str, Any] = bridge.kept["1"][REGISTRATION_USER]
    return found


def open_tasks(runtime: Runtime) -> list[tuple[str, str | None, dict[str, Any]]]:
    with runtime.work() as work:
        rows = work.db.scalars(select(Task).where(Task.done_at.is_(None)).order_by(Task.id))
        return [(row.kind, row.office, row.data) for row in rows]


def last_entry(runtime: Runtime) -> dict[str, Any]:
    with runtime.work() as work:
        query = select(History).where(History.action == COMPARED).order_by(History.id.desc())
        found = work.db.scalars(query).first()
        assert found is not None
        return found.after


def test_pr07_zero_drift_is_written_down(runtime: Runtime, bridge: FakeBridge) -> None:
    pushed(runtime)
    assert compared(runtime) == Comparison(compared=1)
    assert open_tasks(runtime) == []
    assert last_entry(runtime) == {"compared": 1, "skipped": 0, "drift": 0, "pushed": 0}


def test_pr07_other_role_groups_are_tasks_of_the_ieso_and_of_the_ra(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """What was granted and revoked at the gateway alone; the task is closed once it is gone."""
    pushed(runtime)
    before = deepcopy(extension(bridge)["grants"])
    extension(bridge)["grants"] = [
        {"roleGroup": "MIM", "participantId": HERE}, before[1], before[2] | {"validUntil": None},
    ]  # fmt: skip
    data = {
        "account": "user1", "kind": "role_groups", "organization": HERE,
        "only_gateway": ["MIM"], "only_registration": ["EMI Bids and Offers"],
        "other_times": ["Registration User"],
    }  # fmt: skip
    for _ in range(2):
        assert len(compared(runtime).drifts) == 1
        assert open_tasks(runtime) == [
            ("drift.role_groups", None, data), ("drift.role_groups", "ra", data),
        ]  # fmt: skip
    extension(bridge)["grants"] = before
    assert compared(runtime).drifts == []
    assert open_tasks(runtime) == []


def test_pr07_accounts_of_one_side_only(runtime: Runtime, bridge: FakeBridge) -> None:
    """Missing at the gateway, only there, and still open there. Those of the gateway's own
    operators are theirs."""
    pushed(runtime)
    bridge.kept["2"] = {"id": "2", "userName": "stranger"}
    bridge.kept["3"] = {
        "id": "3", "userName": "agent",
        REGISTRATION_USER: {"grants": [{"roleGroup": "Agent", "participantId": "IESO"}]},
    }  # fmt: skip
    assert compared(runtime).drifts == [Drift("stranger", DriftKind.EXTRA)]
    mine = bridge.kept.pop("1")
    assert compared(runtime).drifts[1:] == [Drift("user1", DriftKind.MISSING)]
    with runtime.work() as work:
        work.db.scalars(select(Account)).one().ended_at = work.now
    bridge.registered[HERE]["contacts"] = []
    assert compared(runtime).drifts == [Drift("stranger", DriftKind.EXTRA)]
    bridge.kept["1"] = mine
    assert Drift("user1", DriftKind.OPEN) in compared(runtime).drifts
    kinds = [kind for kind, *_ in open_tasks(runtime)]
    assert kinds == ["drift.extra", "drift.open"]


def test_pr07_a_repair_pushes_what_differs(runtime: Runtime, bridge: FakeBridge) -> None:
    """The next comparison finds nothing but what only the gateway has."""
    pushed(runtime)
    extension(bridge)["grants"] = []
    bridge.kept["2"] = {"id": "2", "userName": "stranger"}
    assert compared(runtime, is_repaired=True).pushed == 1
    assert push_delivery.deliver_due(runtime) == 1
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]
    assert compared(runtime).drifts == [Drift("stranger", DriftKind.EXTRA)]
    assert sorted(bridge.kept) == ["1", "2"]


def test_pr07_a_repair_makes_the_accounts_that_the_gateway_lost(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """Such as after a restore of the gateway: with the same user name, under the id that it has
    there now."""
    pushed(runtime)
    known = bridge.kept.pop("1")
    bridge.kept["9"] = {"id": "9", "userName": "stranger"}
    assert compared(runtime, is_repaired=True).pushed == 1
    push_delivery.deliver_due(runtime)
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]
    assert compared(runtime).drifts == [Drift("stranger", DriftKind.EXTRA)]
    with runtime.work() as work:
        account = work.db.scalars(select(Account)).one()
        assert account.username == known["userName"]
        assert account.scim_id is not None
        assert bridge.kept[account.scim_id]["userName"] == known["userName"]


def test_pr07_a_repair_closes_what_has_ended(runtime: Runtime, bridge: FakeBridge) -> None:
    pushed(runtime)
    with runtime.work() as work:
        work.db.scalars(select(Account)).one().ended_at = work.now
    bridge.registered[HERE]["contacts"] = []
    assert compared(runtime, is_repaired=True).pushed == 1
    push_delivery.deliver_due(runtime)
    assert bridge.kept == {}


def test_pr07_an_account_with_a_push_on_its_way_is_compared_later(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """Neither one that waits nor one that was done meanwhile is a difference."""
    pushed(runtime)
    extension(bridge)["grants"] = []
    with runtime.work() as work:
        account_pushes.queue(work, work.db.scalars(select(Account)).one())
    assert compared(runtime) == Comparison(skipped=1)
    push_delivery.deliver_due(runtime)
    extension(bridge)["grants"] = []
    assert compared(runtime) == Comparison(skipped=1)
    runtime.ports.clock.advance(1)  # type: ignore[attr-defined]
    assert len(compared(runtime).drifts) == 1


def test_pr07_a_machine_without_custodian_is_no_difference(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """Nothing can be said about it before somebody is its custodian."""
    with runtime.work() as work:
        here = Organization(organization_id="1", name="Lakes", created_at=NOW, updated_at=NOW)
        account = Account(
            external_id="machine-1", kind="machine", username="APIIESO00042", scim_id="9",
            created_at=NOW, created_by="test",
        )  # fmt: skip
        work.db.add_all([here, account])
        work.db.flush()
        work.db.add(
            Machine(
                organization_id=here.id, account_id=account.id, created_at=NOW, created_by="test"
            )
        )
    bridge.kept["9"] = {"id": "9", "userName": "APIIESO00042"}
    bridge.registered["1"] = {"participantId": "1", "name": "Lakes", "status": "active"}
    assert compared(runtime, is_repaired=True) == Comparison(skipped=1)


def test_pr07_many_differences_are_counted(
    runtime: Runtime, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit keeps the list of tasks readable; accounts are read in parts."""
    monkeypatch.setattr(gateway_comparison, "MOST", 2)
    monkeypatch.setattr(gateway_comparison, "BATCH", 2)
    monkeypatch.setattr(accounts, "BATCH", 2)
    for number in range(5):
        bridge.kept[f"x{number}"] = {"id": f"x{number}", "userName": f"stranger{number}"}
    assert len(compared(runtime).drifts) == 5
    kinds = [(kind, data.get("count")) for kind, _, data in open_tasks(runtime)]
    assert kinds == [("drift.extra", None), ("drift.extra", None), (MORE, 3)]


def test_pr07_once_a_night(runtime: Runtime, bridge: FakeBridge) -> None:
    """At three in the morning, Eastern Time; after a failure it is tried again."""
    pushed(runtime)
    clock: Any = runtime.ports.clock
    clock.moment = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    assert compare_nightly(runtime) == 0
    clock.moment = datetime(2026, 11, 28, 7, 59, tzinfo=UTC)
    assert compare_nightly(runtime) == 0
    clock.advance(60)
    bridge.is_away = True
    assert compare_nightly(runtime) == 0
    bridge.is_away = False
    assert compare_nightly(runtime) == 0
    clock.advance(1800)
    assert compare_nightly(runtime) == 1
    assert compare_nightly(runtime) == 0
    assert last_entry(runtime)["drift"] == 0
    clock.moment = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
    assert compare_nightly(runtime) == 1


def test_a_gateway_that_is_away_is_an_error(runtime: Runtime, bridge: FakeBridge) -> None:
    bridge.is_away = True
    with pytest.raises(BridgeError):
        compared(runtime)


USER: dict[str, Any] = {
    "userName": "tremblam",
    "name": {"givenName": "Marie", "familyName": "Tremblay"},
    "emails": [{"value": "marie@lakes.example"}],
    "phoneNumbers": [{"value": "tel:+14165550100;ext=12"}],
    "active": True,
    REGISTRATION_USER: {"personId": "100002", "accountKind": "personal"},
}


@pytest.mark.parametrize(("change", "value"), [
    ({"name": {"givenName": "Mary", "familyName": "Tremblay"}}, DriftValue.NAME),
    ({"nickName": "Mo"}, DriftValue.NAME),
    ({"emails": [{"value": "other@lakes.example"}]}, DriftValue.EMAIL),
    ({"phoneNumbers": []}, DriftValue.PHONE),
    ({"active": False}, DriftValue.SUSPENDED),
    ({REGISTRATION_USER: {"personId": "1", "accountKind": "personal"}}, DriftValue.HOLDER),
    ({REGISTRATION_USER: {"personId": "100002", "accountKind": "email"}}, DriftValue.KIND),
    ({REGISTRATION_USER: USER[REGISTRATION_USER] | {
        "registeredNetworks": [{"value": "192.0.2.0/28", "label": "x"}]}}, DriftValue.NETWORKS),
    ({REGISTRATION_USER: USER[REGISTRATION_USER] | {
        "secondAccount": {"reason": "transmission_rights", "participantId": HERE}}},
     DriftValue.SECOND_ACCOUNT),
])  # fmt: skip
def test_pr07_each_value_is_compared(change: dict[str, Any], value: DriftValue) -> None:
    assert differences(USER, USER | change, NOW) == [Drift("tremblam", DriftKind.VALUES, (value,))]


def test_pr07_another_spelling_is_no_difference() -> None:
    """Of addresses and numbers; a start that has passed, an end that has passed, the language."""
    grant = {"roleGroup": "MIM", "participantId": HERE}
    over = grant | {"validUntil": (NOW - timedelta(seconds=1)).isoformat()}
    since = grant | {"validFrom": NOW.isoformat()}
    theirs = USER | {
        "emails": [{"value": "Marie@Lakes.example"}],
        "phoneNumbers": [{"value": "tel:+1-416-555-0100;ext=12"}],
        "preferredLanguage": "fr",
        REGISTRATION_USER: USER[REGISTRATION_USER] | {"grants": [since, over | {"roleGroup": "X"}]},
    }
    ours = USER | {REGISTRATION_USER: USER[REGISTRATION_USER] | {"grants": [grant]}}
    assert differences(ours, theirs, NOW) == []
    later = (NOW + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    theirs[REGISTRATION_USER]["grants"] = [grant | {"validFrom": later}]
    (found,) = differences(ours, theirs, NOW)
    assert found.other_times == ("MIM",)


def test_pr07_organizations_are_compared(runtime: Runtime, bridge: FakeBridge) -> None:
    """What differs is a task of the IESO, until a repair has pushed it; one that the gateway does
    not have is named."""
    pushed(runtime)
    bridge.registered[HERE] |= {"name": "Other", "contacts": []}
    found = compared(runtime).drifts
    values = (DriftValue.NAME, DriftValue.OFFICERS)
    assert found == [Drift("", DriftKind.ORGANIZATION, values, HERE)]
    data = {"kind": "organization", "organization": HERE, "values": ["name", "officers"]}
    assert open_tasks(runtime) == [("drift.organization", None, data)]
    known = bridge.registered.pop(HERE)
    (found,) = compared(runtime).drifts
    assert found == Drift("", DriftKind.NO_ORGANIZATION, organization=HERE)
    bridge.registered[HERE] = known
    assert compared(runtime, is_repaired=True).pushed == 1
    assert compared(runtime) == Comparison(compared=1, skipped=1)
    push_delivery.deliver_due(runtime)
    runtime.ports.clock.advance(60)  # type: ignore[attr-defined]
    assert compared(runtime) == Comparison(compared=1)
    assert open_tasks(runtime) == []


def test_pr07_a_participant_that_only_the_gateway_has_is_a_task_of_the_ieso(
    runtime: Runtime, bridge: FakeBridge
) -> None:
    """A repair leaves it. That of the gateway's operators and one that has ended are none."""
    pushed(runtime)
    for number, status in (("998", "active"), ("997", "ended"), (GATEWAY_OPERATOR, "active")):
        bridge.registered[number] = {"participantId": number, "name": "Other", "status": status}
    extra = Drift("", DriftKind.EXTRA_ORGANIZATION, organization="998")
    assert compared(runtime, is_repaired=True) == Comparison(compared=1, drifts=[extra])
    data = {"kind": "extra_organization", "organization": "998"}
    assert open_tasks(runtime) == [("drift.extra_organization", None, data)]
    bridge.registered["998"]["status"] = "ended"
    assert compared(runtime).drifts == []
    assert open_tasks(runtime) == []
