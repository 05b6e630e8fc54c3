"""What a push says about an account: all that registration knows, as a SCIM User (PR-01).

A push is a row of the transaction of the change; the worker sends it (``push_delivery``). Each is
the whole account, so that a push that comes twice, or alone after a lost one, leads to the same
state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from registration import accounts, pushed_grants, requests
from registration.models import (
    Account,
    Machine,
    MachineNetwork,
    Organization,
    Person,
    Push,
    Request,
)
from registration.ports import Bridge
from registration.pushed_grants import Grant
from registration.transaction import UnitOfWork
from registration_bridge.message_urns import PATCH, REGISTRATION_USER, USER

#: What a person may lack.
OPTIONAL = ("nickName", "phoneNumbers")
#: What the gateway calls the kinds of accounts.
KINDS = {"person": "personal", "machine": "machine", "email": "email"}


@dataclass(frozen=True)
class Known:
    """What pushes of some accounts say besides the accounts themselves, by row: role groups, the
    custodians and the networks of machines."""

    grants: dict[int, list[Grant]]
    custodians: dict[int, Person]
    networks: dict[int, list[dict[str, str]]]


class NoCustodian(RuntimeError):
    """A machine without a custodian cannot be pushed."""


def queue(work: UnitOfWork, account: Account, request: Request | None = None) -> Push:
    """Order that the gateway makes the account as it is now; the request waits for it. The account
    is locked until the end of the transaction: a push says everything of it, so two at once would
    each leave out the other's change."""
    return queue_all(work, [account], request)[0]


def queue_all(
    work: UnitOfWork, changed: Iterable[Account], request: Request | None = None
) -> list[Push]:
    """Order it for each of these accounts, each once, in the order of their rows."""
    ordered = sorted(set(changed), key=lambda one: one.id)
    pushes = _new(work, ordered, request, "put")
    known = known_of(work, ordered)
    for account, push in zip(ordered, pushes, strict=True):
        push.body = user(work, account, request, sequence=push.id, known=known)
    return pushes


def queue_end(work: UnitOfWork, account: Account, request: Request | None = None) -> Push:
    """Order that the gateway closes the account for all time (PR-04)."""
    return _new(work, [account], request, "delete")[0]


def _new(
    work: UnitOfWork, changed: list[Account], request: Request | None, operation: str
) -> list[Push]:
    """Locks in the order of the rows, so that two transactions never wait for each other."""
    work.db.flush()
    rows = [account.id for account in changed]
    locked = select(Account.id).where(Account.id.in_(rows)).order_by(Account.id).with_for_update()
    work.db.execute(locked)
    pushes = [Push(account_id=row, operation=operation) for row in rows]
    requests.add_pushes(work, pushes, request)
    return pushes


def operation(account: Account, body: dict[str, Any]) -> dict[str, Any]:
    """The operation of a Bulk that makes the account so: a new account is recognised by its
    ``externalId`` when it is sent again.

    A machine is patched with all values. A PUT that names another custodian is refused by the
    gateway if somebody new to it has the telephone number of the former one, as colleagues do
    (docs/decisions/0017)."""
    if account.scim_id is None:
        return {"method": "POST", "path": "/Users", "data": body}
    path = f"/Users/{account.scim_id}"
    if account.kind != "machine":
        return {"method": "PUT", "path": path, "data": body}
    values = {name: value for name, value in body.items() if name != "schemas"}
    changes: list[dict[str, Any]] = [{"op": "replace", "value": values}]
    changes += [{"op": "remove", "path": name} for name in OPTIONAL if name not in body]
    return {"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": changes}}


def at_gateway(bridge: Bridge, operation: dict[str, Any]) -> dict[str, Any] | None:
    """The account of such an operation, when it is new here and the gateway has it already: found
    by our id, or by its user name. Raises BridgeError."""
    if operation["method"] != "POST":
        return None
    body = operation["data"]
    known = bridge.find("externalId", body["externalId"])
    if known is None and "userName" in body:
        known = bridge.find("userName", body["userName"])
    return known


def of_known(operation: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The operation, for the account that the gateway has already."""
    return operation | {"method": "PUT", "path": f"/Users/{known['id']}"}


def user(
    work: UnitOfWork,
    account: Account,
    request: Request | None = None,
    *,
    sequence: int = 0,
    known: Known | None = None,
) -> dict[str, Any]:
    """The account as it is now, by what is ``known`` of it if that was read with those of others.
    Raises NoCustodian."""
    known = known or known_of(work, [account])
    holder = account.person or known.custodians.get(account.id)
    if holder is None:
        raise NoCustodian(account.external_id)
    extension: dict[str, Any] = {
        "personId": holder.person_id,
        "accountKind": KINDS[account.kind],
        "grants": known.grants[account.id],
    }
    if account.kind == "machine":
        extension["registeredNetworks"] = known.networks.get(account.id, [])
    if account.only_organization_id is not None:
        only = work.db.get_one(Organization, account.only_organization_id)
        extension["secondAccount"] = {
            "reason": "transmission_rights",
            "participantId": only.organization_id,
        }
    if request is not None:
        extension["requestNumber"] = request.number
    if sequence:
        extension["sequence"] = sequence
    body = _holder(holder) | {
        "schemas": [USER, REGISTRATION_USER],
        "externalId": account.external_id,
        "active": True,
        REGISTRATION_USER: extension,
    }
    if account.username is not None:
        body["userName"] = account.username
    return body


def holder_of(work: UnitOfWork, account: Account) -> Person:
    """The person, or the custodian of a machine. Raises NoCustodian."""
    holder = account.person or accounts.custodians(work, [account]).get(account.id)
    if holder is None:
        raise NoCustodian(account.external_id)
    return holder


def known_of(work: UnitOfWork, wanted: Sequence[Account]) -> Known:
    """What is known of these accounts, in few statements however many they are."""
    return Known(
        pushed_grants.of_accounts(work, wanted),
        accounts.custodians(work, wanted),
        _networks(work, [one.id for one in wanted if one.kind == "machine"]),
    )


def _holder(person: Person) -> dict[str, Any]:
    name = {
        "familyName": person.last_name,
        "givenName": person.first_name,
        "middleName": person.middle_name,
    }
    found: dict[str, Any] = {
        "name": {key: value for key, value in name.items() if value},
        "preferredLanguage": person.language,
        "emails": [{"value": person.main_email, "type": "work", "primary": True}],
    }
    if person.preferred_name:
        found["nickName"] = person.preferred_name
    if person.main_phone:
        extension = person.main_phone_extension
        number = f"tel:{person.main_phone}" + (f";ext={extension}" if extension else "")
        found["phoneNumbers"] = [{"value": number, "type": "work", "primary": True}]
    return found


def _networks(work: UnitOfWork, machines: list[int]) -> dict[int, list[dict[str, str]]]:
    found: dict[int, list[dict[str, str]]] = defaultdict(list)
    query = (
        select(Machine.account_id, MachineNetwork.network, MachineNetwork.label)
        .join(Machine, MachineNetwork.machine_id == Machine.id)
        .where(Machine.account_id.in_(machines), MachineNetwork.held_at(work.now))
        .order_by(MachineNetwork.id)
    )
    for account, network, label in work.db.execute(query) if machines else ():
        found[account].append({"value": network, "label": label})
    return found
