"""The worker sends pushes to the gateway: in order for each account and each organization, each
until the gateway has done it or refused it. Accounts wait for the organization of their request:
the gateway grants nothing at one that it does not know (TM-08).

At success the request that waits for it is closed (PR-06). A refusal becomes a task with the
gateway's words. A gateway that does not answer is asked again, with growing delays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import aliased

from registration import (
    account_pushes,
    accounts,
    history,
    notices,
    organization_pushes,
    tasks,
)
from registration.account_pushes import NoCustodian
from registration.models import Account, Push, Request
from registration.ports import Bridge
from registration.transaction import Runtime, UnitOfWork
from registration_bridge.bridge_client import BridgeError
from service_base import logs, tracing

log = logs.Logger("registration.pushes")
LEASE_SECONDS = 180
FIRST_RETRY_SECONDS = 2
LONGEST_RETRY_SECONDS = 600
#: From this many attempts on, the IESO has a task about it. The worker goes on trying.
ATTEMPTS_UNTIL_TASK = 8
#: Statuses that say nothing of the push itself: it can be sent again. 412: somebody changed the
#: Participant since it was read.
TRANSIENT = (408, 412, 429)


def deliver_due(runtime: Runtime, *, limit: int = 50) -> int:
    """Send the pushes that are due, at most ``limit``; returns how many were tried."""
    tried = 0
    while tried < limit:
        with runtime.work() as work:
            sent = _claim(work)
        if sent is None:
            break
        tried += 1
        about = {"message.attempt": sent.attempt}
        with tracing.working("push", sent.traceparent, about):
            outcome = _send(runtime, sent.operation)
            if outcome.status is None or outcome.status >= 400:
                tracing.failed(str(outcome.status or "no answer"))
            with runtime.work() as work:
                _record(work, sent.push_id, sent.attempt, outcome)
    return tried


@dataclass(frozen=True)
class Claimed:
    """A push that this worker has leased, and the request that ordered it."""

    push_id: int
    attempt: int
    operation: dict[str, Any]
    traceparent: str | None


def _claim(work: UnitOfWork) -> Claimed | None:
    """Lease the next push that waits for no earlier one."""
    earlier = aliased(Push)
    due = (
        Push.state == "queued",
        Push.next_attempt_at <= work.now,
        or_(Push.leased_until.is_(None), Push.leased_until <= work.now),
    )
    of_request = (
        select(Request.organization_id)
        .where(Request.id == Push.request_id)
        .correlate(Push)
        .scalar_subquery()
    )
    first = (
        select(Push.id)
        .where(
            *due,
            ~exists().where(
                earlier.state == "queued",
                earlier.id < Push.id,
                or_(
                    earlier.account_id == Push.account_id,
                    earlier.organization_id == Push.organization_id,
                    earlier.organization_id == of_request,
                ),
            ),
        )
        .order_by(Push.next_attempt_at, Push.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    while (push_id := work.db.scalar(first)) is not None:
        leased = work.db.execute(
            update(Push)
            .where(Push.id == push_id, *due)
            .values(leased_until=work.after(LEASE_SECONDS), attempts=Push.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if leased.rowcount == 1:  # type: ignore[attr-defined]
            push = work.db.get_one(Push, push_id, populate_existing=True)
            return Claimed(push.id, push.attempts, _operation(work, push), push.traceparent)
    return None


def _operation(work: UnitOfWork, push: Push) -> dict[str, Any]:
    if push.organization is not None:
        body = organization_pushes.participant(work, push.organization)
        return {"method": "PUT", "path": f"/Participants/{body['participantId']}", "data": body}
    if push.account is None:
        raise ValueError("the push is of nothing")
    if push.operation == "delete":
        return {"method": "DELETE", "path": f"/Users/{push.account.scim_id}"}
    return account_pushes.operation(push.account, push.body)


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt, and the id and the user name of the account at the gateway.
    ``status`` is None if the gateway was not reached."""

    status: int | None
    detail: str = ""
    scim_id: str = ""
    username: str = ""


def _send(runtime: Runtime, operation: dict[str, Any]) -> Outcome:
    """One attempt. Any fault is an outcome."""
    try:
        with runtime.ports.bridge() as bridge:
            return _sent(bridge, operation)
    except BridgeError as error:
        return Outcome(None, error.detail)
    except Exception as error:
        log.exception("push_failed", error=type(error).__name__)
        return Outcome(None, type(error).__name__)


