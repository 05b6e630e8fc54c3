"""The table of delegation: for each action who is entitled, and what must hold besides.

The order of the checks in a row is the order in which they are made. ``delegation.may`` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from registration.delegation_facts import (
    OFFICES,
    AccountKind,
    Actor,
    Facts,
    ParticipationState,
    Target,
    Tier,
)


class Action(StrEnum):
    """What somebody can ask to do."""

    APPOINT = "appoint"
    END_APPOINTMENT = "end_appointment"
    GRANT_ACCESS = "grant_access"
    REVOKE_ACCESS = "revoke_access"
    ASSIGN_CONTACT_ROLE = "assign_contact_role"
    REMOVE_CONTACT_ROLE = "remove_contact_role"
    KEEP_SECTIONS = "keep_sections"
    SEARCH_PERSONS = "search_persons"
    REGISTER_PERSON = "register_person"
    UPDATE_PERSON = "update_person"
    CORRECT_EMAIL = "correct_email"
    END_ACCOUNT = "end_account"
    RECORD_LEAVER = "record_leaver"
    REGISTER_MACHINE = "register_machine"
    CHANGE_NETWORKS = "change_networks"
    HAND_OVER_MACHINE = "hand_over_machine"
    STOP_MACHINE = "stop_machine"
    REQUEST_ACCESS = "request_access"
    REGISTER_ORGANIZATION = "register_organization"
    APPLY_FOR_PARTICIPATION = "apply_for_participation"
    DECIDE_PARTICIPATION = "decide_participation"
    SEE_ORGANIZATION = "see_organization"
    SEE_PERSON = "see_person"
    SEE_MACHINE = "see_machine"
    SEE_HISTORY = "see_history"


class Reason(StrEnum):
    """Why the answer is no."""

    #: To the actor this organization, person or machine does not exist.
    NOT_YOURS = "not_yours"
    TIER = "tier"
    FIRST_AR = "first_ar"
    AR_IN_OFFICE = "ar_in_office"
    LETTER_MISSING = "letter_missing"
    ONESELF = "oneself"
    NOT_APPLIED = "not_applied"
    NOT_APPROVED = "not_approved"
    WRONG_KIND = "wrong_kind"
    IS_OFFICE = "is_office"
    HOLDS_OFFICE = "holds_office"
    IS_CUSTODIAN = "is_custodian"
    NEEDED_ELSEWHERE = "needed_elsewhere"
    ACTIVATED = "activated"


Check = Callable[[Actor, Target, Facts], Reason | None]
Entitled = Callable[[Target, Facts], frozenset[Tier]]


@dataclass(frozen=True)
class Rule:
    """Which tiers may, which fields of the target are read, and what must hold besides."""

    entitled: Entitled
    #: Names of fields; "person or machine" is one of both.
    needs: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    #: False: the answer is the same at every organization, and none is named.
    at_organization: bool = True

    def require(self, target: Target) -> None:
        """Raise ValueError if the target lacks a field that the rule reads."""
        needs = (*self.needs, "organization") if self.at_organization else self.needs
        for need in needs:
            if not any(getattr(target, name) for name in need.split(" or ")):
                raise ValueError(f"the target has no {need}")


def tiers_of(actor: Actor, target: Target, facts: Facts) -> frozenset[Tier]:
    """Where the actor stands towards the target."""
    held = {tier for tier, at in facts.offices(actor.person) if at == target.organization}
    custodian = target.machine.custodian if target.machine else ""
    if actor.person and actor.person in (target.person, custodian):
        held.add(Tier.HOLDER)
    if actor.is_operator:
        held.add(Tier.IESO)
    return frozenset(held)


def appointers(office: Tier, organization: str, facts: Facts) -> frozenset[Tier]:
    """Who fills this office (TM-01). The first AR is the IESO's to appoint (TM-02, TM-03)."""
    if office is Tier.AR:
        return frozenset((Tier.AR if facts.holders(Tier.AR, organization) else Tier.IESO,))
    return {
        Tier.PC: frozenset((Tier.AR, Tier.PC)),
        Tier.RA: frozenset((Tier.PC,)),
        Tier.APPREP: facts.policy.appoint_apprep,
    }[office]


def offices_at(person: str, organization: str, facts: Facts) -> tuple[Tier, ...]:
    """The offices of the person at this organization, from the top."""
    return tuple(one for one in OFFICES if (one, organization) in facts.offices(person))


