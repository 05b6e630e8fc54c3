"""The mails about a machine account: to its custodian, the former one and the Rights
Administrators, each in his language (MA-10, NT-03)."""

from __future__ import annotations

from dataclasses import dataclass

from registration import notices
from registration.access_notices import administrators
from registration.delegation_facts import Actor
from registration.models import History, Organization, Person
from registration.notice_texts import MachineEvent
from registration.transaction import UnitOfWork


@dataclass(frozen=True)
class MachineChange:
    """What happened to a machine account."""

    event: MachineEvent
    machine: str
    custodian: Person
    former: Person | None = None
    networks: str = ""


def tell(
    work: UnitOfWork, actor: Actor, here: Organization, change: MachineChange, entry: History
) -> None:
    """Queue the mails, one for each person."""
    concerned = [change.custodian, change.former, *administrators(work, here)]
    people = {person.id: person for person in concerned if person is not None}
    by = notices.by_name(work, actor)
    for person in people.values():
        notices.of_machine(
            work,
            change.event,
            person,
            entry,
            machine=change.machine,
            organization=here.name,
            by=by,
            custodian=change.custodian.full_name,
            former=change.former.full_name if change.former else "",
            networks=change.networks,
        )
