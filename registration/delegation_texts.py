"""The sentences of refusals and of the people who can help, in English. Pages translate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from registration.delegation import Refused, WhoCan
from registration.delegation_facts import Tier
from registration.delegation_rules import Reason
from service_base.phrases import N_

Key = TypeVar("Key", bound=StrEnum)
Translate = Callable[[str], str]


def complete(kind: Iterable[Key], texts: Mapping[Key, str]) -> Mapping[Key, str]:
    """The table, if it has a text for each member. Raises TypeError otherwise, at import."""
    if forgotten := set(kind) - set(texts):
        raise TypeError(f"no text for {', '.join(sorted(forgotten))}")
    return texts


REASONS = complete(
    Reason,
    {
        Reason.NOT_YOURS: N_("There is nothing here that you can manage."),
        Reason.TIER: N_("Your role does not include this."),
        Reason.FIRST_AR: N_(
            "This organization has no Authorized Representative. The IESO appoints the first one "
            "when it receives a signed letter."
        ),
        Reason.AR_IN_OFFICE: N_(
            "This organization has an Authorized Representative, who appoints the others."
        ),
        Reason.LETTER_MISSING: N_("Enter the reference of the signed letter."),
        Reason.ONESELF: N_("You cannot appoint yourself."),
        Reason.NOT_APPLIED: N_(
            "This organization has not applied for a participation, so its people cannot be "
            "registered yet."
        ),
        Reason.NOT_APPROVED: N_(
            "This role belongs to a participation that is not approved for this organization."
        ),
        Reason.WRONG_KIND: N_(
            "This access role is for another kind of account: machines and persons have their own "
            "roles."
        ),
        Reason.IS_OFFICE: N_("This role is given by appointment, not as a contact role."),
        Reason.HOLDS_OFFICE: N_("This person holds an appointment, which must be ended first."),
        Reason.IS_CUSTODIAN: N_(
            "This person is the custodian of a machine account. Hand it over or stop it first."
        ),
        Reason.NEEDED_ELSEWHERE: N_("This account is needed at another organization."),
        Reason.ACTIVATED: N_(
            "This account is activated. Only its holder can change the e-mail address."
        ),
    },
)

TIERS = complete(
    Tier,
    {
        Tier.IESO: N_("IESO Customer Relations"),
        Tier.AR: N_("Authorized Representative"),
        Tier.PC: N_("Primary Contact"),
        Tier.RA: N_("Rights Administrator"),
        Tier.APPREP: N_("Applicant Representative"),
        Tier.HOLDER: N_("Account holder"),
    },
)

_OF_ORGANIZATION = N_("{tier} of {organization}: {people}")
_OF_VACANT = N_(
    "{tier} of {organization}: {people}. The role of {vacant} is vacant and must be filled first."
)
_IESO_FIRST = N_("{tier}. The role of {vacant} is vacant and must be filled first.")


def sentence(reason: Reason, translate: Translate = str) -> str:
    """Why it is refused."""
    return translate(REASONS[reason])


def next_steps(
    refused: Refused,
    organization: str,
    people: Mapping[str, str],
    translate: Translate = str,
) -> tuple[str, ...]:
    """Who can do it, a line each. ``people`` has the name and telephone of each Person ID that
    ``refused`` names."""
    return tuple(_line(one, organization, people, translate) for one in refused.who_can)


def _line(one: WhoCan, organization: str, people: Mapping[str, str], translate: Translate) -> str:
    tier = translate(TIERS[one.tier])
    vacant = translate(TIERS[one.vacant]) if one.vacant else ""
    if one.tier is Tier.IESO:
        return translate(_IESO_FIRST).format(tier=tier, vacant=vacant) if vacant else tier
    template = _OF_VACANT if vacant else _OF_ORGANIZATION
    return translate(template).format(
        tier=tier,
        organization=organization,
        people="; ".join(people[person] for person in one.people),
        vacant=vacant,
    )