def _only(*tiers: Tier) -> Entitled:
    """The same tiers whatever the target."""
    entitled = frozenset(tiers)
    return lambda _target, _facts: entitled


def _appoint(target: Target, facts: Facts) -> frozenset[Tier]:
    return appointers(target.office, target.organization, facts) if target.office else frozenset()


def _end_appointment(target: Target, facts: Facts) -> frozenset[Tier]:
    """Who appoints also ends. The IESO can end an AR, by letter: he may be the only one (TM-03)."""
    return _appoint(target, facts) | ({Tier.IESO} if target.office is Tier.AR else set())


def _grant(_target: Target, facts: Facts) -> frozenset[Tier]:
    """Z-10."""
    return frozenset((Tier.RA, Tier.APPREP) if facts.policy.apprep_grants_access else (Tier.RA,))


def _keep_contacts(_target: Target, facts: Facts) -> frozenset[Tier]:
    return frozenset((Tier.APPREP, Tier.RA) if facts.policy.ra_keeps_contacts else (Tier.APPREP,))


def _or_pc_of_ra(entitled: Entitled) -> Entitled:
    """A PC takes everything from an RA whom he ends (TM-14, J.01)."""

    def widened(target: Target, facts: Facts) -> frozenset[Tier]:
        is_ra = target.person in facts.holders(Tier.RA, target.organization)
        return entitled(target, facts) | ({Tier.PC} if is_ra else set())

    return widened


def _correct_email(target: Target, facts: Facts) -> frozenset[Tier]:
    """Z-24. The recipient of an officer's activation mail becomes that officer, so only those who
    can appoint officers of that kind may correct the address."""
    entitled = frozenset((Tier.RA,))
    if held := offices_at(target.person, target.organization, facts):
        entitled = appointers(held[0], target.organization, facts)
        for office in held[1:]:
            entitled &= appointers(office, target.organization, facts)
    return entitled | {Tier.IESO}


