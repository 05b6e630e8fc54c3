"""Who speaks for a participant, and what they are told (NT-03, NT-05, NT-06, NT-11)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.models import AccountState
from tests.scim.pusher import Pusher, fault
from tests.scim.test_participants import ERIE, PARTICIPANTS, body, create, patch
from tests.scim.test_provisioning_scope import limit
from tests.world import World

RA, PC, AR = "rights_administrator", "primary_contact", "authorized_representative"
PEOPLE = {"ra": RA, "pc": PC, "ar": AR}


def entry(name: str, function: str) -> dict[str, Any]:
    return {"value": f"ID-{name}", "type": function}


@pytest.fixture
def erie(world: World, pusher: Pusher) -> Pusher:
    """A participant with a contact in each tier, and a holder of a role group there."""
    for name in (*PEOPLE, "holder"):
        world.account(name, person_id=f"ID-{name}", given_name=name.upper())
    create(pusher, contacts=[entry(name, function) for name, function in PEOPLE.items()])
    world.grant_role("holder", "EMI Trader", "200001")
    return pusher


def told(world: World, kind: str) -> list[str]:
    return [mail.recipient.split("@")[0] for mail in world.mails(kind)]


def test_n78_too_many_contacts_are_refused_without_queries(
    erie: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N78: a push of thousands costs no look-up for each."""
    looked: list[str] = []
    monkeypatch.setattr(
        "idp.directory.persons.by_person_id", lambda _work, person_id: looked.append(person_id)
    )
    many = [entry(f"p{number}", RA) for number in range(101)]
    answer = erie.send("PUT", ERIE, body(contacts=many))
    assert fault(answer) == (400, "invalidValue")
    assert "at most 100 contacts" in answer.json["detail"]
    assert looked == []


def test_contacts_are_set_by_a_push(world: World, erie: Pusher) -> None:
    """Read; a retry is the same; a PUT without them changes none; whoever comes and goes
    is told (NT-06)."""
    shown = erie.send("GET", ERIE).json["contacts"]
    assert shown[0] == entry("ar", AR)
    assert [row["value"] for row in shown] == ["ID-ar", "ID-pc", "ID-ra"]
    same = body(contacts=[entry(name, function) for name, function in PEOPLE.items()])
    assert erie.send("POST", PARTICIPANTS, same).status_code == 200
    assert len(erie.send("PUT", ERIE, body()).json["contacts"]) == 3
    assert sorted(told(world, "contact_added")) == ["ar", "pc", "ra"]
    gone = {"op": "remove", "path": f'contacts[value eq "ID-ra" and type eq "{RA}"]'}
    assert len(patch(erie, gone).json["contacts"]) == 2
    assert told(world, "contact_ended") == ["ra"]
    assert "Rights Administrator of Erie Wind (200001)" in world.mails("contact_ended")[0].text


@pytest.mark.parametrize("wrong", [entry("nobody", RA), entry("ra", "chief"), {"value": "ID-ra"}])
def test_n78_invalid_contacts_are_refused(erie: Pusher, wrong: dict[str, Any]) -> None:
    """N78: a person without an account here, a function that there is not."""
    answer = patch(erie, {"op": "add", "path": "contacts", "value": [wrong]})
    assert fault(answer) == (400, "invalidValue")
    assert len(erie.send("GET", ERIE).json["contacts"]) == 3


def test_n73_a_client_can_only_appoint_people_in_its_scope(world: World, erie: Pusher) -> None:
    """N73: a Person ID of another participant is not tried out here; a change needs ``update``."""
    world.account("stranger", person_id="ID-stranger")
    mine = Pusher.of(world, "Mine")
    limit(world, "mine", push_participants=("200001",))
    add = {"op": "add", "path": "contacts", "value": [entry("stranger", RA)]}
    assert fault(patch(mine, add)) == (403, None)
    limit(world, "registration", push_operations=("read",))
    assert fault(patch(erie, {"op": "remove", "path": "contacts"})) == (403, None)


def test_nt03_rights_administrators_are_notified_of_access_changes(
    world: World, erie: Pusher
) -> None:
    """NT-03: of that participant, once, with nothing of other participants; who changes his own is
    told as the holder."""
    world.grant_role("holder", "EMI Viewer", "109120")
    (mail,) = world.mails("holder_access_changed")
    assert mail.recipient == "ra@participant.example"
    assert "HOLDER Moreau, holder for Erie Wind (200001)" in mail.text
    assert "- EMI Trader" in mail.text
    world.revoke_role("holder", "EMI Trader", "200001")
    assert "Removed:" in world.mails("holder_access_changed")[-1].text
    world.grant_role("ra", "EMI Trader", "200001")
    assert len(world.mails("holder_access_changed")) == 2
    assert told(world, "access_changed")[-1] == "ra"


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.DEACTIVATED])
@pytest.mark.parametrize(("who", "tier"), [("holder", "ra"), ("ra", "pc"), ("pc", "ar")])
def test_nt05_the_responsible_contacts_are_notified_of_an_ended_account(
    world: World, erie: Pusher, state: AccountState, who: str, tier: str
) -> None:
    """NT-05: of a holder the Rights Administrators, of one of these the Primary Contacts."""
    world.set_state(who, state)
    assert told(world, "holder_account_ended") == [tier]
    words = "was deactivated" if state == AccountState.DEACTIVATED else "was suspended"
    assert words in world.mails("holder_account_ended")[0].text


def test_nt11_the_next_tier_is_notified_of_a_vacancy(world: World, erie: Pusher) -> None:
    """NT-11, TM-03, TM-05, TM-06: the Primary Contacts; without any the Authorized
    Representatives; of the last of these the trail alone tells."""
    world.set_state("ra", AccountState.DEACTIVATED)
    (mail,) = world.mails("contact_vacant")
    assert mail.recipient == "pc@participant.example"
    assert "Erie Wind (200001) no longer has a Rights Administrator." in mail.text
    world.set_state("pc", AccountState.DEACTIVATED)
    assert told(world, "contact_vacant") == ["pc", "ar"]
    world.set_state("ar", AccountState.DEACTIVATED)
    assert told(world, "contact_vacant") == ["pc", "ar"]
    assert [event.data["function"] for event in world.events("participant.vacancy")] == [RA, PC, AR]
    assert erie.send("GET", ERIE).json.get("contacts") is None


def test_no_notice_is_sent_to_a_deactivated_account(world: World, erie: Pusher) -> None:
    """NT: no mail to a deactivated address."""
    world.set_state("ra", AccountState.DEACTIVATED)
    world.grant_role("holder", "EMI Viewer", "200001")
    assert len(world.mails("holder_access_changed")) == 1


def test_rights_administrators_are_notified_of_a_pending_activation(
    world: World, erie: Pusher
) -> None:
    """With the holder, 14 days before the link ends."""
    trader = {"roleGroup": "EMI Trader", "participantId": "200001"}
    erie.create(1, extension={"grants": [trader]})
    world.clock.advance(days=77)
    world.run_worker()
    (mail,) = world.mails("holder_not_activated")
    assert mail.recipient == "ra@participant.example"
    assert "Jim Smithb, smithbj has not activated the account" in mail.text
