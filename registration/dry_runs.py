"""What the gateway says of pushes before they are ordered: it tries them and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registration import account_pushes, requests
from registration.models import Account, Push, Request
from registration.ports import Bridge
from registration.transaction import UnitOfWork
from registration_bridge.bridge_client import BridgeError, Result


@dataclass(frozen=True)
class DryRun:
    """What would come of an order."""

    #: The effects that the gateway names, an entry for each account.
    effects: tuple[dict[str, Any], ...] = ()
    #: Why the gateway refuses accounts, in its own words.
    refusals: tuple[str, ...] = ()
    #: Why the gateway was not reached; empty if it was.
    unreachable: str = ""


def of_request(work: UnitOfWork, request: Request) -> DryRun:
    """Roll back everything that this unit of work wrote, and ask the gateway what the pushes of the
    request would do."""
    operations = [
        operation
        for push in requests.pushes_of(work, request)
        if push.account and (operation := _operation(push, push.account))
    ]
    work.db.rollback()
    if not operations:
        return DryRun()
    try:
        with work.ports.bridge() as bridge:
            results = tried(bridge, operations)
    except BridgeError as error:
        return DryRun(unreachable=error.detail)
    return DryRun(
        tuple(result.effects for result in results),
        tuple(result.detail for result in results if not result.is_done),
    )


def tried(bridge: Bridge, operations: list[dict[str, Any]]) -> list[Result]:
    """What would come of each operation. An account that is new here may be at the gateway already:
    then it is tried as its push will be sent. Raises BridgeError."""
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


def _operation(push: Push, account: Account) -> dict[str, Any] | None:
    """None: the gateway does not have the account that would end."""
    if push.operation != "delete":
        return account_pushes.operation(account, push.body)
    if account.scim_id is None:
        return None
    return {"method": "DELETE", "path": f"/Users/{account.scim_id}"}
