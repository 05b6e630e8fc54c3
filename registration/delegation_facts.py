"""The values that the calculation of delegation reads: who asks, for what, and what is so.

Identifiers are the Person ID, the Organization ID and the user name of a machine, as text. Services
read them from the tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Tier(StrEnum):
    """Where somebody stands in the trust model (manual section 3), from the top."""

    #: An operator of the IESO's Market Registration desk.
    IESO = "ieso"
    AR = "ar"
    PC = "pc"
    RA = "ra"
    APPREP = "apprep"
    #: The person whom the act concerns, or the custodian of the machine.
    HOLDER = "holder"


#: What people are appointed to.
OFFICES = (Tier.AR, Tier.PC, Tier.RA, Tier.APPREP)


class ParticipationState(StrEnum):
    """How far a participation is (RG-12)."""

    APPLIED = "applied"
    APPROVED = "approved"
    ENDED = "ended"


class AccountKind(StrEnum):
    """Whose account an access role is for (AR-03)."""

    PERSON = "person"
    MACHINE = "machine"


@dataclass(frozen=True)
class Actor:
    """Who asks: a signed-in person. What he may do follows from the appointments in ``Facts``."""

    person: str
    #: The gateway says that he works at the Market Registration desk.
    is_operator: bool = False


@dataclass(frozen=True)
class Appointment:
    """A person holds an office at an organization, from and until a moment."""

    person: str
    organization: str
    office: Tier
    since: datetime
    until: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether it counts at this moment. The end itself no longer does."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True)
class Participation:
    """An organization takes part in a market or programme, or provides a service."""

    organization: str
    kind: str
    state: ParticipationState


@dataclass(frozen=True)
class Role:
    """A contact role or an access role of the catalogue."""

    name: str
    #: One of these must be approved. None: any approved participation will do.
    participations: frozenset[str] = frozenset()
    kind: AccountKind = AccountKind.PERSON
    #: The contact role of this name is an office: it is given by appointment only.
    office: Tier | None = None


@dataclass(frozen=True)
class Machine:
    """A machine account, the organization it works for and its custodian."""

    userid: str
    organization: str
    custodian: str
    #: False: the gateway has not given it its user name yet, and ``userid`` is our own id.
    is_named: bool = True


@dataclass(frozen=True)
class Target:
    """What is acted on. ``organization`` is always given; the table of rules says which of the
    other fields an action needs."""

    organization: str
    person: str = ""
    office: Tier | None = None
    role: Role | None = None
    machine: Machine | None = None
    #: The reference of the letter that an operator of the IESO acts on (TM-02, TM-03).
    letter: str = ""


@dataclass(frozen=True)
class Policy:
    """Where the manual leaves a choice. The defaults are the readings Z-10 and Z-22."""

    appoint_apprep: frozenset[Tier] = frozenset((Tier.AR, Tier.RA))
    apprep_grants_access: bool = True
    ra_keeps_contacts: bool = False


@dataclass(frozen=True)
class Facts:
    """What is so at ``at``, about the organizations and people of one question.

    It must hold *all* appointments of the organization and of the person concerned, all
    participations of the organization, and everybody's organizations among those named."""

    at: datetime
    appointments: tuple[Appointment, ...] = ()
    participations: tuple[Participation, ...] = ()
    #: (person, organization): who has a role, a custody or an account through this organization.
    members: frozenset[tuple[str, str]] = frozenset()
    #: Machines whose custodian may be concerned.
    machines: tuple[Machine, ...] = ()
    #: People whose personal account is activated at the gateway.
    activated: frozenset[str] = frozenset()
    policy: Policy = field(default_factory=Policy)

    def holders(self, office: Tier, organization: str) -> tuple[str, ...]:
        """The people in this office, each once, in the order of their appointment."""
        found = (
            one
            for one in sorted(self.appointments, key=lambda one: (one.since, one.person))
            if one.office is office and one.organization == organization and one.in_force(self.at)
        )
        return tuple(dict.fromkeys(one.person for one in found))

    def offices(self, person: str) -> frozenset[tuple[Tier, str]]:
        """What the person holds anywhere, as (office, organization)."""
        return frozenset(
            (one.office, one.organization)
            for one in self.appointments
            if one.person == person and one.in_force(self.at)
        )

    def belongs(self, person: str, organization: str) -> bool:
        """Whether the person holds anything at this organization."""
        held = (at for _, at in self.offices(person))
        return (person, organization) in self.members or organization in held

    def organizations(self, person: str) -> frozenset[str]:
        """Where the person holds anything."""
        return frozenset(at for _, at in self.offices(person)) | {
            at for member, at in self.members if member == person
        }

    def states(self, organization: str, kinds: Iterable[str] = ()) -> frozenset[ParticipationState]:
        """The states of the participations of these kinds; of all, if none is named."""
        wanted = frozenset(kinds)
        return frozenset(
            one.state
            for one in self.participations
            if one.organization == organization and (not wanted or one.kind in wanted)
        )
