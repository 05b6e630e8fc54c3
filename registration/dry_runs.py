"""What the gateway says of pushes before they are ordered: it tries them and changes nothing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from registration import account_pushes, requests
from registration.models import Account, Organization, Push, Request
from registration.ports import Bridge
from registration.transaction import UnitOfWork
from registration_bridge.bridge_client import BridgeError, Result
from registration_bridge.message_urns import REGISTRATION_USER

#: Accounts that the gateway tries: it takes up to 25 ms for each, and a page waits for it.
MOST = 20


@dataclass(frozen=True)
class DryRun:
    """What would come of an order."""

    #: The effects that the gateway names, an entry for each account.
    effects: tuple[dict[str, Any], ...] = ()
    #: Why the gateway refuses accounts, in its own words.
    refusals: tuple[str, ...] = ()
    #: How many more accounts the order has, which the gateway did not try.
    untried: int = 0
    #: Why the gateway was not reached; empty if it was.
    unreachable: str = ""
    #: The Organization ID of one that the gateway gets first. What its grants would do is not
    #: known.
    new_organization: str = ""


def of_request(work: UnitOfWork, request: Request) -> DryRun:
    """Roll back everything that this unit of work wrote, and ask the gateway what the pushes of the
    request would do: the first MOST of them."""
    operations = [
        operation
        for push in requests.pushes_of(work, request)
        if push.account and (operation := _operation(push, push.account))
    ]
    operations, untried = operations[:MOST], len(operations[MOST:])
    waiting = waiting_organization(work, request)
    work.db.rollback()
    if not operations:
        return DryRun()
    try:
        with work.ports.bridge() as bridge:
            results, new = tried(bridge, operations, waiting)
    except BridgeError as error:
        return DryRun(unreachable=error.detail)
    return DryRun(
        tuple(result.effects for result in results),
        tuple(result.detail for result in results if not result.is_done),
        untried,
        new_organization=new,
    )


def waiting_organization(work: UnitOfWork, request: Request) -> str:
    """The Organization ID of the request if a push of the organization is on its way: the worker
    sends it before those of accounts."""
    query = (
        select(Organization.organization_id)
        .join(Push, Push.organization_id == Organization.id)
        .where(Organization.id == request.organization_id, Push.state == "queued")
    )
    return work.db.scalars(query).first() or ""


def tried(
    bridge: Bridge, operations: list[dict[str, Any]], waiting: str
) -> tuple[list[Result], str]:
    """What would come of each operation, and ``waiting`` if the gateway does not have this
    organization yet: then the operations are tried without its grants, because the gateway refuses
    those until it has been pushed. Raises BridgeError."""
    if waiting and bridge.participant(waiting) is None:
        return _as_sent(bridge, [_without(one, waiting) for one in operations]), waiting
    return _as_sent(bridge, operations), ""


def _as_sent(bridge: Bridge, operations: list[dict[str, Any]]) -> list[Result]:
    """An account that is new here may be at the gateway already: then it is tried as its push will
    be sent."""
    results = list(bridge.bulk(operations, is_dry=True))
    again = {}
    for number, operation in enumerate(operations):
        if results[number].is_done:
            continue
        if known := account_pushes.at_gateway(bridge, operation):
            again[number] = account_pushes.of_known(operation, known)
    if again:
        second = bridge.bulk(list(again.values()), is_dry=True)
        results = [dict(zip(again, second, strict=True)).get(n, one)
                   for n, one in enumerate(results)]  # fmt: skip
    return results


def _without(operation: dict[str, Any], number: str) -> dict[str, Any]:
    """The operation without what it says of this organization."""
    found = deepcopy(operation)
    data = found.get("data", {})
    user = data["Operations"][0]["value"] if found["method"] == "PATCH" else data
    if extension := user.get(REGISTRATION_USER):
        kept = (one for one in extension["grants"] if one["participantId"] != number)
        extension["grants"] = list(kept)
        if extension.get("secondAccount", {}).get("participantId") == number:
            del extension["secondAccount"]
    return found


def _operation(push: Push, account: Account) -> dict[str, Any] | None:
    """None: the gateway does not have the account that would end."""
    if push.operation != "delete":
        return account_pushes.operation(account, push.body)
    if account.scim_id is None:
        return None
    return {"method": "DELETE", "path": f"/Users/{account.scim_id}"}
