"""Accounts with made UserIDs (UI-06 to UI-11): unique for ever, also under parallel creations."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from idp.app import create_app
from idp.directory import accounts, userids
from idp.directory.directory_refusals import PersonalAccountExists
from idp.directory.second_accounts import SecondAccountGrounds
from idp.errors import Invalid
from idp.models import AccountKind, AccountState
from idp.ports import Ports, SystemTokens
from idp.transaction import committing
from tests.world import World, registered


def person(
    number: int, given: str = "Jim", family: str = "Smith", **more: str
) -> accounts.NewPerson:
    return accounts.NewPerson(
        person_id=f"U{number:05}",
        given_name=given,
        family_name=family,
        email=f"u{number}@participant.example",
        **more,
    )


def make(
    world: World,
    data: accounts.NewPerson,
    kind: AccountKind = AccountKind.PERSONAL,
    second: str = "",
) -> str:
    """The user name; with ``second`` of a second account for that participant."""
    with world.work() as work:
        holder = accounts.get_or_create_person(work, data)
        only = registered(work, second) if second else None
        stated = SecondAccountGrounds.of("transmission_rights", only) if only else None
        return userids.create(work, holder, kind=kind, second=stated).username


def test_ui01_to_ui05_candidates_are_tried_in_order(world: World) -> None:
    """UI-01 to UI-05: the same name again and again."""
    assert make(world, person(1)) == "smithj"
    assert make(world, person(2, middle_name="Lee")) == "smithjl"
    assert make(world, person(3)) == "smitji"
    assert make(world, person(4)) == "smithj2"


def test_ui06_a_user_id_is_never_reused(world: World) -> None:
    """UI-06, N81: not after deactivation, not in another case, not to the same person."""
    assert make(world, person(1)) == "smithj"
    world.set_state("smithj", AccountState.DEACTIVATED)
    assert make(world, person(1)) == "smitji"
    world.account("SMITHJ2")
    assert make(world, person(2)) == "smithj3"


def test_ui06_a_new_name_keeps_the_user_id(world: World) -> None:
    """UI-06, Z-20: the UserID is not made anew."""
    make(world, person(1))
    with world.work() as work:
        accounts.by_username(work, "smithj").person.family_name = "Jones"
    assert world.account_row("smithj").username == "smithj"


@pytest.mark.parametrize(
    ("given", "family", "preferred", "expected"),
    [("伟", "王", "Wei Wang", "wangw"), ("Анна", "Иванова", "Ivanova", "ivanova")],
)
def test_ui07_a_name_in_another_script_uses_the_preferred_name(
    world: World, given: str, family: str, preferred: str, expected: str
) -> None:
    """UI-07: as the person spells it in Latin letters."""
    assert make(world, person(1, given, family, preferred_name=preferred)) == expected


def test_ui07_without_a_latin_name_the_user_id_must_be_given(world: World) -> None:
    """UI-07: a clear refusal, nothing made."""
    with pytest.raises(Invalid, match="preferred name in Latin letters"):
        make(world, person(1, "伟", "王"))
    with pytest.raises(Invalid, match="e-mail account"):
        make(world, person(1), AccountKind.EMAIL)


def test_ui10_ui11_one_personal_account_for_each_person(world: World) -> None:
    """UI-10, UI-11: a second one only for a stated reason, one for each participant."""
    make(world, person(1))
    with pytest.raises(PersonalAccountExists, match="has a personal account"):
        make(world, person(1))
    assert make(world, person(1), second="109120") == "smitji"
    with pytest.raises(PersonalAccountExists, match="has a second account for participant 109120"):
        make(world, person(1), second="109120")
    assert make(world, person(1), second="111340") == "smithj2"
    with pytest.raises(Invalid, match="only a personal account"):
        make(world, person(1), AccountKind.MACHINE, second="109120")


def test_ui08_machine_ids_are_numbered_upwards(world: World) -> None:
    """UI-08: after the highest; a custodian may have many; padding is a setting."""
    assert make(world, person(1), AccountKind.MACHINE) == "APIIESO00001"
    world.account("APIIESO00041", kind=AccountKind.MACHINE)
    assert make(world, person(1), AccountKind.MACHINE) == "APIIESO00042"
    ports = Ports(world.clock, SystemTokens(), world.mailer, world.sms)
    settings = replace(world.settings, machine_id_pads=False)
    plain = replace(world, app=create_app(settings, ports), settings=settings)
    assert make(plain, person(1), AccountKind.MACHINE) == "APIIESO43"


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_ui07_sixteen_concurrent_requests_get_sixteen_user_ids(
    world: World, kind: AccountKind
) -> None:
    """UI-07: concurrency; nobody fails, nobody shares."""
    with world.work() as work:
        for number in range(16):
            accounts.get_or_create_person(work, person(number))
    barrier = threading.Barrier(16, timeout=60)
    made: list[str] = []
    failed: list[Exception] = []

    def run(number: int) -> None:
        with world.app.app_context():
            barrier.wait()
            try:
                with committing(world.app.extensions["runtime"].work()) as work:
                    holder = accounts.get_or_create_person(work, person(number))
                    made.append(userids.create(work, holder, kind=kind).username)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(set(made)) == 16
