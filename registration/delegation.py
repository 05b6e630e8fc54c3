"""Who may do what: the trust model as a calculation (manual sections 3 and 5, TM-01 to TM-16).

``may`` is asked by every page, command and programme interface before a change, and by the lists
that decide what is shown (``visible``, ``offered``). ``delegation_rules.RULES`` is the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from registration.delegation_facts import OFFICES, Actor, Facts, Target, Tier
from registration.delegation_rules import (
    RULES,
    Action,
    Reason,
    appointers,
    ends_office,
    offices_at,
    tiers_of,
)


@dataclass(frozen=True)
class WhoCan:
    """People who can do it: of this tier, at this organization."""

    tier: Tier
    organization: str
    #: Person IDs. None for the IESO, which is reached through Customer Relations.
    people: tuple[str, ...] = ()
    #: The office that must be filled first, because nobody holds it.
    vacant: Tier | None = None


@dataclass(frozen=True)
class Allowed:
    """Yes. ``on_oneself``: the actor is the person concerned, which the history marks (AR-10)."""

    on_oneself: bool = False


@dataclass(frozen=True)
class Refused:
    """No, and who can. ``who_can`` is empty if the actor must not learn that the target exists, or
    if nobody can before something else has changed."""

    reason: Reason
    who_can: tuple[WhoCan, ...] = ()


def may(actor: Actor, action: Action, target: Target, facts: Facts) -> Allowed | Refused:
    """Whether the actor may do this to the target.

    Raises ValueError if the target lacks what the action needs: the caller is wrong, and no answer
    is given."""
    rule = RULES[action]
    rule.require(target)
    if not tiers_of(actor, target, facts) & rule.entitled(target, facts):
        return _no_tier(actor, action, target, facts)
    for check in rule.checks:
        if reason := check(actor, target, facts):
            return Refused(reason, _who_helps(reason, actor, action, target, facts))
    return Allowed(on_oneself=bool(target.person) and target.person == actor.person)


def visible(
    actor: Actor, action: Action, targets: Iterable[Target], facts: Facts
) -> tuple[Target, ...]:
    """Those targets to which the actor may do this, in their order. Lists show nothing else."""
    return tuple(one for one in targets if isinstance(may(actor, action, one, facts), Allowed))


def who_can(action: Action, target: Target, facts: Facts, but: str = "") -> tuple[WhoCan, ...]:
    """The people who may, apart from ``but``. Where nobody is in office, those who can fill it."""
    organization = target.organization
    tiers = RULES[action].entitled(target, facts)
    found = _in_office(tiers, organization, facts, but)
    if Tier.HOLDER in tiers and target.person not in ("", but):
        found += (WhoCan(Tier.HOLDER, organization, (target.person,)),)
    if Tier.IESO in tiers:
        found += (WhoCan(Tier.IESO, organization),)
    lowest = next((tier for tier in reversed(OFFICES) if tier in tiers), None)
    if found or lowest is None:
        return found
    return _who_fills(lowest, organization, facts, but)


def leaves_vacant(target: Target, facts: Facts) -> bool:
    """Whether ending this appointment leaves nobody in the office (TM-03, TM-05, TM-06)."""
    if target.office is None:
        raise ValueError("an office is needed")
    return not set(facts.holders(target.office, target.organization)) - {target.person}


def who_fills(office: Tier, organization: str, facts: Facts) -> tuple[WhoCan, ...]:
    """Who is asked to fill a vacant office: the tier above, or the one above that if it is vacant
    too, or the IESO (NT-11)."""
    return _who_fills(office, organization, facts, "")


def appointable(actor: Actor, organization: str, facts: Facts) -> tuple[Tier, ...]:
    """The offices that the actor may fill at this organization, from the top."""
    held = tiers_of(actor, Target(organization), facts)
    return tuple(office for office in OFFICES if held & appointers(office, organization, facts))


def offered(actor: Actor, organization: str, facts: Facts) -> frozenset[Action]:
    """What the menu of this organization shows the actor (RG-11). ``may`` decides each act."""
    held = tiers_of(actor, Target(organization), facts)
    by_office = (Action.APPOINT, Action.END_APPOINTMENT)
    found = {
        action
        for action in Action
        if action not in by_office and held & RULES[action].entitled(Target(organization), facts)
    }
    return frozenset(found | (set(by_office) if appointable(actor, organization, facts) else set()))


def _in_office(
    tiers: frozenset[Tier], organization: str, facts: Facts, but: str, vacant: Tier | None = None
) -> tuple[WhoCan, ...]:
    """Those of these tiers that somebody other than ``but`` holds, from the top."""
    held = (
        (tier, tuple(one for one in facts.holders(tier, organization) if one != but))
        for tier in OFFICES
        if tier in tiers
    )
    return tuple(WhoCan(tier, organization, people, vacant) for tier, people in held if people)


def _who_fills(office: Tier, organization: str, facts: Facts, but: str) -> tuple[WhoCan, ...]:
    above = appointers(office, organization, facts) - {office}
    if found := _in_office(above, organization, facts, but, vacant=office):
        return found
    lowest = next((tier for tier in reversed(OFFICES) if tier in above), None)
    if lowest is None:
        return (WhoCan(Tier.IESO, organization, vacant=office),)
    return _who_fills(lowest, organization, facts, but)


def _no_tier(actor: Actor, action: Action, target: Target, facts: Facts) -> Refused:
    """The refusal of somebody whose tier may not. Outsiders learn nothing."""
    concerns_something = RULES[action].at_organization or RULES[action].needs
    belongs = actor.is_operator or facts.belongs(actor.person, target.organization)
    if concerns_something and not belongs:
        return Refused(Reason.NOT_YOURS)
    reason = Reason.TIER
    if action is Action.APPOINT and target.office is Tier.AR:
        held = facts.holders(Tier.AR, target.organization)
        reason = Reason.FIRST_AR if not held else reason
        reason = Reason.AR_IN_OFFICE if held and actor.is_operator else reason
    return Refused(reason, who_can(action, target, facts, but=actor.person))


def _who_helps(
    reason: Reason, actor: Actor, action: Action, target: Target, facts: Facts
) -> tuple[WhoCan, ...]:
    """Who can change what stands in the way."""
    match reason:
        case Reason.ONESELF:
            return who_can(action, target, facts, but=actor.person)
        case Reason.NOT_APPLIED | Reason.NOT_APPROVED:
            return who_can(Action.APPLY_FOR_PARTICIPATION, target, facts)
        case Reason.IS_OFFICE:
            office = target.role.office if target.role else None
            return who_can(Action.APPOINT, replace(target, office=office), facts)
        case Reason.HOLDS_OFFICE:
            office = _office_in_the_way(actor, action, target, facts)
            return who_can(Action.END_APPOINTMENT, replace(target, office=office), facts)
        case Reason.IS_CUSTODIAN:
            return who_can(Action.HAND_OVER_MACHINE, target, facts)
        case Reason.ACTIVATED:
            return who_can(Action.UPDATE_PERSON, target, facts)
        case Reason.NEEDED_ELSEWHERE:
            return (WhoCan(Tier.IESO, target.organization),)
        case _:
            return ()


def _office_in_the_way(actor: Actor, action: Action, target: Target, facts: Facts) -> Tier:
    """The highest office that must be ended first: of a leaver, one that the actor cannot end."""
    held = offices_at(target.person, target.organization, facts)
    if action is not Action.RECORD_LEAVER:
        return held[0]
    return next(one for one in held if not ends_office(actor, target, one, facts))