def _sent(bridge: Bridge, operation: dict[str, Any]) -> Outcome:
    """Raises BridgeError. An account that is new here may be at the gateway already."""
    if operation["path"].startswith("/Participants/"):
        operation = _of_participant(bridge, operation)
    if operation["method"] != "POST" or operation["path"] == "/Participants":
        (result,) = bridge.bulk([operation])
        return Outcome(result.status, result.detail)
    known = account_pushes.at_gateway(bridge, operation)
    if known is not None:
        operation = account_pushes.of_known(operation, known)
    (result,) = bridge.bulk([operation])
    if not result.is_done:
        return Outcome(result.status, result.detail)
    made = known or account_pushes.at_gateway(bridge, operation) or {}
    return Outcome(result.status, "", str(made.get("id", "")), str(made.get("userName", "")))


def _of_participant(bridge: Bridge, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation that makes a Participant, or replaces the version that was read: one that comes
    late, after a newer one, is refused."""
    body = operation["data"]
    known = bridge.participant(body["participantId"])
    if known is None:
        return {"method": "POST", "path": "/Participants", "data": body}
    if "externalId" in known:
        body = body | {"externalId": known["externalId"]}
    return operation | {"data": body, "version": known["meta"]["version"]}


def _record(work: UnitOfWork, push_id: int, attempt: int, outcome: Outcome) -> None:
    """Store what came of an attempt, unless another worker took it over."""
    push = work.db.get_one(Push, push_id, with_for_update=True)
    if push.state != "queued" or push.attempts != attempt:
        return
    push.leased_until = None
    status = outcome.status
    if status is None or status >= 500 or status in TRANSIENT:
        _postponed(work, push, outcome)
    elif _is_of_another(work, push, outcome):
        detail = f"the gateway answered with another account: {outcome.username}"
        _refused(work, push, replace(outcome, detail=detail))
    elif status < 300 or (push.operation == "delete" and status == 404):
        _done(work, push, outcome)
    else:
        _refused(work, push, outcome)


def _is_of_another(work: UnitOfWork, push: Push, outcome: Outcome) -> bool:
    """Whether the names in the answer are those of another account here, which is a task."""
    if push.account is None or not outcome.scim_id:
        return False
    query = select(Account.id).where(
        Account.id != push.account.id,
        or_(Account.scim_id == outcome.scim_id, Account.username == outcome.username),
    )
    return work.db.scalars(query).first() is not None


def _done(work: UnitOfWork, push: Push, outcome: Outcome) -> None:
    push.state, push.done_at, push.last_error = "done", work.now, ""
    account = push.account
    if account is not None:
        _link(work, push, account, outcome)
    _step(work, push.request)
    log.info("push_done", id=push.id, attempts=push.attempts)


def _link(work: UnitOfWork, push: Push, account: Account, outcome: Outcome) -> None:
    """Store the names of a new account at the gateway. Its holder gets the user name (NT-01), and
    the organizations at which he has an office are pushed with him."""
    if account.scim_id is not None or not outcome.scim_id:
        return
    account.scim_id = outcome.scim_id
    if account.username is None and outcome.username:
        account.username = outcome.username
        try:
            holder = account_pushes.holder_of(work, account)
        except NoCustodian:
            return
        entry = history.record(
            work,
            accounts.CREATED,
            person=holder,
            account=account,
            request=push.request,
            after={"username": account.username},
        )
        notices.of_account(work, holder, entry, account.username)
    organization_pushes.queue_of_officer(work, account)


def _step(work: UnitOfWork, request: Request | None) -> None:
    """One push less to wait for."""
    if request is None:
        return
    request.waits_for = max(0, request.waits_for - 1)
    if request.waits_for == 0 and request.state == "open":
        request.state, request.closed_at = "done", work.now


def _refused(work: UnitOfWork, push: Push, outcome: Outcome) -> None:
    push.state, push.done_at, push.last_error = "refused", work.now, outcome.detail
    request = push.request
    if request is not None:
        request.state, request.closed_at = "refused", work.now
        request.waits_for = max(0, request.waits_for - 1)
    # What the gateway says of an organization, its Rights Administrators cannot mend.
    place = request.organization_id if request and push.account else None
    tasks.create(
        work,
        "push.refused",
        key=f"push:{push.id}",
        organization_id=place,
        office="ra" if place else None,
        request=request,
        data={"words": outcome.detail, "account": (push.account and push.account.username) or ""},
    )
    log.error("push_refused", id=push.id, status=outcome.status)


def _postponed(work: UnitOfWork, push: Push, outcome: Outcome) -> None:
    wait = min(FIRST_RETRY_SECONDS * 2 ** (push.attempts - 1), LONGEST_RETRY_SECONDS)
    push.next_attempt_at = work.now + timedelta(seconds=wait)
    push.last_error = outcome.detail
    if push.attempts >= ATTEMPTS_UNTIL_TASK:
        tasks.create(work, "push.waits", key="pushes-wait", data={"words": outcome.detail})
    log.warning("push_retry", id=push.id, attempts=push.attempts, status=outcome.status)
