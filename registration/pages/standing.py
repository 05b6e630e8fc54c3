"""Who asks, and what he may see: one place for all pages.

What somebody may not manage is not there for him: the page of another organization is a 404. What
his own organization has but his role does not include is a 403 that says who can.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import g

from registration import current, own_lists
from registration.delegation import Allowed, Refused, may, offered, who_can
from registration.delegation_facts import Actor, Facts, Target
from registration.delegation_rules import Action, Reason
from registration.models import Organization, Person
from registration.organization_facts import facts_of, facts_of_person, organization


class NotHere(Exception):
    """To the person who asks, this does not exist."""


class NotAllowed(Exception):
    """Delegation refuses, and says who can."""

    def __init__(self, refused: Refused, here: Organization) -> None:
        super().__init__(refused.reason)
        self.refused, self.here = refused, here


@dataclass(frozen=True)
class Standing:
    """The person who asks, at one organization."""

    actor: Actor
    here: Organization
    facts: Facts

    def may(self, action: Action) -> bool:
        """Whether the menu of the organization shows this to him; each act is decided again."""
        return action in offered(self.actor, self.here.organization_id, self.facts)


def actor() -> Actor:
    """Who asks."""
    return Actor(current.person().person_id, is_operator=current.is_operator())


def own_facts() -> Facts:
    """What is so about the person who asks, everywhere."""
    if "own_facts" not in g:
        g.own_facts = facts_of_person(current.work(), current.person())
    found: Facts = g.own_facts
    return found


def at(organization_id: str, action: Action = Action.SEE_ORGANIZATION) -> Standing:
    """The standing of the person who asks at this organization. Raises NotHere or NotAllowed if he
    may not do this there."""
    here = organization(current.work(), organization_id)
    if here is None:
        raise NotHere
    facts = facts_of(current.work(), here, actor().person)
    answer = may(actor(), action, Target(organization_id), facts)
    if isinstance(answer, Allowed):
        return Standing(actor(), here, facts)
    if answer.reason is Reason.NOT_YOURS:
        raise NotHere
    raise NotAllowed(answer, here)


def at_person(organization_id: str, person_id: str, action: Action) -> tuple[Standing, Person]:
    """The standing of the person who asks at this organization, and the person to whom he wants to
    do this. Raises NotHere, also for a person of whom he may not know here, or NotAllowed."""
    here = at(organization_id)
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    facts = facts_of(current.work(), here.here, here.actor.person, person_id)
    target = Target(organization_id, person_id)
    for one in (Action.SEE_PERSON, action):
        answer = may(here.actor, one, target, facts)
        if isinstance(answer, Refused):
            if answer.reason is Reason.NOT_YOURS:
                raise NotHere
            raise NotAllowed(answer, here.here)
    return here, found[0]


def refusal_of(one: Standing, action: Action) -> Refused:
    """Why the menu does not offer this, and who can do it."""
    target = Target(one.here.organization_id)
    return Refused(Reason.TIER, who_can(action, target, one.facts, but=one.actor.person))
