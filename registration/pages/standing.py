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

    @property
    def members(self) -> frozenset[str]:
        """The Person IDs of those who belong to the organization."""
        here = self.here.organization_id
        return frozenset(person for person, at in self.facts.members if at == here)

    def may(self, action: Action) -> bool:
        """Whether the menu of the organization shows this to him; each act is decided again."""
        return action in offered(self.actor, self.here.organization_id, self.facts)

    def may_to(self, action: Action, person_id: str) -> bool:
        """Whether he may do this here, to this person."""
        target = Target(self.here.organization_id, person_id)
        return isinstance(may(self.actor, action, target, self.facts), Allowed)

    def require(self, action: Action, person_id: str = "") -> None:
        """Raises NotHere or NotAllowed if he may not do this here, to this person."""
        answer = may(self.actor, action, Target(self.here.organization_id, person_id), self.facts)
        if isinstance(answer, Refused):
            if answer.reason is Reason.NOT_YOURS:
                raise NotHere
            raise NotAllowed(answer, self.here)


def actor() -> Actor:
    """Who asks."""
    return Actor(current.person().person_id, is_operator=current.is_operator())


def own_facts() -> Facts:
    """What is so about the person who asks, everywhere."""
    if "own_facts" not in g:
        g.own_facts = facts_of_person(current.work(), current.person())
    found: Facts = g.own_facts
    return found


def at(
    organization_id: str, action: Action = Action.SEE_ORGANIZATION, *, person_id: str = ""
) -> Standing:
    """The standing of the person who asks at this organization, with the facts about another person
    too. Raises NotHere or NotAllowed if he may not do this there."""
    here = organization(current.work(), organization_id)
    if here is None:
        raise NotHere
    people = {actor().person, person_id} - {""}
    found = Standing(actor(), here, facts_of(current.work(), here, *people))
    found.require(action, person_id)
    return found


def at_person(organization_id: str, person_id: str, action: Action) -> tuple[Standing, Person]:
    """The standing of the person who asks at this organization, and the person to whom he wants to
    do this. Raises NotHere, also for a person of whom he may not know here, or NotAllowed."""
    here = at(organization_id, person_id=person_id)
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    for one in (Action.SEE_PERSON, action):
        here.require(one, person_id)
    return here, found[0]


def refusal_of(one: Standing, action: Action) -> Refused:
    """Why the menu does not offer this, and who can do it."""
    target = Target(one.here.organization_id)
    return Refused(Reason.TIER, who_can(action, target, one.facts, but=one.actor.person))
