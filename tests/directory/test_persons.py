"""Changes of registration, and another custodian (RG-09, AC-08, MA-10, NT-04, NT-12)."""

from __future__ import annotations

import pytest

from idp.directory import accounts, activation, persons
from idp.directory.persons import PersonChanges
from idp.errors import Invalid, Refused
from idp.factors import authenticators, security_question
from idp.machines import machine_accounts
from idp.models import AccountKind, AccountState
from tests.console.desk import Desk
from tests.factor_steps import set_up_app
from tests.world import NEW_PASSWORD, PASSWORD, World

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
NEW = "new.address@participant.example"


def change(world: World, username: str, **values: str) -> list[str]:
    with world.work() as work:
        person = accounts.by_username(work, username).person
        return persons.update(work, person, PersonChanges(**values))


@pytest.fixture
def family(world: World) -> tuple[str, str]:
    """A personal account and a machine account of one person."""
    username = world.account(person_id="P77")
    world.account("APIIESO00042", kind=AccountKind.MACHINE, person_id="P77")
    return username, "APIIESO00042"


def test_rg09_a_change_applies_to_every_account_of_the_person(
    world: World, family: tuple[str, str]
) -> None:
    """RG-09, NT-04: names in tokens and console, of machine accounts too; one mail."""
    username, machine = family
    assert change(world, username, family_name="Okafor", phone="416 967 1111 ext 7") == [
        "family_name", "phone",
    ]  # fmt: skip
    for name in family:
        row = world.account_row(name)
        assert (row.person.family_name, row.person.phone) == ("Okafor", "+14169671111")
    listed = Desk.of(world).browser.get("/console?q=okafor").text
    assert username in listed
    assert machine in listed
    mails = world.mails("profile_changed")
    assert [mail.recipient for mail in mails] == [f"{username}@participant.example"]
    assert "last name" in mails[0].text
    changed = world.events("person.updated")
    assert len(changed) == 2
    assert changed[0].data["before"]["family_name"] == "Moreau"
    assert change(world, username, family_name="Okafor") == []
    assert len(world.mails("profile_changed")) == 1


def test_tm12_a_change_of_a_person_without_accounts_is_recorded(world: World) -> None:
    """TM-12: the person outlives the accounts, and so does what was changed of it."""
    username = world.account(person_id="P78")
    world.set_state(username, AccountState.DEACTIVATED)
    assert change(world, username, family_name="Okafor") == ["family_name"]
    (event,) = world.events("person.updated")
    assert (event.account_id, event.data["person_id"]) == (None, "P78")
    assert event.data["after"] == {"family_name": "Okafor"}


def test_nt12_a_new_address_is_notified_to_both_addresses(
    world: World, family: tuple[str, str]
) -> None:
    """NT-12, N60: the old address gets no link that works; what went there is dead."""
    username, _ = family
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    assert change(world, username, email=NEW) == ["email"]
    old = world.mails("address_changed")[-1]
    assert old.recipient == f"{username}@participant.example"
    assert "token=" not in old.text
    assert world.mails("profile_changed")[-1].recipient == NEW
    refused = world.browser().get(link)
    assert refused.status_code == 400
    assert world.browser().sign_in(NEW).request.path == "/"
    assert world.browser().sign_in(f"{username}@participant.example").status_code == 400


def test_ac08_a_correction_before_activation_sends_a_new_link(world: World) -> None:
    """AC-08: the old link is dead, a new one with the same last day is at the new address."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        path = activation.invite(work, accounts.by_username(work, username))
    last_day = world.mails("account_created")[-1].text.split("until")[-1][:30]
    world.clock.advance(days=30)
    change(world, username, email=NEW)
    mail = world.mails("account_created")[-1]
    assert mail.recipient == NEW
    assert last_day in mail.text
    assert world.browser().get(path).status_code == 400
    browser = world.browser()
    page = browser.get(mail.links[0].removeprefix(world.settings.issuer))
    assert browser.submit(page, "/activate", **CHOICE).request.path == "/"


def test_ac08_after_expiry_a_correction_sends_no_link(world: World) -> None:
    """AC-03: a correction does not lengthen the 90 days."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        activation.invite(work, accounts.by_username(work, username))
    world.clock.advance(days=91)
    change(world, username, email=NEW)
    assert len(world.mails("account_created")) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"email": "no address"},
        {"email": "a@participant.example\r\nBcc: b@evil.example"},
        {"phone": "12"},
        {"given_name": "", "family_name": ""},
        {"family_name": "x" * 101},
        {"family_name": "\u202eevil"},
        {"family_name": "Okafor", "email": "x"},
    ],
)
def test_n85_bad_values_change_nothing(
    world: World, family: tuple[str, str], values: dict[str, str]
) -> None:
    """N85: all or nothing, no mail."""
    before = len(world.mails())
    with pytest.raises(Invalid):
        change(world, family[0], **values)
    assert world.account_row(family[0]).person.family_name == "Moreau"
    assert len(world.mails()) == before


