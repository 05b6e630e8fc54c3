"""Compares accounts and organizations with the gateway: once a night, and when somebody asks for it
(PR-07).

Each difference becomes a task of the IESO; one of role groups becomes a task of the Rights
Administrators of that organization too. A task is closed when the difference is gone. An account
with a push that waits, or that was done during the comparison, is compared the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, or_, select, update

from registration import (
    account_pushes,
    accounts,
    history,
    organization_pushes,
    tasks,
)
from registration.account_pushes import Known, NoCustodian
from registration.gateway_drift import (
    Drift,
    DriftKind,
    differences,
    extra_organizations,
    is_operator,
    organization_differences,
)
from registration.models import Account, Organization, Push, Schedule, Task
from registration.transaction import Origin, Runtime, UnitOfWork
from registration_bridge.bridge_client import BridgeError
from service_base import logs
from service_base.database import insert_if_missing

log = logs.Logger("registration.comparison")
#: Action of the history.
COMPARED = "gateway.compared"
ACTOR = "registration"
#: When it starts, in Eastern Time; after a failure it starts again after this time.
HOUR, ZONE = time(3), ZoneInfo("America/Toronto")
RETRY = timedelta(minutes=30)
NAME = "gateway.comparison"
BATCH = 200
#: Differences that become tasks of their own; one more task counts the others.
MOST = 100
TASK = "drift"
MORE = f"{TASK}.more"


@dataclass
class Comparison:
    """How many accounts were compared and how many could not be, what differs, and how many pushes
    were ordered to remove it."""

    compared: int = 0
    skipped: int = 0
    drifts: list[Drift] = field(default_factory=list)
    pushed: int = 0


def compare_nightly(runtime: Runtime) -> int:
    """Compare if the night has come; returns 1 if it was done. Of several workers one does it."""
    with runtime.work(Origin(ACTOR)) as work:
        if not _claim(work):
            return 0
    try:
        compare(runtime, Origin(ACTOR))
    except BridgeError as error:
        log.warning("comparison_failed", detail=error.detail)
        return 0
    with runtime.work() as work:
        work.db.execute(
            update(Schedule).where(Schedule.name == NAME).values(next_at=next_night(work.now))
        )
    return 1


def next_night(now: datetime) -> datetime:
    """When the next comparison starts."""
    local = now.astimezone(ZONE)
    tonight = datetime.combine(local.date(), HOUR, ZONE)
    day = local.date() if local < tonight else local.date() + timedelta(days=1)
    return datetime.combine(day, HOUR, ZONE).astimezone(UTC)


def _claim(work: UnitOfWork) -> bool:
    row = work.db.get(Schedule, NAME)
    if row is None:
        insert_if_missing(work.db, Schedule, name=NAME, next_at=next_night(work.now))
    if row is None or row.next_at > work.now:
        return False
    claimed = work.db.execute(
        update(Schedule)
        .where(Schedule.name == NAME, Schedule.next_at <= work.now)
        .values(next_at=work.now + RETRY)
        .execution_options(synchronize_session=False)
    )
    return bool(claimed.rowcount)  # type: ignore[attr-defined]


def compare(runtime: Runtime, origin: Origin, *, is_repaired: bool = False) -> Comparison:
    """Compare all accounts; ``is_repaired`` orders pushes that make the gateway as registration
    says. What only the gateway has stays as it is. Raises BridgeError."""
    found = Comparison()
    started, seen = runtime.ports.clock.now(), set[int]()
    with runtime.ports.bridge() as bridge:
        every = bridge.users()
        while users := tuple(islice(every, BATCH)):
            with runtime.work(origin) as work:
                part = _Part(work, found, started, is_repaired=is_repaired)
                seen |= part.compare_users(users)
        participants = {row["participantId"]: row for row in bridge.participants()}
    with runtime.work(origin) as work:
        _Part(work, found, started, is_repaired=is_repaired).compare_organizations(participants)
    last = 0
    while True:
        with runtime.work(origin) as work:
            rows = accounts.open_after(work, last)
            if not rows:
                break
            last = rows[-1].id
            part = _Part(work, found, started, is_repaired=is_repaired)
            part.compare_missing([row for row in rows if row.id not in seen])
    with runtime.work(origin) as work:
        _write(work, found)
    log.info(
        "gateway_compared", compared=found.compared, drift=len(found.drifts), pushed=found.pushed
    )
    return found


class _Part:
    """One unit of work of a comparison."""

    def __init__(
        self, work: UnitOfWork, found: Comparison, started: datetime, *, is_repaired: bool
    ) -> None:
        self._work, self._found, self._started = work, found, started
        self._is_repaired = is_repaired

    def compare_users(self, users: tuple[dict[str, Any], ...]) -> set[int]:
        """Compare these Users of the gateway; returns the accounts that they are."""
        known = _accounts_of(self._work, users)
        accounts_here = [account for account in known if account is not None]
        moving = self._moving(accounts_here)
        ours = account_pushes.known_of(self._work, accounts_here)
        for user, account in zip(users, known, strict=True):
            if account is None:
                if not is_operator(user):
                    self._differs([Drift(str(user["userName"]), DriftKind.EXTRA)])
            elif account.id in moving:
                self._found.skipped += 1
            else:
                self._compare(user, account, ours)
        return {account.id for account in accounts_here}

    def compare_missing(self, accounts: list[Account]) -> None:
        """These accounts were not among the Users of the gateway."""
        moving = self._moving(accounts)
        for account in accounts:
            if account.id in moving:
                self._found.skipped += 1
                continue
            if self._is_repaired:
                # It is made again, with its user name, under another id.
                account.scim_id = None
            name = account.username or account.external_id
            self._differs([Drift(name, DriftKind.MISSING)], account)

    def compare_organizations(self, participants: dict[str, dict[str, Any]]) -> None:
        """Compare all organizations with these Participants, by Organization ID. One that has ended
        may be left over from before registration."""
        moving = set(self._work.db.scalars(select(Push.organization_id).where(*self._on_its_way())))
        known = set()
        for row in self._work.db.scalars(select(Organization).order_by(Organization.id)):
            known.add(row.organization_id)
            if row.id in moving:
                self._found.skipped += 1
                continue
            ours = organization_pushes.participant(self._work, row)
            drifts = organization_differences(ours, participants.get(row.organization_id))
            self._found.drifts += drifts
            if drifts and self._is_repaired:
                organization_pushes.queue(self._work, row)
                self._found.pushed += 1
        alive = (number for number, one in participants.items() if one.get("status") != "ended")
        self._found.drifts += extra_organizations(alive, known)

    def _compare(self, user: dict[str, Any], account: Account, known: Known) -> None:
        if account.ended_at is not None:
            self._differs([Drift(str(user["userName"]), DriftKind.OPEN)], account)
            return
        try:
            ours = account_pushes.user(self._work, account, known=known)
        except NoCustodian:
            self._found.skipped += 1
            return
        self._found.compared += 1
        self._differs(differences(ours, user, self._work.now), account)

    def _differs(self, drifts: list[Drift], account: Account | None = None) -> None:
        self._found.drifts += drifts
        if not drifts or account is None or not self._is_repaired:
            return
        if account.ended_at is not None:
            account_pushes.queue_end(self._work, account)
        else:
            try:
                account_pushes.queue(self._work, account)
            except NoCustodian:
                return
        self._found.pushed += 1

    def _moving(self, accounts: list[Account]) -> set[int]:
        """Those that the gateway was brought up to date with while it was read, or will be."""
        query = select(Push.account_id).where(
            Push.account_id.in_([account.id for account in accounts]), *self._on_its_way()
        )
        return {row for row in self._work.db.scalars(query) if row is not None}

    def _on_its_way(self) -> tuple[ColumnElement[bool], ...]:
        return (or_(Push.state == "queued", Push.done_at >= self._started),)


def _accounts_of(work: UnitOfWork, users: tuple[dict[str, Any], ...]) -> list[Account | None]:
    """The account of each User: by the gateway's id, by ours, by its user name."""
    keys = (("id", Account.scim_id), ("externalId", Account.external_id),
            ("userName", Account.username))  # fmt: skip
    query = select(Account).where(
        or_(*(column.in_([user.get(name) for user in users]) for name, column in keys))
    )
    found: dict[tuple[str, str | None], Account] = {}
    for row in work.db.scalars(query):
        found["id", row.scim_id] = found["externalId", row.external_id] = row
        found["userName", row.username] = row
    return [
        next(
            (found[name, user[name]] for name, _ in keys
             if user.get(name) and (name, user[name]) in found),
            None,
        )
        for user in users
    ]  # fmt: skip


