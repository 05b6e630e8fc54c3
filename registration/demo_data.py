"""The invented people, organizations and machines of the demonstration, from ``data/demo.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from registration.catalogue import text_of
from registration.delegation_facts import Tier


@dataclass(frozen=True)
class DemoSection:
    """A desk, and the contact roles that it holds (codes)."""

    phone: str
    email: str
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoOrganization:
    """An organization and its participations (codes of markets)."""

    name: str
    approved: tuple[str, ...]
    applied: tuple[str, ...] = ()
    sections: Mapping[str, DemoSection] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoPlace:
    """What a person holds at one organization. Days count from the day of the demonstration."""

    offices: tuple[Tier, ...] = ()
    access: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    from_days: int = -400
    until_days: int | None = None


@dataclass(frozen=True)
class DemoPerson:
    """A person, by organization what he holds there."""

    first_name: str
    last_name: str
    position: str
    email: str
    phone: str
    middle_name: str = ""
    preferred_name: str = ""
    language: str = "en"
    is_operator: bool = False
    at: Mapping[str, DemoPlace] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoMachine:
    """A machine account, with the label of each of its networks."""

    organization: str
    custodian: str
    access: tuple[str, ...]
    networks: Mapping[str, str]


@dataclass(frozen=True)
class DemoData:
    """All of it: organizations by Organization ID, people by Person ID, machines by user name."""

    organizations: Mapping[str, DemoOrganization]
    people: Mapping[str, DemoPerson]
    machines: Mapping[str, DemoMachine]


def packaged() -> DemoData:
    """The demonstration of the package."""
    data = yaml.safe_load(text_of("demo"))
    return DemoData(
        {number: _organization(entry) for number, entry in data["organizations"].items()},
        {number: _person(entry) for number, entry in data["people"].items()},
        {name: DemoMachine(**_tuples(entry)) for name, entry in data["machines"].items()},
    )


def _organization(entry: Mapping[str, Any]) -> DemoOrganization:
    sections = {
        name: DemoSection(**_tuples(one)) for name, one in entry.get("sections", {}).items()
    }
    return DemoOrganization(**{**_tuples(entry), "sections": sections})


def _person(entry: Mapping[str, Any]) -> DemoPerson:
    return DemoPerson(**{**entry, "at": {n: _place(one) for n, one in entry.get("at", {}).items()}})


def _place(entry: Mapping[str, Any]) -> DemoPlace:
    offices = tuple(Tier(one) for one in entry.get("offices", ()))
    return DemoPlace(**{**_tuples(entry), "offices": offices})


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
