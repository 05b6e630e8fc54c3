"""Accounts made and corrected in the console (PR-02), and the tabs of an account's page."""

from __future__ import annotations

import pytest

from idp.directory import accounts
from idp.machines import machine_keys, registered_networks
from idp.models import AccountKind, AccountState
from idp.policy.console import ConsoleRole
from idp.session import sessions
from tests.console.desk import Desk
from tests.world import OTHER_KEY, World

ACCESS, AGENT, AUDITOR = ConsoleRole.ACCESS, ConsoleRole.AGENT, ConsoleRole.AUDITOR
NEW = {
    "kind": "personal", "person_id": "N0001", "given_name": "Steve", "family_name": "MacMasterly",
    "email": "steve@participant.example", "phone": "+1 613 555 0100 ext 7", "locale": "fr",
}  # fmt: skip


def test_pr02_access_management_creates_an_account(world: World) -> None:
    """PR-02, UI-01, NT-02: by the rules of the manual, pending, its activation mailed, audited."""
    desk = Desk.of(world, ACCESS)
    answer = desk.post("/console/accounts/new", **NEW)
    row = world.account_row("macmasts")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/console/accounts/{row.subject}",
    )
    assert (row.state, row.locale, row.kind) == (AccountState.PENDING, "fr", AccountKind.PERSONAL)
    (mail,) = world.mails("account_created", to="macmasts")
    assert mail.recipient == "steve@participant.example"
    assert world.events("account.created")[-1].actor == desk.username
    page = desk.browser.get(answer.headers["Location"]).text
    assert "The account macmasts was created. The activation e-mail is queued." in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"email": "nowhere"}, "e-mail"),
        ({"given_name": "", "family_name": ""}, "first or last name"),
        ({"username": "taken"}, "taken is already in use"),
        ({"kind": "machine", "networks": "nonsense"}, "nonsense"),
        ({"person_id": "P00001", "given_name": "Else"}, "P00001 is registered with another"),
    ],
)
def test_a_faulty_form_creates_nothing_and_keeps_what_was_typed(
    world: World, changes: dict[str, str], said: str
) -> None:
    """400, the reason, the fields as they were."""
    world.account("taken")
    desk = Desk.of(world, ACCESS)
    before = len(world.events("account.created"))
    answer = desk.post("/console/accounts/new", **(NEW | changes))
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="+1 613 555 0100 ext 7"' in answer.text
    assert len(world.events("account.created")) == before
    assert world.mails("account_created") == []


def test_ma02_a_machine_account_is_created_with_its_networks(world: World) -> None:
    """MA-02, MA-03, UI-08: for a registered person as custodian; without networks refused."""
    desk = Desk.of(world, ACCESS)
    custodian = world.account_row(world.account()).person.person_id
    form = {"kind": "machine", "person_id": custodian, "locale": "en"}
    assert desk.post("/console/accounts/new", **form).status_code == 400
    typed = "192.0.2.0/28 Mill\r\n\r\n2001:db8::1"
    answer = desk.post("/console/accounts/new", networks=typed, **form)
    assert answer.status_code == 303
    with world.work() as work:
        made = accounts.by_subject(work, answer.headers["Location"].split("/")[3])
        assert made is not None
        assert made.username.startswith("APIIESO")
        assert made.person.person_id == custodian
        rows = {(row.network, row.label) for row in registered_networks.of(work, made)}
    assert rows == {("192.0.2.0/28", "Mill"), ("2001:db8::1/128", "")}


def test_rg09_a_corrected_address_is_notified_to_both_addresses(world: World) -> None:
    """RG-09, NT-04, NT-12, AC-08: after a page that shows old and new; for all accounts."""
    desk, holder = Desk.of(world, ACCESS), world.account(given_name="Ada", family_name="Moreau")
    path = f"{desk.path(holder)}/person"
    old = f"{holder}@participant.example"
    assert f'value="{old}"' in desk.browser.get(path).text
    typed = {"given_name": "Adah", "family_name": "Moreau", "email": "adah@participant.example"}
    page = desk.send(path, **typed)
    assert "Ada → Adah" in page.text
    assert f"Sends an e-mail to {old} and to adah@participant.example." in page.text
    assert world.account_row(holder).person.email == old
    assert desk.confirm(path, page).status_code == 303
    person = world.account_row(holder).person
    assert (person.given_name, person.email) == ("Adah", "adah@participant.example")
    told = {(mail.kind, mail.recipient) for mail in world.mails(to=holder)}
    assert ("address_changed", old) in told
    assert ("profile_changed", "adah@participant.example") in told
    assert world.events("person.updated")[-1].actor == desk.username
    assert world.events("console.confirmed")[-1].data["act"] == "correct_person"
    same = desk.send(path, **typed)
    assert (same.status_code, "Nothing was changed." in same.text) == (400, True)
    wrong = desk.send(path, **(typed | {"email": "nowhere"}))
    assert (wrong.status_code, 'value="nowhere"' in wrong.text) == (400, True)


