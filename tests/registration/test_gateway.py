"""Registration and a gateway: what is decided here is in the next token there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from registration import account_pushes, dry_runs, organization_pushes, push_delivery, requests
from registration.gateway_comparison import compare
from registration.gateway_drift import Drift, DriftKind
from registration.gateway_restore import restore
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    Organization,
    Request,
    Task,
)
from registration.transaction import Origin, Runtime
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.both_applications import wired_bridge
from tests.registration.test_pushes import somebody
from tests.scim.pusher import PATCH
from tests.world import Rp, World

GROUPS = ("EMI Bids and Offers", "EMI Market Data Viewer")


@pytest.fixture
def emi(world: World) -> Rp:
    """A gateway with the applications and role groups that the roles mean."""
    emi, own = world.relying_party(), world.relying_party("Online")
    for name in GROUPS:
        world.role_group(name, emi.client_id)
    world.role_group("Registration User", own.client_id)
    world.participant("109120")
    world.account("tremblam", person_id="100002", given_name="Marie", family_name="Tremblay",
                  email="marie@lakes.example")  # fmt: skip
    return emi


@pytest.fixture
def joined(runtime: Runtime, world: World, emi: Rp) -> Runtime:
    """Registration at this gateway, where it authenticates with its key."""
    bridge = wired_bridge(world)
    clock = runtime.ports.clock
    clock.moment = world.clock.now()  # type: ignore[attr-defined]
    return replace(runtime, ports=replace(runtime.ports, bridge=bridge))


def groups(world: World, emi: Rp) -> list[str]:
    """Those in a token of EMI."""
    tokens = world.signed_in_tokens(emi, "tremblam", scope="openid groups")
    answer: dict[str, Any] = world.introspect(emi, tokens["access_token"])
    return list(answer["groups"])


def order(runtime: Runtime) -> str:
    """The account as it now is; returns the Request Number."""
    with runtime.work() as work:
        request = requests.open_request(work, "access.changed")
        account_pushes.queue(work, work.db.scalars(select(Account)).one(), request)
        number = request.number
    assert push_delivery.deliver_due(runtime)
    return number


def state(runtime: Runtime, number: str) -> str:
    with runtime.work() as work:
        return work.db.scalars(select(Request.state).where(Request.number == number)).one()


def test_b06_a_grant_is_in_the_next_token_and_a_revocation_too(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """AR-06, PR-01, PR-06, B.06: the account that the gateway has already is found by its user
    name."""
    with joined.work() as work:
        somebody(work).username = "tremblam"
    assert groups(world, emi) == []
    assert state(joined, order(joined)) == "done"
    assert groups(world, emi) == sorted(GROUPS)
    with joined.work() as work:
        held = work.db.scalars(select(AccessAssignment)).one()
        held.valid_until = held.ended_at = work.now
    assert state(joined, order(joined)) == "done"
    assert groups(world, emi) == []


def test_an_account_that_only_the_gateway_knows_is_tried_as_it_will_be_pushed(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """PR-01: the review does not refuse what the worker can do, and refuses what it cannot."""
    for groups, is_refused in ((GROUPS, False), (("Unknown",), True)):
        with joined.work() as work:
            account = somebody(work)
            account.username = "tremblam"
            work.db.scalars(select(AccessRole)).one().role_groups = list(groups)
            request = requests.open_request(work, "access.changed")
            account_pushes.queue(work, account, request)
            found = dry_runs.of_request(work, request)
            assert [("Unknown" in one) for one in found.refusals] == [True] * is_refused
            assert found.unreachable == ""


def test_an_organization_that_waits_for_the_gateway_is_no_obstacle(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """TM-08, AR-05: the first grant of an organization can be reviewed at once, and is there once
    the worker has sent the organization and then the account. Without a push on its way, the
    gateway's refusal stands."""
    for is_waiting in (False, True):
        with joined.work() as work:
            account = somebody(work)
            account.username = "tremblam"
            here = work.db.scalars(select(Organization)).one()
            here.organization_id = "109777"
            request = requests.open_request(work, "access.changed", organization=here)
            if is_waiting:
                organization_pushes.queue(work, here)
            account_pushes.queue(work, account, request)
            found = dry_runs.of_request(work, request)
            assert [("109777" in one) for one in found.refusals] == [True] * (not is_waiting)
            assert found.new_organization == ("109777" if is_waiting else "")
    with joined.work() as work:
        account = somebody(work)
        account.username = "tremblam"
        here = work.db.scalars(select(Organization)).one()
        here.organization_id = "109777"
        organization_pushes.queue(work, here)
        account_pushes.queue(work, account, requests.open_request(work, "access.changed",
                                                                  organization=here))  # fmt: skip
    # The organization, the account, and the organization with its officer.
    assert push_delivery.deliver_due(joined) == 3
    assert groups(world, emi) == sorted(GROUPS)


