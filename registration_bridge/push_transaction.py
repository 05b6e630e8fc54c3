"""A push, and each operation of a Bulk, is one transaction. It is repeated after a conflict with
another push, and then committed, or rolled back if it is refused or a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import g
from scim2_models import PreconditionFailedException

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.directory import mass_change_breaker
from idp.directory.dry_run import Effects
from idp.directory.provisioning_scope import ProvisioningScope
from idp.errors import Collision, ServiceError
from idp.transaction import DatabaseError, committing, is_contention
from registration_bridge import error_texts
from registration_bridge.user_writes import MassChange, StalePush

Answer = TypeVar("Answer")
#: How often a push is repeated after a concurrent change of the same account.
RETRIES = 5
MAX_REASON, MAX_PATH = 60, 200


def with_retries(act: Callable[[], Answer], *, is_conditional: bool) -> Answer:
    """Run the change. After a conflict with another push, run it again on the new state, unless the
    client requires a version. Refusals of the gateway become errors of SCIM."""
    for left in range(RETRIES, -1, -1):
        try:
            return act()
        except (PreconditionFailedException, Collision):
            if not left or is_conditional:
                raise
            roll_back()
        except DatabaseError as error:
            if not left or not is_contention(error):
                raise
            roll_back()
        except StalePush as error:
            roll_back()
            _record_stale(error)
            raise
        except ServiceError as error:
            raise error_texts.of_refusal(error) from error
    raise AssertionError("not reached")


def roll_back() -> None:
    """Roll back the changes, and forget the effects of a dry run."""
    current.work().rollback()
    if "scim_effects" in g:
        g.scim_effects.clear()


def commit() -> dict[str, Any] | None:
    """Commit a push, or roll back a dry run and return its effects."""
    if "scim_effects" not in g:
        current.work().commit()
        return None
    effects: Effects = g.scim_effects
    found = effects.take()
    current.work().rollback()
    return found


def _record_stale(error: StalePush) -> None:
    """A dry run leaves no record."""
    if "scim_effects" in g:
        return
    work = current.work()
    events.record(work, AuditAction.SCIM_STALE, account=error.account, sequence=error.sequence)
    work.commit()


def record_refusal(reason: str, *, status: int, method: str, path: str) -> None:
    """Record a refusal in a separate transaction, because that of the push is rolled back. A dry
    run leaves no record."""
    if "scim_effects" in g:
        return
    scope: ProvisioningScope | None = g.get("scim_scope")
    with committing(current.runtime().work(current.work().origin)) as work:
        events.record(
            work,
            AuditAction.SCIM_REFUSED,
            reason=ProtocolCode(reason[:MAX_REASON]),
            pusher=scope.client.client_id if scope is not None else None,
            method=method,
            path=path[:MAX_PATH],
        )
        if status == MassChange.status:
            mass_change_breaker.raise_alarm(work)