def test_ma10_the_custodian_is_changed(world: World, family: tuple[str, str]) -> None:
    """MA-10: the old one loses access, credentials are renewed, both are told."""
    _, machine = family
    set_up_app(world, machine)
    session = world.browser()
    world.account(person_id="P88", given_name="Chidi", family_name="Okafor")
    with world.work() as work:
        holder = persons.by_person_id(work, "P88")
        assert holder is not None
        machine_accounts.change_custodian(work, accounts.by_username(work, machine), holder)
    row = world.account_row(machine)
    assert (row.person.person_id, row.state) == ("P88", AccountState.RESET_REQUIRED)
    assert session.sign_in(machine).status_code == 400
    with world.work() as work:
        account = accounts.by_username(work, machine)
        assert authenticators.list_usable(work, account) == []
        assert security_question.find(work, account) is None
    left, came = world.mails("custodian_left")[-1], world.mails("custodian_changed")[-1]
    assert (left.recipient, "token=" in left.text) == ("holder1@participant.example", False)
    assert came.recipient == "holder3@participant.example"
    browser = world.browser()
    page = browser.get(came.links[0].removeprefix(world.settings.issuer))
    browser.submit(page, "/recover/open", **CHOICE)
    assert world.browser().sign_in(machine, NEW_PASSWORD).request.path == "/"
    assert world.events("custodian.changed")[-1].data == {"before": "P77", "after": "P88"}


def test_ma10_before_activation_the_new_custodian_activates(world: World) -> None:
    """MA-10: the old link is dead."""
    machine = world.account("APIIESO00050", kind=AccountKind.MACHINE, state=AccountState.PENDING)
    world.account(person_id="P88")
    with world.work() as work:
        account = accounts.by_username(work, machine)
        path = activation.invite(work, account)
        holder = persons.by_person_id(work, "P88")
        assert holder is not None
        machine_accounts.change_custodian(work, account, holder)
    assert world.browser().get(path).status_code == 400
    assert world.mails("account_created")[-1].recipient == "holder2@participant.example"


def test_ma10_a_new_custodian_does_not_reactivate_the_account(
    world: World, family: tuple[str, str]
) -> None:
    """MA-10: a suspension stays; a closed account and a person's have no new custodian."""
    username, machine = family
    world.account(person_id="P88")
    world.set_state(machine, AccountState.SUSPENDED)
    with world.work() as work:
        holder = persons.by_person_id(work, "P88")
        assert holder is not None
        machine_accounts.change_custodian(work, accounts.by_username(work, machine), holder)
    row = world.account_row(machine)
    assert (row.state, row.resumes_as) == (AccountState.SUSPENDED, "reset_required")
    with world.work() as work:
        person = accounts.by_username(work, machine).person
        account = accounts.by_username(work, username)
        with pytest.raises(Invalid):
            machine_accounts.change_custodian(work, account, person)
    world.set_state(machine, AccountState.DEACTIVATED)
    with world.work() as work:
        person = accounts.by_username(work, username).person
        account = accounts.by_username(work, machine)
        with pytest.raises(Refused):
            machine_accounts.change_custodian(work, account, person)
    assert world.browser().sign_in(machine, PASSWORD).status_code == 400


@pytest.mark.parametrize("typed", ["a.roy@ÉNERGIE.example", "A.Roy@xn--nergie-9ua.example"])
def test_gw03_an_international_address_is_found_in_either_form(world: World, typed: str) -> None:
    """GW-03: the sign-in takes the address as its holder writes it."""
    username = world.account(email="a.roy@énergie.example")
    with world.work() as work:
        assert accounts.by_username(work, username).person.email == "a.roy@xn--nergie-9ua.example"
    assert "Your applications" in world.browser().sign_in(typed).text