def _write(work: UnitOfWork, found: Comparison) -> None:
    """The entry of the history, and the tasks: those whose difference is gone are closed."""
    wanted = list(_tasks(found))
    keys = {task["key"] for task in wanted}
    query = select(Task).where(Task.kind.like(f"{TASK}.%"), Task.done_at.is_(None))
    for task in work.db.scalars(query):
        if task.key not in keys:
            task.done_at, task.done_by = work.now, work.origin.actor
    work.db.flush()
    numbers = {one["organization"] for one in wanted}
    here = select(Organization).where(Organization.organization_id.in_(numbers))
    known = {row.organization_id: row.id for row in work.db.scalars(here)}
    for one in wanted:
        place = known.get(one.pop("organization"))
        if one.get("office") and place is None:
            continue
        task = tasks.create(work, organization_id=place, **one)
        task.data = one["data"]
    after = {"compared": found.compared, "skipped": found.skipped, "drift": len(found.drifts)}
    history.record(work, COMPARED, after=after | {"pushed": found.pushed})


def _tasks(found: Comparison) -> Iterator[dict[str, Any]]:
    for drift in found.drifts[:MOST]:
        data = {name: value for name, value in asdict(drift).items() if value}
        key = f"{TASK}:{drift.kind}:{drift.organization}:{drift.account}"[:110]
        one = {"kind": f"{TASK}.{drift.kind}", "data": data, "organization": ""}
        yield one | {"key": key}
        if drift.kind is DriftKind.ROLE_GROUPS:
            yield one | {"key": f"{key}:ra", "organization": drift.organization, "office": "ra"}
    if (more := len(found.drifts) - MOST) > 0:
        yield {"kind": MORE, "key": MORE, "data": {"count": more}, "organization": ""}
