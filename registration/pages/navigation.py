"""The navigation beside every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask_babel import gettext

from registration import current, own_lists
from registration.delegation import Allowed, may
from registration.delegation_facts import Target
from registration.delegation_rules import Action
from registration.models import Organization
from registration.pages import standing


@dataclass(frozen=True)
class Place:
    """A link."""

    text: str
    url: str
    icon: str

    @property
    def is_current(self) -> bool:
        """Whether the page of this request is this place or lies below it."""
        return request.path == self.url or (self.url != "/" and request.path.startswith(self.url))


@dataclass(frozen=True)
class Group:
    """Places under a heading."""

    heading: str
    places: tuple[Place, ...]


def navigation() -> list[Group]:
    """What the person may open."""
    own: tuple[Place, ...] = (
        Place(gettext("Home"), url_for("pages.home"), "home"),
        Place(gettext("Manage My Information"), url_for("pages.my_information"), "person"),
    )
    seen = [one for one in own_organizations() if sees(one)]
    if current.is_operator():
        own += (Place(gettext("Organizations"), url_for("pages.organizations"), "building"),)
        seen += [one for one in _open_organization() if one not in seen]
    return [Group("", own), *(Group(one.name, _places(one)) for one in seen)]


def _open_organization() -> list[Organization]:
    """That of the address. An operator may open every organization, and sees its places there."""
    number = (request.view_args or {}).get("organization_id")
    return own_lists.organizations(current.work(), [number]) if number else []


def own_organizations() -> list[Organization]:
    """The organizations to which the person belongs, by name."""
    ids = standing.own_facts().organizations(standing.actor().person)
    return own_lists.organizations(current.work(), ids)


def sees(here: Organization) -> bool:
    """Whether the person has an office there that shows him the organization."""
    target = Target(here.organization_id)
    answer = may(standing.actor(), Action.SEE_ORGANIZATION, target, standing.own_facts())
    return isinstance(answer, Allowed)


def _places(here: Organization) -> tuple[Place, ...]:
    values: dict[str, Any] = {"organization_id": here.organization_id}
    update = url_for("pages.update_organization", **values)
    return (
        Place(gettext("People and roles"), url_for("pages.roles", **values), "groups"),
        Place(gettext("Persons"), url_for("pages.find_person", **values), "person"),
        Place(gettext("Machines"), url_for("pages.machines", **values), "program"),
        Place(gettext("Contact roles"), url_for("pages.contact_roles", **values), "phone"),
        Place(gettext("Participations"), url_for("pages.participations", **values), "report"),
        Place(gettext("Representatives"), url_for("pages.representatives", **values), "people"),
        Place(gettext("Update Organization"), update, "check"),
        Place(gettext("History"), url_for("pages.history", **values), "log"),
    )
