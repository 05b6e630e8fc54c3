"""The catalogue in the package: markets, contact roles and access roles, read and checked.

``read`` refuses a file with faults and names all of them: an unknown field, a text where a number
belongs, a market or a role that does not exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from typing import Any, ClassVar, TypeVar

import yaml

from registration.contact_rules import ContactKind, ContactRule
from registration.delegation_facts import OFFICES, AccountKind, Role, Tier

HELD_BY = {
    "person": frozenset((ContactKind.PERSON,)),
    "section": frozenset((ContactKind.SECTION,)),
    "both": frozenset(ContactKind),
}
Row = TypeVar("Row", "Market", "ContactRole", "AccessRole")


class CatalogueInvalid(Exception):
    """The file has these faults."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Market:
    """What an organization can take part in (RG-12)."""

    KINDS: ClassVar = ("market", "program", "service_provider")

    code: str
    kind: str
    name: str
    name_fr: str


@dataclass(frozen=True)
class ContactRole:
    """A contact role (CO-08)."""

    code: str
    name: str
    name_fr: str
    description: str
    description_fr: str
    held_by: str = "person"
    minimum: int = 0
    maximum: int | None = None
    exclusive_with: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    role_groups: tuple[str, ...] = ()
    office: str | None = None
    guessed: bool = False

    @property
    def rule(self) -> ContactRule:
        """Its limits."""
        kinds, excludes = HELD_BY[self.held_by], frozenset(self.exclusive_with)
        return ContactRule(self.code, kinds, self.minimum, self.maximum, excludes)

    @property
    def role(self) -> Role:
        """What delegation asks about."""
        office = Tier(self.office) if self.office else None
        return Role(self.code, frozenset(self.markets), office=office)


@dataclass(frozen=True)
class AccessRole:
    """An access role under the heading of a market (AR-03, AR-12)."""

    code: str
    name: str
    name_fr: str
    market: str
    role_groups: tuple[str, ...]
    kind: str = "person"

    @property
    def role(self) -> Role:
        """What delegation asks about."""
        return Role(self.code, frozenset((self.market,)), AccountKind(self.kind))


@dataclass(frozen=True)
class Catalogue:
    """All of it, by code, in the order of the file."""

    markets: Mapping[str, Market]
    contact_roles: Mapping[str, ContactRole]
    access_roles: Mapping[str, AccessRole]


def packaged() -> Catalogue:
    """The catalogue of the package."""
    return read(text_of("catalogue"))


def text_of(name: str) -> str:
    """The text of a file of the package."""
    return (resources.files("registration") / "data" / f"{name}.yaml").read_text(encoding="utf-8")


def read(text: str) -> Catalogue:
    """The catalogue in a YAML text. Raises CatalogueInvalid with all faults."""
    faults: list[str] = []
    data = _mapping(yaml.safe_load(text), "the file", faults)
    if unknown := set(data) - {"markets", "contact_roles", "access_roles"}:
        faults.append(f"unknown sections: {', '.join(sorted(unknown))}")
    markets = _rows(Market, data.get("markets"), "markets", faults)
    contacts = _rows(ContactRole, data.get("contact_roles"), "contact_roles", faults)
    access: dict[str, AccessRole] = {}
    for market, roles in _mapping(data.get("access_roles"), "access_roles", faults).items():
        found = _rows(AccessRole, roles, f"access_roles.{market}", faults, market=market)
        faults += [f"{code} is there twice" for code in found if code in access]
        access |= found
    catalogue = Catalogue(markets, contacts, access)
    faults += _contradictions(catalogue)
    if faults:
        raise CatalogueInvalid(faults)
    return catalogue


def _mapping(value: Any, where: str, faults: list[str]) -> Mapping[str, Any]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    faults.append(f"{where} is not a mapping")
    return {}


def _rows(
    kind: type[Row], value: Any, where: str, faults: list[str], **more: str
) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for code, entry in _mapping(value, where, faults).items():
        given = {**_mapping(entry, f"{where}.{code}", faults), **more, "code": code}
        wrong = list(_wrong_fields(kind, given))
        faults += [f"{where}.{code}: {fault}" for fault in wrong]
        if not wrong:
            values: dict[str, Any] = {
                key: tuple(one) if isinstance(one, list) else one for key, one in given.items()
            }
            found[code] = kind(**values)
    return found


_TYPES = {
    "str": lambda value: isinstance(value, str) and bool(value.strip()),
    "int": lambda value: type(value) is int and value >= 0,
    "int | None": lambda value: type(value) is int and value > 0,
    "str | None": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": lambda value: (
        isinstance(value, list)
        and all(isinstance(one, str) for one in value)
        and max(Counter(value).values(), default=1) == 1
    ),
}


def _wrong_fields(kind: type[Row], given: Mapping[str, Any]) -> Iterator[str]:
    known = {field.name: field for field in fields(kind)}
    for name in sorted(set(given) - set(known)):
        yield f"unknown field {name}"
    for name, field in known.items():
        if name not in given:
            if field.default is MISSING:
                yield f"{name} is missing"
        elif not _TYPES[str(field.type)](given[name]):
            yield f"{name} cannot be {given[name]!r}"


def _contradictions(catalogue: Catalogue) -> Iterator[str]:
    for market in catalogue.markets.values():
        if market.kind not in Market.KINDS:
            yield f"{market.code}: no kind {market.kind}"
    for contact in catalogue.contact_roles.values():
        yield from _of_contact_role(contact, catalogue)
    for access in catalogue.access_roles.values():
        if access.market not in catalogue.markets:
            yield f"{access.code}: no market {access.market}"
        if access.kind not in list(AccountKind):
            yield f"{access.code}: no kind {access.kind}"
        if not access.role_groups:
            yield f"{access.code} opens nothing"


def _of_contact_role(contact: ContactRole, catalogue: Catalogue) -> Iterator[str]:
    if contact.held_by not in HELD_BY:
        yield f"{contact.code}: nobody is {contact.held_by}"
    if contact.office is not None and contact.office not in OFFICES:
        yield f"{contact.code}: no office {contact.office}"
    if contact.maximum is not None and contact.maximum < contact.minimum:
        yield f"{contact.code}: the maximum is below the minimum"
    for market in contact.markets:
        if market not in catalogue.markets:
            yield f"{contact.code}: no market {market}"
    for other in contact.exclusive_with:
        back = catalogue.contact_roles.get(other)
        if back is None or contact.code not in back.exclusive_with:
            yield f"{contact.code} excludes {other}, which does not exclude it"
