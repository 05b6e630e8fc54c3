"""After a restore of registration's database: the gateway has seen what registration no longer
knows (PR-07).

The gateway refuses a push whose number is lower than the last one of the account, and a Person ID
is never given twice (RG-02). So numbers continue after the highest ones of the gateway, and
everything is pushed again: what was revoked before the backup stays revoked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from registration import account_pushes, accounts, history, organization_pushes
from registration.account_pushes import NoCustodian
from registration.models import Account, Counter, Organization, Push
from registration.transaction import Origin, Runtime, UnitOfWork
from registration_bridge.message_urns import REGISTRATION_USER
from service_base.database import insert_if_missing

#: Action of the history.
RESTORED = "gateway.restored"


@dataclass(frozen=True)
class Restored:
    """The number of the first push, and how many organizations and accounts are pushed. Machines
    without a custodian cannot be."""

    first: int
    organizations: int
    accounts: int
    skipped: int


@dataclass
class Highest:
    """The highest numbers that the gateway has seen."""

    push: int = 0
    person: int = 0
    request: int = 0
    machine: int = 0

    def add(self, user: dict[str, Any]) -> None:
        """Look at a User."""
        known = user.get(REGISTRATION_USER) or {}
        numbers = [known.get("requestNumber")]
        numbers += [row.get("requestNumber") for row in known.get("grants") or ()]
        self.push = max(self.push, int(known.get("sequence") or 0))
        self.person = max(self.person, _number(r"(\d+)", [known.get("personId")]))
        self.request = max(self.request, _number(r"R(\d+)", numbers))
        self.machine = max(self.machine, _number(r"machine-(\d+)", [user.get("externalId")]))


def _number(pattern: str, texts: Iterable[str | None]) -> int:
    """The highest number in these texts, as far as they are ours: others may have long ones."""
    found = (re.fullmatch(pattern, text or "") for text in texts)
    return max((int(one[1]) for one in found if one and len(one[1]) <= 12), default=0)


def restore(runtime: Runtime, origin: Origin) -> Restored:
    """Continue after the gateway's numbers and push everything. It can be repeated. Raises
    BridgeError."""
    highest = Highest()
    with runtime.ports.bridge() as bridge:
        for user in bridge.users():
            highest.add(user)
    with runtime.work(origin) as work:
        first, organizations = _continue(work, highest)
    pushed = skipped = last = 0
    while True:
        with runtime.work(origin) as work:
            rows = accounts.open_after(work, last)
            if not rows:
                break
            last = rows[-1].id
            done = sum(_push(work, account) for account in rows)
            pushed, skipped = pushed + done, skipped + len(rows) - done
    with runtime.work(origin) as work:
        after = {"first": first, "organizations": organizations, "accounts": pushed}
        history.record(work, RESTORED, after=after)
    return Restored(first, organizations, pushed, skipped)


def _continue(work: UnitOfWork, highest: Highest) -> tuple[int, int]:
    """Raise the numbers and push the organizations; the number of the first push, and how many."""
    _raise_counter(work, "person", highest.person)
    _raise_counter(work, "request", highest.request)
    _raise_counter(work, "machine", highest.machine)
    known = work.db.scalar(select(func.max(Push.id))) or 0
    for push in work.db.scalars(select(Push).where(Push.state == "queued")):
        if REGISTRATION_USER in push.body:
            # It is still sent, before the new ones.
            extension = push.body[REGISTRATION_USER] | {"sequence": highest.push + push.id}
            push.body = push.body | {REGISTRATION_USER: extension}
    number: int | None = highest.push + known + 1
    rows = list(work.db.scalars(select(Organization).order_by(Organization.id)))
    for organization in rows:
        organization_pushes.queue(work, organization, number=number)
        if number is not None:
            _continue_after(work, number)
            number = None
    return highest.push + known + 1, len(rows)


def _raise_counter(work: UnitOfWork, name: str, to: int) -> None:
    if to and not insert_if_missing(work.db, Counter, name=name, last=to):
        work.db.execute(
            update(Counter).where(Counter.name == name, Counter.last < to).values(last=to)
        )


def _continue_after(work: UnitOfWork, number: int) -> None:
    """The database continues after this key, which was written. SQLite does so by itself."""
    if work.db.get_bind().dialect.name == "postgresql":
        work.db.execute(select(func.setval(func.pg_get_serial_sequence("push", "id"), number)))


def _push(work: UnitOfWork, account: Account) -> bool:
    try:
        account_pushes.user(work, account)
    except NoCustodian:
        return False
    account_pushes.queue(work, account)
    return True