def _applied(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """TM-08."""
    alive = {ParticipationState.APPLIED, ParticipationState.APPROVED}
    return None if facts.states(target.organization) & alive else Reason.NOT_APPLIED


def _approved(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """TM-07, RG-13: the role belongs to a participation that is approved."""
    kinds = target.role.participations if target.role else frozenset()
    approved = ParticipationState.APPROVED in facts.states(target.organization, kinds)
    return None if approved else Reason.NOT_APPROVED


def _other_person(actor: Actor, target: Target, _facts: Facts) -> Reason | None:
    """Nobody appoints himself."""
    return Reason.ONESELF if actor.person == target.person else None


def _letter(actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """TM-02, TM-03: the IESO acts on an AR by a letter, and records its reference."""
    is_ar = actor.person in facts.holders(Tier.AR, target.organization)
    by_ieso = target.office is Tier.AR and not is_ar
    return Reason.LETTER_MISSING if by_ieso and not target.letter.strip() else None


def _kind(_actor: Actor, target: Target, _facts: Facts) -> Reason | None:
    """AR-03, MA-04: machine roles are for machines only."""
    kind = AccountKind.MACHINE if target.machine else AccountKind.PERSON
    return Reason.WRONG_KIND if target.role and target.role.kind is not kind else None


def _machine_here(_actor: Actor, target: Target, _facts: Facts) -> Reason | None:
    """MA-01: a machine of another organization does not exist here."""
    elsewhere = target.machine and target.machine.organization != target.organization
    return Reason.NOT_YOURS if elsewhere else None


def _no_office(_actor: Actor, target: Target, _facts: Facts) -> Reason | None:
    """CO-08 lists the offices among the contact roles. They are given by appointment."""
    return Reason.IS_OFFICE if target.role and target.role.office else None


def _member(actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """The person holds something at this organization."""
    known = actor.is_operator or facts.belongs(target.person, target.organization)
    return None if known else Reason.NOT_YOURS


def _belongs(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """As a member, an operator of the IESO too: nobody asks for access where he has nothing."""
    belongs = facts.belongs(target.person, target.organization)
    return None if belongs else Reason.NOT_YOURS


def _oneself_or_member(actor: Actor, target: Target, facts: Facts) -> Reason | None:
    return None if actor.person == target.person else _member(actor, target, facts)


def _not_activated(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """Z-24: after activation the person changes his own address."""
    return Reason.ACTIVATED if target.person in facts.activated else None


def ends_office(actor: Actor, target: Target, office: Tier, facts: Facts) -> bool:
    """Whether the actor may end the appointment of the target to this office."""
    entitled = _end_appointment(replace(target, office=office), facts)
    return bool(tiers_of(actor, target, facts) & entitled)


def _ends_offices(actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """A leaver's appointments end by those who may end each of them."""
    held = offices_at(target.person, target.organization, facts)
    may_all = all(ends_office(actor, target, one, facts) for one in held)
    return None if may_all else Reason.HOLDS_OFFICE


def _no_office_held(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    held = offices_at(target.person, target.organization, facts)
    return Reason.HOLDS_OFFICE if held else None


def _no_custody(_actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """A machine always has a custodian."""
    here = (one for one in facts.machines if one.organization == target.organization)
    has = any(one.custodian == target.person for one in here)
    return Reason.IS_CUSTODIAN if has else None


def _nowhere_else(actor: Actor, target: Target, facts: Facts) -> Reason | None:
    """PR-05, Z-18."""
    elsewhere = facts.organizations(target.person) - {target.organization}
    return Reason.NEEDED_ELSEWHERE if elsewhere and not actor.is_operator else None


_IESO, _AR, _PC, _RA, _APPREP, _HOLDER = Tier

RULES: Mapping[Action, Rule] = {
    Action.APPOINT: Rule(_appoint, ("person", "office"), (_other_person, _letter, _applied)),
    Action.END_APPOINTMENT: Rule(_end_appointment, ("person", "office"), (_letter,)),
    Action.GRANT_ACCESS: Rule(
        _grant, ("role", "person or machine"), (_machine_here, _kind, _approved)
    ),
    Action.REVOKE_ACCESS: Rule(
        _or_pc_of_ra(_grant), ("role", "person or machine"), (_machine_here,)
    ),
    Action.ASSIGN_CONTACT_ROLE: Rule(_keep_contacts, ("role",), (_no_office, _approved)),
    Action.REMOVE_CONTACT_ROLE: Rule(_or_pc_of_ra(_keep_contacts), ("role",), (_no_office,)),
    Action.KEEP_SECTIONS: Rule(_keep_contacts, (), (_applied,)),
    Action.SEARCH_PERSONS: Rule(_only(_IESO, _AR, _PC, _RA, _APPREP)),
    Action.REGISTER_PERSON: Rule(_only(_IESO, _AR, _PC, _RA, _APPREP), (), (_applied,)),
    Action.UPDATE_PERSON: Rule(_only(_IESO, _HOLDER), ("person",), at_organization=False),
    Action.CORRECT_EMAIL: Rule(
        _correct_email, ("person",), (_member, _nowhere_else, _not_activated)
    ),
    Action.END_ACCOUNT: Rule(
        _only(_PC, _RA, _APPREP),
        ("person",),
        (_member, _no_office_held, _no_custody, _nowhere_else),
    ),
    Action.RECORD_LEAVER: Rule(_only(_AR, _PC, _RA), ("person",), (_member, _ends_offices)),
    Action.REGISTER_MACHINE: Rule(_only(_RA), ("person",), (_applied,)),
    Action.CHANGE_NETWORKS: Rule(_only(_RA), ("machine",), (_machine_here,)),
    Action.HAND_OVER_MACHINE: Rule(_only(_RA), ("machine", "person"), (_machine_here,)),
    Action.STOP_MACHINE: Rule(_only(_RA), ("machine",), (_machine_here,)),
    Action.REQUEST_ACCESS: Rule(_only(_HOLDER), ("person",), (_belongs,)),
    Action.REGISTER_ORGANIZATION: Rule(_only(_IESO), at_organization=False),
    Action.APPLY_FOR_PARTICIPATION: Rule(_only(_IESO, _APPREP)),
    Action.DECIDE_PARTICIPATION: Rule(_only(_IESO)),
    Action.SEE_ORGANIZATION: Rule(_only(_IESO, _AR, _PC, _RA, _APPREP)),
    Action.SEE_PERSON: Rule(
        _only(_IESO, _AR, _PC, _RA, _APPREP, _HOLDER), ("person",), (_oneself_or_member,)
    ),
    Action.SEE_MACHINE: Rule(_only(_IESO, _AR, _PC, _RA, _HOLDER), ("machine",), (_machine_here,)),
    Action.SEE_HISTORY: Rule(_only(_IESO, _AR, _PC, _RA, _APPREP)),
}

if forgotten := set(Action) - set(RULES):
    raise TypeError(f"no rule for {', '.join(sorted(forgotten))}")