def test_a_correction_without_a_field_keeps_its_value(world: World) -> None:
    """An empty field clears the value; a field that is not sent does not."""
    desk = Desk.of(world, ACCESS)
    holder = world.account(middle_name="Beth", preferred_name="Bee", phone="+14165550123")
    assert desk.post(f"{desk.path(holder)}/person", middle_name="").status_code == 303
    person = world.account_row(holder).person
    assert (person.given_name, person.middle_name, person.preferred_name, person.phone) == (
        "Ada", "", "Bee", "+14165550123",
    )  # fmt: skip


def test_ma10_the_custodian_is_changed(world: World) -> None:
    """MA-10: confirmed; password and keys end, both are told."""
    desk = Desk.of(world, ACCESS)
    machine, new = world.account(kind=AccountKind.MACHINE), world.account()
    person_id = world.account_row(new).person.person_id
    path = f"{desk.path(machine)}/custodian"
    unknown = desk.send(path, person_id="nobody")
    assert (unknown.status_code, "nobody" in unknown.text) == (400, True)
    assert desk.post(path, person_id=person_id).status_code == 303
    row = world.account_row(machine)
    assert (row.person.person_id, row.state) == (person_id, AccountState.RESET_REQUIRED)
    kinds = {mail.kind for mail in world.mails(to=machine)}
    assert {"custodian_left", "custodian_changed"} <= kinds
    assert f"{person_id}" in desk.browser.get(f"{desk.path(machine)}/programs").text


def test_one_session_is_ended_by_its_row(world: World) -> None:
    """N58: that one and no other; by an agent only for a verified caller."""
    desk, holder = Desk.of(world), world.account()
    first, second = world.browser().signed_in(holder), world.browser().signed_in(holder)
    with world.work() as work:
        rows = sessions.active(work, accounts.by_username(work, holder))
        mine = min(rows, key=lambda row: row.id).public_id
    path = f"{desk.path(holder)}/sessions/{mine}/end"
    refused = desk.post(path)
    assert (refused.status_code, "Verify the caller first" in refused.text) == (400, True)
    desk.verify(holder)
    assert path in desk.browser.get(f"{desk.path(holder)}/sessions").text
    assert desk.post(path).status_code == 303
    assert "Sign in" in first.get("/settings").text
    assert second.get("/settings").request.path == "/settings"
    assert world.events("console.confirmed")[-1].data["act"] == "end_session"
    (mail,) = world.mails("session_ended", to=holder)
    assert "ended one session of your account" in mail.text
    assert desk.post(path).status_code == 404
    elsewhere = f"{desk.path(world.account())}/sessions/{mine}/end"
    assert desk.post(elsewhere).status_code == 404


def test_a_key_of_a_machine_account_is_removed(world: World) -> None:
    """The row of the key; its programs have to use another one."""
    desk, machine = Desk.of(world, ACCESS), world.account(kind=AccountKind.MACHINE)
    with world.work() as work:
        pem = OTHER_KEY.as_pem(private=False).decode()
        account = accounts.by_username(work, machine)
        kid = machine_keys.add(work, account, pem, label="Mill").kid
    assert "Mill" in desk.browser.get(f"{desk.path(machine)}/programs").text
    assert desk.post(f"{desk.path(machine)}/keys/{kid}/remove").status_code == 303
    assert "Mill" not in desk.browser.get(f"{desk.path(machine)}/programs").text
    assert desk.post(f"{desk.path(machine)}/keys/{kid}/remove").status_code == 404


@pytest.mark.parametrize("role", [AGENT, ACCESS, AUDITOR])
def test_the_tabs_of_an_account_have_their_own_urls(world: World, role: ConsoleRole) -> None:
    """Each is a page with the same header; only Access Management has forms for the data."""
    desk = Desk.of(world, role)
    machine = world.account(kind=AccountKind.MACHINE)
    tabs = {"": "Overview", "/access": "Role groups", "/factors": "Extra verification",
            "/sessions": "Sessions", "/sign-ins": "Sign-ins", "/history": "History",
            "/programs": "Programs"}  # fmt: skip
    for tab, text in tabs.items():
        answer = desk.browser.get(desk.path(machine) + tab)
        assert answer.status_code == 200
        assert f'aria-current="page">{text}</a>' in answer.text
        assert "This account can sign in." in answer.text
    assert desk.browser.get(f"{desk.path(world.account())}/programs").status_code == 404
    has_form = 'id="new-custodian"' in desk.browser.get(f"{desk.path(machine)}/programs").text
    assert has_form == (role is ACCESS)
    assert ("/person" in desk.open(machine).text) == (role is ACCESS)
