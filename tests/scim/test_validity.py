"""The registration bridge: access and accounts with an end (PR-04, PR-05, N33, N58)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from idp.clients import client_secrets, registry
from idp.directory import (
    accounts,
    held_role_groups,
    participants,
    role_group_assignments,
    role_groups,
)
from idp.models import AccountState
from idp.policy.console import OPERATOR, ConsoleRole
from tests.scim.pusher import EXTENSION, USERS, Pusher, fault
from tests.scim.test_users import activate
from tests.world import NEW_PASSWORD, Rp, World

TRADER = {"roleGroup": "EMI Trader", "participantId": "109120"}


def moment(world: World, **later: float) -> str:
    text = (world.clock.now() + timedelta(**later)).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


@pytest.fixture
def emi(world: World, pusher: Pusher) -> Rp:
    """The application whose role groups are pushed."""
    with world.work() as work:
        secret = client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=0)
    return Rp("emi", secret, "https://emi.rp.test/callback", clock=world.clock)


def grants(pusher: Pusher, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pusher.send("GET", key).json[EXTENSION].get("grants", [])
    return found


def put(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": f"{EXTENSION}:{path}", "value": value}


def test_a_role_group_counts_only_while_it_is_valid(world: World, pusher: Pusher, emi: Rp) -> None:
    """N33: before the beginning and from the end on no token has the role group, the worker or
    not; the worker then tells holder and trail."""
    terms = {"validFrom": moment(world, hours=1), "validUntil": moment(world, hours=2),
             "grantedBy": "Rita Admin (R00077)", "requestNumber": "Q-77"}  # fmt: skip
    made = pusher.create(extension={"grants": [TRADER | terms]})
    assert made[EXTENSION]["grants"] == [TRADER | terms]
    activate(world, made["userName"])
    tokens = world.redeem(emi, world.browser().code(emi, made["userName"], NEW_PASSWORD)).json

    def now() -> list[str]:
        nonlocal tokens
        tokens = world.refresh(emi, tokens["refresh_token"]).json
        found: list[str] = world.introspect(emi, tokens["access_token"])["groups"]
        return found

    assert now() == []
    world.clock.advance(minutes=60)
    assert now() == ["EMI Trader"]
    world.clock.advance(minutes=60)
    assert now() == []
    pusher.renew()
    assert grants(pusher, made["id"]) == [TRADER | terms]
    world.run_worker()
    assert grants(pusher, made["id"]) == []
    assert [e.data["group"] for e in world.events("role_group.revoked")] == ["EMI Trader"]
    assert "EMI Trader" in world.mails("access_changed")[-1].text


def test_validity_dates_are_shown_to_holders_and_operators(world: World, pusher: Pusher) -> None:
    """What begins later is not shown as if it were there: to the holder, to operators, by the
    command line."""
    terms = {"validFrom": "2040-01-01T05:00:00Z", "validUntil": "2041-01-01T05:00:00Z"}
    grants = [TRADER | terms, TRADER | {"roleGroup": "EMI Viewer"}]
    name = pusher.create(extension={"grants": grants})["userName"]
    activate(world, name)
    page = world.browser().signed_in(name, NEW_PASSWORD).get("/settings").text
    time = "from 1 January 2040, 00:00 EST, until 1 January 2041, 00:00 EST"
    assert f"EMI Trader ({time}), EMI Viewer<" in page
    desk = world.browser().signed_in(world.operator(ConsoleRole.AGENT))
    subject = world.account_row(name).subject
    assert "EMI Trader (from 1 January 2040" in desk.get(f"/console/accounts/{subject}/access").text
    world.clock.moment = datetime(2040, 6, 1, tzinfo=UTC)
    page = world.browser().signed_in(name, NEW_PASSWORD).get("/settings").text
    assert "EMI Trader (until 1 January 2041, 00:00 EST)" in page


def test_terms_are_changed_without_a_gap(world: World, pusher: Pusher) -> None:
    """Another end is no revocation: one row, one event from what to what, no mail."""
    made = pusher.create(extension={"grants": [TRADER]})
    later = TRADER | {"validUntil": moment(world, days=9)}
    answer = pusher.patch(made["id"], put("grants", [later]))
    assert answer.json[EXTENSION]["grants"] == [later]
    assert world.events("role_group.revoked") == []
    (event,) = world.events("role_group.terms")
    assert (event.data["before"], list(event.data["after"])) == ({}, ["valid_until"])
    assert pusher.patch(made["id"], put("grants", [TRADER])).json[EXTENSION]["grants"] == [TRADER]


@pytest.mark.parametrize(
    "terms",
    [
        {"validUntil": "2020-01-01T00:00:00Z"},
        {"validFrom": "2040-01-02T00:00:00Z", "validUntil": "2040-01-01T00:00:00Z"},
        {"validFrom": "2040-01-01T00:00:00Z", "validUntil": "2040-01-01T00:00:00Z"},
        {"validUntil": "2040-01-01T00:00:00"},
        {"validUntil": "tomorrow"},
        {"validUntil": 7},
    ],
)
def test_impossible_terms_are_refused(pusher: Pusher, terms: dict[str, Any]) -> None:
    made = pusher.create()
    assert fault(pusher.patch(made["id"], put("grants", [TRADER | terms]))) == (
        400, "invalidValue")  # fmt: skip
    assert grants(pusher, made["id"]) == []


def test_n72_a_console_role_ends_at_its_end_date(world: World) -> None:
    """N72: in the console too, at once."""
    name = world.operator(ConsoleRole.AGENT)
    with world.work() as work:
        account = accounts.by_username(work, name)
        group = role_groups.by_name(work, ConsoleRole.AGENT)
        end = role_group_assignments.AssignmentTerms(valid_until=work.now + timedelta(hours=1))
        role_group_assignments.assign(
            work, account, group, participants.by_number(work, OPERATOR), end
        )
        assert held_role_groups.console_roles(work, account) == {ConsoleRole.AGENT}
    world.clock.advance(hours=1)
    with world.work() as work:
        assert held_role_groups.console_roles(work, accounts.by_username(work, name)) == frozenset()


def test_n58_an_account_ends_at_its_end_date(world: World, pusher: Pusher, emi: Rp) -> None:
    """PR-05, N58: from that moment nothing works, before the worker has come too; then it is
    closed for good, with mail and event."""
    made = pusher.create(extension={"grants": [TRADER], "endDate": moment(world, hours=1)})
    username = made["userName"]
    activate(world, username)
    browser = world.browser().signed_in(username, NEW_PASSWORD)
    tokens = world.redeem(emi, world.browser().code(emi, username, NEW_PASSWORD)).json
    assert world.introspect(emi, tokens["access_token"])["active"]
    world.clock.advance(hours=1)
    assert world.introspect(emi, tokens["access_token"]) == {"active": False}
    assert world.refresh(emi, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert "Sign in" in browser.get("/settings").text
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400
    assert world.events("signin.refused")[-1].reason == "account_deactivated"
    world.run_worker()
    assert world.account_row(username).state == AccountState.DEACTIVATED
    assert world.mails("account_deactivated", to=username)
    pusher.renew()
    assert fault(pusher.send("GET", made["id"])) == (404, None)


def test_the_end_of_a_role_group_is_changed_or_removed(world: World, pusher: Pusher) -> None:
    made = pusher.create(extension={"endDate": moment(world, hours=1)})
    later = moment(world, days=30)
    assert pusher.patch(made["id"], put("endDate", later)).json[EXTENSION]["endDate"] == later
    gone = {"op": "remove", "path": f"{EXTENSION}:endDate"}
    assert "endDate" not in pusher.patch(made["id"], gone).json[EXTENSION]
    for bad in ("2020-01-01T00:00:00Z", "2040-01-01T00:00:00", "soon"):
        assert fault(pusher.patch(made["id"], put("endDate", bad))) == (400, "invalidValue")
    world.clock.advance(days=60)
    world.run_worker()
    pusher.renew()
    assert pusher.send("GET", made["id"]).status_code == 200


def test_pr04_a_deactivation_records_its_reason_and_the_machine_accounts_left(
    world: World, pusher: Pusher
) -> None:
    """PR-04: the reason is in the trail; machine accounts that the person goes on keeping are
    reported, since nobody signs in for them any more."""
    made = pusher.create(1)
    pusher.create(2, extension={"personId": "R00001", "accountKind": "machine",
                                "registeredNetworks": [{"value": "192.0.2.1"}]},
                  name={"givenName": "Jim", "familyName": "Smithb"},
                  emails=[{"value": "jim1@participant.example"}])  # fmt: skip
    bad = pusher.send("DELETE", made["id"], headers={"Deactivation-Reason": "mood"})
    assert fault(bad) == (400, "invalidValue")
    done = pusher.send("DELETE", made["id"], headers={"Deactivation-Reason": "compromise"})
    assert (done.status_code, done.headers["Custodian-Of"]) == (204, "APIIESO00001")
    event = world.events("scim.deleted")[-1]
    assert event.data == {"why": "compromise", "custodian_of": ["APIIESO00001"]}
    more = pusher.create(4, extension={"personId": "R00001", "accountKind": "machine",
                                       "registeredNetworks": [{"value": "192.0.2.1"}]},
                         name={"givenName": "Jim", "familyName": "Smithb"},
                         emails=[{"value": "jim1@participant.example"}])  # fmt: skip
    assert "Custodian-Of" not in pusher.send("DELETE", more["id"]).headers
    other = pusher.create(3)
    done = pusher.send("DELETE", f"{USERS}/{other['id']}")
    assert "Custodian-Of" not in done.headers
    assert world.events("scim.deleted")[-1].data["why"] == "no_longer_required"
