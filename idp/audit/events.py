"""Write the audit trail: each event is inserted in the transaction of the change."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from idp import metrics
from idp.audit import reported_changes
from idp.audit.actions import AuditAction, ProtocolCode
from idp.db import table
from idp.policy.addresses import network_of
from idp.sampling import MOST, Kind
from idp.transaction import UnitOfWork
from service_base import request_ids
from service_base.prepared import Prepared

if TYPE_CHECKING:
    from idp.models.records import AnyAccount, AnyClient, AnySession

#: The total of one kind of sampled event.
SAMPLED_EVENTS = AuditAction.CALLERS_COUNTED
#: Failed authentication. The password-guessing alarm counts these rows, so sampling keeps enough of
#: them.
GUESSES = (AuditAction.SIGNIN_REFUSED, AuditAction.MACHINE_REFUSED)


def record(
    work: UnitOfWork,
    name: AuditAction,
    *,
    reason: StrEnum | ProtocolCode | None = None,
    account: AnyAccount | None = None,
    client: AnyClient | None = None,
    session: AnySession | None = None,
    proved: bool = True,
    **data: Any,
) -> None:
    """Record a security event. An event with a ``reason`` is a refusal.

    ``data`` must be JSON and must not contain a secret: no password, code, token or link.

    ``proved=False`` means that the sender is not authenticated, although the request names a client
    or an account. Such events, and those of anonymous requests, are sampled (see ``idp.sampling``):
    the row's ``count`` is the number of such events in the window so far.
    """
    about: dict[str, Any] = {
        "name": str(name),
        "reason": None if reason is None else str(reason),
        "client_id": client.client_id if client else None,
        "account_id": account.id if account else None,
    }
    if account:
        request_ids.concerns(account.subject)
    outcome = "refused" if reason else "ok"
    if not work.is_trial:
        metrics.EVENTS.add(about["name"], outcome, about["reason"] or "")
    is_known = account or client or session or work.origin.actor or not work.origin.ip
    if not (proved and is_known):
        number = _sample(work, Kind(**about, network=network_of(work.origin.ip)))
        if number is None:
            return
        data["count"] = number
    _add(
        work,
        **about,
        actor=work.origin.actor,
        outcome=outcome,
        session_id=session.public_id if session else None,
        ip=work.origin.ip,
        user_agent=work.origin.user_agent,
        request_id=work.origin.request_id,
        data=data,
    )
    if account and not reason and name in reported_changes.ALL:
        # Loaded when it is needed: most commands change nothing that receivers are told of.
        from idp.audit import security_events

        security_events.tell(work, name, account, data)


def _sample(work: UnitOfWork, kind: Kind) -> int | None:
    """Count an event. Returns the count if this event is to be recorded, else None. Also records
    the totals of completed windows."""
    sampler = work.ports.sampler
    for total in sampler.completed_totals(work.now):
        about = {"event": total.kind.name, "reason": total.kind.reason, "count": total.count,
                 "networks": total.networks, "since": total.since.isoformat()}  # fmt: skip
        _add(
            work,
            name=str(SAMPLED_EVENTS),
            outcome="ok",
            client_id=total.kind.client_id,
            account_id=total.kind.account_id,
            data=about,
        )
    if kind.name not in GUESSES:
        return sampler.count(work.now, kind)
    bounds = work.settings
    most = max(MOST, 2 * bounds.alarm_failures)
    return sampler.count(work.now, kind, each=bounds.alarm_failures_network, most=most)


def _add(work: UnitOfWork, **values: Any) -> None:
    if work.gathering is not None:
        from idp.models import Event

        work.gathering.add_values(table(Event), {"at": work.now, **values})
    elif work.is_writing and not work.is_trial:
        work.write(_insert(), {"at": work.now, **values})
    else:
        # SQLite has one writer: the event waits for the first other change, or the commit. The
        # events of a trial are read from the session.
        from idp.models import Event

        work.db.add(Event(at=work.now, **values))


@cache
def _insert() -> Prepared:
    # A command that records nothing loads no model of events.
    from idp.models import Event

    return Prepared(insert(table(Event)).inline())