def test_a03_a_new_account_gets_its_user_name_from_the_gateway(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """A.03, AR-07: made at the gateway with an automatic user name, and invited there."""
    with joined.work() as work:
        somebody(work, "100777").person.last_name = "Zimmer"  # type: ignore[union-attr]
    assert state(joined, order(joined)) == "done"
    with joined.work() as work:
        assert work.db.scalars(select(Account.username)).one() == "zimmerm"
    assert world.mails("account_created", to="zimmerm")


def test_what_the_gateway_refuses_is_a_task_in_its_words(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """PR-03: nothing is half done there."""
    with joined.work() as work:
        somebody(work).username = "tremblam"
        role = work.db.scalars(select(AccessAssignment)).one().access_role
        role.role_groups = [*GROUPS, "Unknown"]
    assert state(joined, order(joined)) == "refused"
    assert groups(world, emi) == []
    with joined.work() as work:
        task = work.db.scalars(select(Task)).one()
        assert (task.kind, "Unknown" in task.data["words"]) == ("push.refused", True)


def test_pr07_after_a_push_nothing_differs_and_what_operators_change_is_found(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """PR-07: what the gateway answers is what was pushed; the role group that somebody gives at the
    gateway, and the account that only the gateway has, are differences; a repair revokes it."""
    with joined.work() as work:
        somebody(work).username = "tremblam"
    world.account("stranger")
    order(joined)
    world.clock.advance(1)
    joined.ports.clock.advance(1)  # type: ignore[attr-defined]
    extra = Drift("stranger", DriftKind.EXTRA)
    assert compare(joined, Origin("cli")).drifts == [extra]
    world.role_group("Viewer", emi.client_id)
    world.grant_role("tremblam", "Viewer", "109120")
    found = compare(joined, Origin("cli"), is_repaired=True)
    more = Drift("tremblam", DriftKind.ROLE_GROUPS, organization="109120", only_gateway=("Viewer",))
    assert sorted(found.drifts, key=str) == sorted([extra, more], key=str)
    assert push_delivery.deliver_due(joined) == 1
    assert groups(world, emi) == sorted(GROUPS)


def test_nt03_nt05_the_gateway_notifies_the_officers_whom_registration_pushed(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """The Rights Administrator of the organization gets the gateway's mails about its people, and
    none once the appointment has ended."""
    with joined.work() as work:
        somebody(work).username = "tremblam"
    order(joined)
    assert world.mails("contact_added", to="tremblam")
    world.account("trader", person_id="100003")
    world.grant_role("trader", GROUPS[0], "109120")
    assert len(world.mails("holder_access_changed", to="tremblam")) == 1
    with joined.work() as work:
        row = work.db.scalars(select(Appointment)).one()
        row.valid_until = row.ended_at = work.now
        organization_pushes.queue(work, row.organization)
    push_delivery.deliver_due(joined)
    assert world.mails("contact_ended", to="tremblam")
    world.grant_role("trader", GROUPS[1], "109120")
    assert len(world.mails("holder_access_changed", to="tremblam")) == 1


def test_tm08_an_organization_that_the_gateway_does_not_know_is_made_before_its_first_grant(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """No operator registers it by hand; its name and its number come from here."""
    with joined.work() as work:
        account = somebody(work)
        account.username = "tremblam"
        here = work.db.scalars(select(Organization)).one()
        here.organization_id, here.name = "120999", "Bruce Wind LP"
        request = requests.open_request(work, "appointment", organization=here)
        organization_pushes.queue(work, here, request)
        account_pushes.queue(work, account, request)
        number = request.number
    push_delivery.deliver_due(joined)
    assert state(joined, number) == "done"
    assert groups(world, emi) == sorted(GROUPS)
    with joined.ports.bridge() as bridge:
        found = bridge.participant("120999")
        assert found is not None
        assert (found["name"], found["status"]) == ("Bruce Wind LP", "active")
        assert found["contacts"] == [{"value": "100002", "type": "rights_administrator"}]
        assert bridge.participant("12/0999") is None


def test_pr07_after_a_restore_nothing_is_too_old_for_the_gateway(
    joined: Runtime, world: World, emi: Rp
) -> None:
    """PR-01, PR-06: a backup knows lower numbers than the gateway. Its revocation is refused, not
    lost without a word; after `registration restore` it is done."""
    with joined.work() as work:
        somebody(work).username = "tremblam"
    assert state(joined, order(joined)) == "done"
    with joined.ports.bridge() as bridge:
        known = bridge.find("userName", "tremblam")
        assert known is not None
        body = {"op": "replace", "path": f"{REGISTRATION_USER}:sequence", "value": 900}
        change = {"schemas": [PATCH], "Operations": [body]}
        path = f"/Users/{known['id']}"
        (done,) = bridge.bulk([{"method": "PATCH", "path": path, "data": change}])
        assert done.is_done
    with joined.work() as work:
        held = work.db.scalars(select(AccessAssignment)).one()
        held.valid_until = held.ended_at = work.now
    assert state(joined, order(joined)) == "refused"
    assert groups(world, emi) == sorted(GROUPS)
    with joined.work() as work:
        words = work.db.scalars(select(Task)).one().data["words"]
        assert "is lower than 900" in words
    assert restore(joined, Origin("cli")).first > 900
    push_delivery.deliver_due(joined)
    assert groups(world, emi) == []
