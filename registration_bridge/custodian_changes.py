"""PATCH and PUT of a machine account that name another custodian.

A push writes only the values that it contains, about the person that it names. Values that the
account showed for the former custodian are never written to the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scim2_models import PatchOp

from idp.directory import persons
from idp.models import AccountKind, Person
from idp.policy import phone_number as phones
from idp.policy.names import name_key
from idp.transaction import UnitOfWork
from registration_bridge.bridge_refusals import PreviousCustodiansData
from registration_bridge.pushed_user import PushedHolder, person_id_of
from registration_bridge.user_resource import holder_values
from registration_bridge.user_schema import Registration, User


def prepare_patch(work: UnitOfWork, user: Any, patch: PatchOp[Any]) -> None:
    """Prepare ``user`` for a PATCH that names another custodian. It then shows that person's
    registered values, or none if the person is unknown, so that the PATCH changes only what its
    operations contain."""
    if not _has_custodian(user):
        return
    tried = user.model_copy(deep=True)
    patch.patch(tried)
    wanted = person_id_of(tried)
    if wanted == person_id_of(user):
        return
    person = persons.lock_by_person_id(work, wanted)
    for name, value in _registered(person).items():
        setattr(user, name, value)


def complete_replacement(work: UnitOfWork, current: Any, replacement: Any) -> None:
    """Complete a PUT that names another custodian: values that it omits stay as registered. Raises
    Invalid if it contains values of the former custodian, because clients often send back what they
    have read."""
    if not _has_custodian(current) or person_id_of(replacement) == person_id_of(current):
        return
    person = persons.lock_by_person_id(work, person_id_of(replacement))
    if person is not None:
        _fill(replacement, person)
    said, former = PushedHolder.of(replacement), PushedHolder.of(current)
    own = PushedHolder.registered(person) if person else PushedHolder(said.person_id)
    carried = [
        word
        for word, key_of in _IDENTIFYING.items()
        if (key := key_of(said))
        and key == key_of(former)
        and key != key_of(own)
        # A person who is not registered yet can have the same name.
        and (person is not None or word != "name")
    ]
    if carried:
        raise PreviousCustodiansData(" and ".join(carried))


def _fill(user: Any, person: Person) -> None:
    """Add the person's registered values where ``user`` has none."""
    for name, value in _registered(person).items():
        if not getattr(user, name):
            setattr(user, name, value)
    if user.name.middle_name is None:
        user.name.middle_name = person.middle_name or None


def _registered(person: Person | None) -> dict[str, Any]:
    """The values that a User shows of its holder, as the library reads them; None for those that
    are missing."""
    shown: Any = User.model_validate(holder_values(person) if person else {})
    return {name: getattr(shown, name) for name in _HOLDER}


def _has_custodian(user: Any) -> bool:
    return bool(user[Registration].account_kind == AccountKind.MACHINE)


#: The attributes of a User that belong to its holder.
_HOLDER = ("name", "nick_name", "emails", "phone_numbers")

#: Values that identify a person: the word for each, and the form in which it is compared.
_IDENTIFYING: dict[str, Callable[[PushedHolder], Any]] = {
    "name": lambda holder: holder.name.key if holder.name else "",
    "e-mail address": lambda holder: name_key(holder.email),
    "telephone": lambda holder: phones.parse(holder.phone or ""),
}
