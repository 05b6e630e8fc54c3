"""The people of the demonstration are many, of every tier, and right by the rules."""

from __future__ import annotations

from collections import Counter

from idp.demo import registration_people
from idp.demo.people import FIGURES
from idp.models import AccountKind
from registration import catalogue
from registration.contact_rules import Batch, Contact, ContactKind, Holding, below_minimum, breaches
from registration.delegation_facts import OFFICES, Tier
from registration.demo_data import DemoPlace, packaged

DATA, CATALOGUE = packaged(), catalogue.packaged()


def places(organization: str) -> dict[str, DemoPlace]:
    """What people hold there now."""
    return {
        person: entry.at[organization]
        for person, entry in DATA.people.items()
        if organization in entry.at and entry.at[organization].until_days is None
    }


def test_somebody_of_every_tier_can_sign_in() -> None:
    """``demo.json`` names one of each. The account holder has access roles and nothing else."""
    assert [one.tier for one in registration_people.TIERS] == [
        *(office.value for office in OFFICES), Tier.HOLDER.value, Tier.IESO.value,
    ]  # fmt: skip
    (holder,) = (one for one in registration_people.TIERS if one.tier == Tier.HOLDER)
    (place,) = DATA.people[holder.person_id].at.values()
    assert place == DemoPlace(access=place.access)
    assert place.access
    names = [one.username for one in (*FIGURES, *registration_people.figures())]
    assert len(names) == len(set(names))


def test_there_is_everybody_whom_the_pages_show() -> None:
    """Three organizations, sixty people, every tier, two machines, two people of one name."""
    assert (len(DATA.organizations), len(DATA.people), len(DATA.machines)) == (3, 60, 2)
    held = {
        office
        for entry in DATA.people.values()
        for at in entry.at.values()
        for office in at.offices
    }
    assert held == set(OFFICES)
    assert sum(entry.is_operator for entry in DATA.people.values()) == 1
    names = Counter((entry.first_name, entry.last_name) for entry in DATA.people.values())
    assert [name for name, times in names.items() if times > 1] == [("John", "Smith")]


def test_one_office_is_vacant_and_one_contractor_has_expired() -> None:
    """TM-05."""
    vacant = [
        (number, office.value)
        for number in DATA.organizations
        for office in OFFICES
        if not any(office in at.offices for at in places(number).values())
    ]
    assert vacant == [("111340", "pc")]
    ended = [
        at
        for entry in DATA.people.values()
        for at in entry.at.values()
        if at.until_days is not None
    ]
    assert [at.until_days for at in ended] == [-14]


def test_roles_belong_to_approved_participations() -> None:
    """TM-07, RG-13, MA-04."""
    for entry in DATA.people.values():
        for number, at in entry.at.items():
            approved = set(DATA.organizations[number].approved)
            for code in at.access:
                role = CATALOGUE.access_roles[code]
                assert role.market in approved
                assert role.kind == "person"
            for code in at.contacts:
                contact = CATALOGUE.contact_roles[code]
                assert contact.office is None
                assert not contact.markets or set(contact.markets) & approved
    for machine in DATA.machines.values():
        assert machine.organization in DATA.people[machine.custodian].at
        for code in machine.access:
            role = CATALOGUE.access_roles[code]
            assert role.kind == "machine"
            assert role.market in DATA.organizations[machine.organization].approved


def test_contact_roles_keep_their_limits() -> None:
    """CO-03 to CO-05: as one batch, and nobody is missing."""
    for number, organization in DATA.organizations.items():
        rules = {
            code: role.rule
            for code, role in CATALOGUE.contact_roles.items()
            if role.office is None
            and (not role.markets or set(role.markets) & set(organization.approved))
        }
        held = {
            Holding(code, Contact(ContactKind.PERSON, person))
            for person, at in places(number).items()
            for code in at.contacts
        } | {
            Holding(code, Contact(ContactKind.SECTION, name))
            for name, section in organization.sections.items()
            for code in section.contacts
        }
        assert breaches(rules, frozenset(), Batch(frozenset(held))) == ()
        assert below_minimum(rules, frozenset(held)) == ()


def test_people_of_both_demonstrations_are_the_same() -> None:
    """RG-02: one Person ID, one person, and the same roles in both systems."""
    for figure in FIGURES:
        if figure.kind is not AccountKind.PERSONAL or figure.person_id not in DATA.people:
            continue
        entry = DATA.people[figure.person_id]
        assert (entry.first_name, entry.last_name) == (figure.given_name, figure.family_name)
        assert entry.email == figure.email
        assert entry.language == figure.locale
        groups = {
            (group, number)
            for number, at in entry.at.items()
            for code in (*at.access,)
            for group in CATALOGUE.access_roles[code].role_groups
        }
        assert groups == set(figure.holds)
