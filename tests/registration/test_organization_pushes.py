"""Organizations and their officers are pushed, so that the gateway's mails reach them (NT-03,
NT-05, NT-11, TM-08)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from registration import (
    account_pushes,
    appointments,
    expired_holdings,
    organization_pushes,
    push_delivery,
)
from registration.appointments import EndReason, Terms
from registration.delegation_facts import Actor, Tier
from registration.models import Account, Market, Participation, Request, Task
from registration.requests import open_request
from registration.transaction import Runtime
from registration_bridge.bridge_client import Result
from tests.registration.company import LAKES, WIND, Company, organization, person
from tests.registration.fake_bridge import FakeBridge


@pytest.fixture
def company(runtime: Runtime) -> Company:
    """Lakes, whose officers have accounts at the gateway."""
    made = Company(runtime)
    made.found()
    with made.work() as work:
        for name in ("ar", "pc", "ra", "apprep"):
            account(work, name, scim_id=f"id-{name}")
    return made


def account(work: Any, name: str, **values: Any) -> Account:
    made = Account(
        external_id=f"person-{name}", kind="person", person_id=person(work, name).id,
        created_at=work.now, created_by="test", **values,
    )  # fmt: skip
    work.db.add(made)
    work.db.flush()
    return made


def appoint(company: Company, name: str = "new", office: Tier = Tier.RA, hours: int = 0) -> None:
    with company.work("pc") as work:
        until = work.after(hours * 3600) if hours else None
        appointments.appoint(
            work, Actor("pc"), organization(work), person(work, name), office, Terms(until)
        )


def contacts(bridge: FakeBridge, number: str = LAKES) -> set[tuple[str, str]]:
    return {(one["value"], one["type"]) for one in bridge.registered[number]["contacts"]}


OFFICERS = {
    ("ar", "authorized_representative"), ("pc", "primary_contact"), ("ra", "rights_administrator"),
}  # fmt: skip


def test_nt03_an_officer_is_a_contact_once_he_has_an_account(
    company: Company, bridge: FakeBridge
) -> None:
    """First the organization, without him; then his account; then the organization with him. The
    request is closed when all of it is done."""
    appoint(company)
    push_delivery.deliver_due(company.runtime)
    assert [one["path"] for (one,) in bridge.asked] == [
        "/Participants", "/Users", f"/Participants/{LAKES}",
    ]  # fmt: skip
    assert contacts(bridge) == {*OFFICERS, ("new", "rights_administrator")}
    (before, *_), *_ = bridge.asked
    assert {one["value"] for one in before["data"]["contacts"]} == {"ar", "pc", "ra"}
    with company.work() as work:
        request = work.db.scalars(select(Request)).one()
        assert (request.state, request.waits_for) == ("done", 0)


def test_the_participant_says_everything_of_the_organization(
    company: Company, bridge: FakeBridge
) -> None:
    """Approved participations only; one that has ended; the id of others at the gateway stays."""
    with company.work() as work:
        here = organization(work)
        program = Market(code="dr", name="Demand Response", name_fr="x", kind="program")
        work.db.add(program)
        work.db.flush()
        work.db.add(
            Participation(organization_id=here.id, market_id=program.id, applied_at=work.now,
                          applied_by="test")
        )  # fmt: skip
        market = work.db.scalars(select(Market).where(Market.id != program.id)).one()
        approved = {"value": market.name, "type": market.kind}
        organization_pushes.queue(work, here)
        here.ended_at = work.now
    bridge.registered[LAKES] = {"externalId": "legacy-1", "meta": {"version": "v"}}
    assert push_delivery.deliver_due(company.runtime) == 1
    found = bridge.registered[LAKES]
    assert (found["name"], found["status"], found["externalId"]) == (
        "Northern Lakes", "ended", "legacy-1",
    )  # fmt: skip
    assert found["participations"] == [approved]


def test_nt11_who_leaves_is_no_contact_any_more(company: Company, bridge: FakeBridge) -> None:
    row, version = company.appointment("ra", Tier.RA)
    with company.work("pc") as work:
        appointments.end(work, Actor("pc"), row, version, EndReason.LEFT)
    push_delivery.deliver_due(company.runtime)
    assert contacts(bridge) == OFFICERS - {("ra", "rights_administrator")}


def test_an_appointment_that_expires_is_pushed(company: Company, bridge: FakeBridge) -> None:
    appoint(company, hours=1)
    push_delivery.deliver_due(company.runtime)
    company.clock.advance(3600)
    expired_holdings.close_all(company.runtime)
    push_delivery.deliver_due(company.runtime)
    assert contacts(bridge) == OFFICERS


def test_pushes_of_an_organization_keep_their_order(company: Company, bridge: FakeBridge) -> None:
    """The second waits for the first, and each account for the organization of its request;
    another organization does not wait."""
    appoint(company)
    appoint(company, "french")
    with company.work() as work:
        organization_pushes.queue(work, organization(work, WIND))
    bridge.results = [Result(503)]
    push_delivery.deliver_due(company.runtime)
    assert [one["data"]["participantId"] for (one,) in bridge.asked] == [LAKES, WIND]
    company.clock.advance(10)
    push_delivery.deliver_due(company.runtime)
    assert contacts(bridge) == {
        *OFFICERS, ("new", "rights_administrator"), ("french", "rights_administrator"),
    }  # fmt: skip


def test_a_participant_that_was_changed_meanwhile_is_read_again(
    company: Company, bridge: FakeBridge
) -> None:
    """A push that is late cannot replace what a newer one brought."""
    with company.work() as work:
        organization_pushes.queue(work, organization(work))
    bridge.results = [Result(412, detail="changed meanwhile")]
    push_delivery.deliver_due(company.runtime)
    assert bridge.registered == {}
    company.clock.advance(10)
    push_delivery.deliver_due(company.runtime)
    ((first,), (second,)) = bridge.asked
    assert (first["method"], second["method"]) == ("POST", "POST")
    with company.work() as work:
        organization_pushes.queue(work, organization(work))
    push_delivery.deliver_due(company.runtime)
    ((_,), (_,), (third,)) = bridge.asked
    assert (third["method"], third["version"]) == ("PUT", "+")


def test_a_refused_organization_is_a_task_of_the_ieso(company: Company, bridge: FakeBridge) -> None:
    """Its Rights Administrators cannot mend it; the account is pushed nevertheless."""
    appoint(company)
    bridge.results = [Result(400, detail="no account")]
    push_delivery.deliver_due(company.runtime)
    with company.work() as work:
        task = work.db.scalars(select(Task)).one()
        assert (task.kind, task.office, task.organization_id) == ("push.refused", None, None)
        assert task.data["words"] == "no account"
        assert work.db.scalars(select(Request.state)).one() == "refused"
    assert [one["userName"] for one in bridge.kept.values()] == ["user1"]


def test_rg13_a_grant_waits_for_the_organization_of_its_request(
    company: Company, bridge: FakeBridge
) -> None:
    """A participation that was approved just before is at the gateway before the role that needs
    it."""
    with company.work() as work:
        here = organization(work)
        organization_pushes.queue(work, here)
        request = open_request(work, "access.change", organization=here)
        holder = work.db.scalars(select(Account).order_by(Account.id)).first()
        assert holder is not None
        account_pushes.queue(work, holder, request)
    bridge.results = [Result(503)]
    push_delivery.deliver_due(company.runtime)
    assert [one["path"] for (one,) in bridge.asked] == ["/Participants"]
    company.clock.advance(10)
    push_delivery.deliver_due(company.runtime)
    assert [one["path"] for (one,) in bridge.asked[1:]] == ["/Participants", "/Users/id-ar"]
