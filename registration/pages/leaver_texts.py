"""What a leaver loses, and what stands against it, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import leaver_holdings
from registration.delegation import Allowed, Refused, may, who_can
from registration.delegation_facts import Role, Target, Tier
from registration.delegation_rules import Action, Reason
from registration.grid_query import column_of
from registration.leaver_holdings import Holdings
from registration.models import Person
from registration.pages.appointment_answers import office_text
from registration.pages.change_lines import refusal_lines, who_lines
from registration.pages.contact_review_pages import FAULTS
from registration.pages.contact_role_pages import name_of
from registration.pages.role_names import under_heading
from registration.pages.standing import Standing


@dataclass(frozen=True)
class Line:
    """One thing that ends."""

    kind: str
    name: str
    since: datetime | None = None


def lines(gone: Holdings) -> Iterable[Line]:
    """What ends, from the top."""
    french = is_french()
    for office in gone.appointments:
        yield Line(gettext("Appointment"), office_text(Tier(office.office)), office.valid_from)
    for access in gone.access:
        column = column_of(access.access_role, is_french=french)
        text = under_heading(column)
        yield Line(gettext("Access role"), text, access.valid_from)
    for contact in gone.contacts:
        yield Line(gettext("Contact role"), name_of(contact.contact_role), contact.valid_from)
    for machine in gone.machines:
        yield Line(gettext("Machine account"), machine.name, machine.custody.valid_from)
    for asked in gone.requests:
        yield Line(gettext("Request for access"), asked.number, asked.opened_at)
    for account in gone.accounts:
        yield Line(gettext("Account"), account.username or "", account.created_at)


def warnings(here: Standing, gone: Holdings) -> list[str]:
    """TM-03 to TM-06: said before the end."""
    found = []
    if gone.person.person_id == here.actor.person:
        found.append(gettext("This is you. You cannot give anything of it back to yourself."))
    for office, asked in leaver_holdings.vacated(here.here, gone, here.facts):
        found.append(
            gettext(
                "Nobody else is %(office)s. These people are asked to fill the role:",
                office=office_text(office),
            )
        )
        found += who_lines(Refused(Reason.TIER, asked), here.here)
    return found


def obstacles(here: Standing, gone: Holdings, successor: Person | None) -> list[str]:
    """CO-04, MA-10: contact roles and machine accounts that need somebody else first."""
    number, found = here.here.organization_id, []
    roles = {one.contact_role.code: one.contact_role for one in gone.contacts}
    for one in gone.breaches:
        name = name_of(roles[one.role])
        found.append(FAULTS.of(one.fault, role=name, count=one.count, limit=one.limit, name=""))
    if gone.breaches:
        target = Target(number, role=Role(gone.breaches[0].role))
        givers = who_can(Action.ASSIGN_CONTACT_ROLE, target, here.facts)
        found.append(gettext("Give these contact roles to somebody else first."))
        found += who_lines(Refused(Reason.TIER, givers), here.here)
    if gone.machines and not may_hand_over(here, gone):
        target = Target(number, "later", machine=gone.machines[0].fact)
        keepers = who_can(Action.HAND_OVER_MACHINE, target, here.facts)
        found += refusal_lines(Refused(Reason.IS_CUSTODIAN, keepers), here.here)
    elif gone.machines and successor is None:
        found += [
            gettext("Choose who takes over the machine account %(machine)s, or stop it first.",
                    machine=one.name)
            for one in gone.machines
        ]  # fmt: skip
    return found


def may_hand_over(here: Standing, gone: Holdings) -> bool:
    """Whether the person who asks may hand over these machine accounts."""
    target = Target(here.here.organization_id, "later", machine=gone.machines[0].fact)
    return isinstance(may(here.actor, Action.HAND_OVER_MACHINE, target, here.facts), Allowed)


def effects(here: Standing, gone: Holdings) -> list[str]:
    """What comes of it; the gateway names more."""
    found = [gettext("Everything on this list ends at once. Access is lost within seconds.")]
    if gone.machines:
        found.append(
            gettext(
                "The password and the keys of the former custodian end at once. Programs stop "
                "until they have the new ones."
            )
        )
    if here.facts.organizations(gone.person.person_id) - {here.here.organization_id}:
        found.append(gettext("Roles at other organizations stay as they are."))
    return [*found, gettext("The person and the representatives concerned get an e-mail about it.")]
