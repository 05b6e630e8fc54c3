"""People of the demonstration who act in Online IESO Registration: one for each tier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from idp.demo.people import Figure
from registration import catalogue, demo_data


@dataclass(frozen=True)
class RegistrationFigure:
    """A person of registration's demonstration who has an account from the start."""

    tier: str
    username: str
    person_id: str

    @property
    def role(self) -> str:
        """The key of the secrets."""
        return f"registration_{self.tier}"


TIERS = (
    RegistrationFigure("ar", "ashworth", "100401"),
    RegistrationFigure("pc", "bouchard", "100403"),
    RegistrationFigure("ra", "nwosua", "100405"),
    RegistrationFigure("apprep", "lalondes", "100407"),
    RegistrationFigure("holder", "petrovl", "100419"),
    RegistrationFigure("ieso", "oseim", "100310"),
)
#: The group of the IESO's own people, and the participant at which they hold it.
OPERATOR_GROUP, OPERATOR = "Registration Operator", "IESO"


@cache
def figures() -> tuple[Figure, ...]:
    """Their accounts, with the role groups that registration says they have."""
    people = demo_data.packaged().people
    return tuple(_figure(one, people[one.person_id]) for one in TIERS)


def organizations(person_id: str) -> list[str]:
    """Where the person has something in registration."""
    return sorted(demo_data.packaged().people[person_id].at)


def _figure(one: RegistrationFigure, person: demo_data.DemoPerson) -> Figure:
    return Figure(
        one.role,
        one.username,
        person.first_name,
        person.last_name,
        person.email,
        one.person_id,
        _holds(person),
        locale=person.language,
        phone=person.phone,
    )


def _holds(person: demo_data.DemoPerson) -> tuple[tuple[str, str], ...]:
    known = catalogue.packaged()
    offices = {role.office: role.role_groups for role in known.contact_roles.values()}
    found = {(OPERATOR_GROUP, OPERATOR)} if person.is_operator else set()
    for number, place in person.at.items():
        groups = [group for office in place.offices for group in offices[office.value]]
        groups += [g for code in place.access for g in known.access_roles[code].role_groups]
        groups += [g for code in place.contacts for g in known.contact_roles[code].role_groups]
        found |= {(group, number) for group in groups}
    return tuple(sorted(found))
