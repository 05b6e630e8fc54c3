"""The cleaned values of a pushed User.

A ``PushedUser`` is made once, from a resource that the protocol library has read. All its values
are clean and typed, so the modules after it do not check them again. The rules of the gateway
(names, networks, terms of a grant) are in its services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from scim2_models import InvalidValueException

from idp.directory.persons import PersonChanges
from idp.directory.provisioned_accounts import Push
from idp.directory.role_group_assignments import AssignmentTerms
from idp.models import AccountKind, Person
from idp.policy import phone_number as phones
from idp.policy.email_address import email_key
from registration_bridge.clean_values import clean, clean_request_number, clean_time
from registration_bridge.time_zones import iana_zone
from registration_bridge.user_schema import Registration

MAX_PERSON_ID = 40
LANGUAGES = ("en", "fr")


@dataclass(frozen=True)
class PushedName:
    """The parts of a name. Without a middle name, the push does not change it."""

    given_name: str
    family_name: str
    middle_name: str | None

    @property
    def key(self) -> str:
        """The same for the same name in any case."""
        return f"{self.given_name} {self.family_name}".casefold()


@dataclass(frozen=True)
class PushedHolder:
    """The person behind a User. None means that the push does not contain it."""

    person_id: str
    name: PushedName | None = None
    preferred_name: str | None = None
    email: str = ""
    phone: str | None = None

    @classmethod
    def of(cls, resource: Any, extension: Registration | None = None) -> PushedHolder:
        """Raises InvalidValueException."""
        name, numbers = resource.name, resource.phone_numbers
        return cls(
            person_id=_person_id(extension or extension_of(resource)),
            name=PushedName(
                clean(name.given_name),
                clean(name.family_name),
                None if name.middle_name is None else clean(name.middle_name),
            )
            if name is not None
            else None,
            preferred_name=clean(resource.nick_name) if resource.nick_name else None,
            email=_single(resource.emails, "e-mail address", email_key),
            phone=_phone(numbers) if numbers else None,
        )

    @classmethod
    def registered(cls, person: Person) -> PushedHolder:
        """The registered values of a person, in the form of a push."""
        extension = f" ext {person.phone_extension}" if person.phone_extension else ""
        return cls(
            person_id=person.person_id,
            name=PushedName(person.given_name, person.family_name, person.middle_name),
            preferred_name=person.preferred_name,
            email=person.email,
            phone=f"{person.phone}{extension}",
        )

    def completed(self, person: Person) -> PushedHolder:
        """With the registered values of the person where the push has none."""
        known = PushedHolder.registered(person)
        name = self.name or known.name
        if name is not None and name.middle_name is None:
            name = replace(name, middle_name=person.middle_name)
        return replace(
            self,
            name=name,
            preferred_name=known.preferred_name
            if self.preferred_name is None
            else self.preferred_name,
            email=self.email or known.email,
            phone=known.phone if self.phone is None else self.phone,
        )

    def changes(self) -> PersonChanges:
        """The changes by a whole User. Omitted values become empty, except the e-mail address."""
        name = self.name or PushedName("", "", "")
        return PersonChanges(
            given_name=name.given_name,
            middle_name=name.middle_name or "",
            family_name=name.family_name,
            preferred_name=self.preferred_name or "",
            email=self.email or None,
            phone=self.phone or "",
        )


@dataclass(frozen=True)
class PushedSecondAccount:
    """The reason of a second account, and the only participant for which it acts."""

    reason: str = ""
    participant_id: str = ""


@dataclass(frozen=True)
class PushedUser:
    """A whole User. Grants are terms by the name of the role group and the number of the
    participant, networks are pairs of a network and its label."""

    push: Push
    username: str
    holder: PushedHolder
    kind: AccountKind | None
    #: None if the push does not contain it.
    active: bool | None
    language: str
    time_zone: str
    end: datetime | None
    second_account: PushedSecondAccount | None
    networks: tuple[tuple[str, str], ...]
    grants: Mapping[tuple[str, str], AssignmentTerms]

    @classmethod
    def of(cls, resource: Any) -> PushedUser:
        """Raises InvalidValueException."""
        extension = extension_of(resource)
        second = extension.second_account
        return cls(
            push=Push(
                external_id=clean(resource.external_id) or None,
                request_number=clean_request_number(extension.request_number),
                sequence=extension.sequence,
            ),
            username=clean(resource.user_name),
            holder=PushedHolder.of(resource, extension),
            kind=_kind(extension.account_kind),
            active=resource.active,
            language=_language(resource.preferred_language),
            time_zone=iana_zone(clean(resource.timezone)),
            end=clean_time(extension.end_date),
            second_account=PushedSecondAccount(clean(second.reason), clean(second.participant_id))
            if second is not None
            else None,
            networks=tuple(
                (clean(entry.value), clean(entry.label))
                for entry in extension.registered_networks or ()
            ),
            grants=MappingProxyType(
                {
                    (clean(grant.role_group), clean(grant.participant_id)): AssignmentTerms(
                        clean_time(grant.valid_from),
                        clean_time(grant.valid_until),
                        clean(grant.granted_by),
                        clean_request_number(grant.request_number),
                    )
                    for grant in extension.grants or ()
                }
            ),
        )


def extension_of(resource: Any) -> Registration:
    """The gateway's extension of a User. Raises InvalidValueException."""
    found = resource[Registration]
    if found is None:
        raise InvalidValueException(detail="The registration extension is required.")
    return found  # type: ignore[no-any-return]


def person_id_of(resource: Any) -> str:
    """The Person ID that a User names. Raises InvalidValueException."""
    return _person_id(extension_of(resource))


def _person_id(extension: Registration) -> str:
    person_id = clean(extension.person_id)
    if not person_id or len(person_id) > MAX_PERSON_ID:
        raise InvalidValueException(
            detail=f"personId is required, with at most {MAX_PERSON_ID} characters"
        )
    return person_id


def _kind(value: str | None) -> AccountKind | None:
    try:
        return AccountKind(value) if value else None
    except ValueError as error:
        raise InvalidValueException(
            detail="accountKind must be personal, machine or email."
        ) from error


def _language(value: str | None) -> str:
    """One of ``LANGUAGES``. Any other language counts as none, and does not refuse the account."""
    language = clean(value).replace("_", "-").partition("-")[0].casefold()
    return language if language in LANGUAGES else ""


def _phone(rows: list[Any]) -> str:
    """The number, from RFC 3966 or in common notations."""
    return _number(_single(rows, "telephone", lambda text: phones.parse(_number(text))))


def _number(text: str) -> str:
    return unquote(text).removeprefix("tel:").replace(";ext=", " ext ")


def _single(rows: list[Any] | None, word: str, key: Callable[[str], Any]) -> str:
    """The value that counts: the primary one, else the one for work, else the first; empty if there
    is none. Raises InvalidValueException if there is a second value, or if the only one is marked
    as not primary, because a value would be lost."""
    primary = [row.primary for row in rows or ()]
    if False in primary and True not in primary:
        raise InvalidValueException(
            detail=f"the only {word} is primary: omit primary or set it to true"
        )
    if len(primary) > 1 and len({key(clean(row.value)) for row in rows or ()}) > 1:
        raise InvalidValueException(detail=f"a person has one {word}: send only one")
    ranked = sorted(rows or (), key=lambda row: (not row.primary, row.type != "work"))
    return clean(ranked[0].value) if ranked else ""
