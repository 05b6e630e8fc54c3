"""What the gateway says of pushes before they are ordered: it tries them and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registration import account_pushes, requests
from registration.models import Account, Push, Request
from registration.transaction import UnitOfWork
from registration_bridge.bridge_client import BridgeError


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
            results = bridge.bulk(operations, is_dry=True)
    except BridgeError as error:
        return DryRun(unreachable=error.detail)
    return DryRun(
        tuple(result.effects for result in results),
        tuple(result.detail for result in results if not result.is_done),
    )


def _operation(push: Push, account: Account) -> dict[str, Any] | None:
    """None: the gateway does not have the account that would end."""
    if push.operation != "delete":
        return account_pushes.operation(account, push.body)
    if account.scim_id is None:
        return None
    return {"method": "DELETE", "path": f"/Users/{account.scim_id}"}
