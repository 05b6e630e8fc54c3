"""The number of accounts that the database keeps, beside the one that is counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from idp.directory import lifecycle, mass_change_breaker, number_of_accounts
from idp.directory.state_reasons import StateReason
from idp.models import Account, AccountCount, AccountState, Person
from idp.transaction import UnitOfWork
from tests.scim.pusher import USERS, Pusher
from tests.world import World


def kept_and_counted(work: UnitOfWork) -> tuple[int, int, int, int]:
    """The kept numbers of accounts that are not deactivated and of open ones, each beside the
    counted one."""
    is_kept = Account.state != AccountState.DEACTIVATED
    counted = [
        work.db.scalar(select(func.count(Account.id)).where(condition)) or 0
        for condition in (is_kept, Account.is_open(work.now))
    ]
    return (
        number_of_accounts.not_deactivated(work), counted[0],
        number_of_accounts.open_now(work), counted[1],
    )  # fmt: skip


def test_every_change_of_the_number_is_kept_in_its_transaction(world: World) -> None:
    """Creation, deactivation, a past end, and what other programs write."""
    names = [world.account() for _ in range(4)]
    with world.work() as work:
        assert kept_and_counted(work) == (4, 4, 4, 4)
        one, other, third, _ = (
            work.db.scalars(select(Account).where(Account.username == name)).one() for name in names
        )
        lifecycle.change_state(work, one, AccountState.DEACTIVATED, reason=StateReason.OPERATOR)
        lifecycle.change_state(work, other, AccountState.SUSPENDED, reason=StateReason.OPERATOR)
        third.ends_at = work.now - timedelta(days=1)
        work.db.flush()
        assert kept_and_counted(work) == (3, 3, 2, 2)
        work.rollback()
        assert kept_and_counted(work) == (4, 4, 4, 4)
        key = Account.id.in_(select(Account.id).order_by(Account.id.desc()).limit(2))
        work.db.execute(update(Account).where(key).values(state="deactivated"))
        assert kept_and_counted(work) == (2, 2, 2, 2)
        work.db.execute(update(Account).where(key).values(state="deactivated"))
        work.db.execute(update(Account).where(key).values(state="active"))
        assert kept_and_counted(work) == (4, 4, 4, 4)


def test_rows_that_programs_copy_and_delete_are_kept(world: World) -> None:
    """By one statement for many, as a loader does."""
    world.account()
    with world.work() as work:
        person = work.db.scalars(select(Person.id)).first()
        columns = [c for c in Account.__table__.columns if c.name != "id"]
        row = work.db.execute(select(*columns)).mappings().one()
        copies = [
            {
                **row, "subject": f"copy{n}", "username": f"copy{n}", "username_key": f"copy{n}",
                "user_handle": f"copy{n}".encode(), "state": state, "person_id": person,
                "kind": "machine",
            }
            for n, state in enumerate(("active", "pending", "deactivated"))
        ]  # fmt: skip
        work.db.execute(insert(Account), copies)
        assert kept_and_counted(work) == (3, 3, 3, 3)
        work.db.execute(delete(Account).where(Account.username.like("copy%")))
        assert kept_and_counted(work) == (1, 1, 1, 1)
        work.rollback()


def test_the_worker_adds_the_changes_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_of_accounts, "MOST_CHANGES", 1)
    for _ in range(3):
        world.account()
    with world.work() as work:
        is_row_for_each = work.db.get_bind().dialect.name != "sqlite"
        assert number_of_accounts.add_up(work) is is_row_for_each
        assert not number_of_accounts.add_up(work)
        assert work.db.scalar(select(func.count()).select_from(AccountCount)) == 1
        assert kept_and_counted(work) == (3, 3, 3, 3)


def test_a_page_of_all_users_says_the_number_without_counting_them(
    world: World, pusher: Pusher
) -> None:
    """RFC 7644 section 3.4.2: totalResults. A filter is counted, as before."""
    made = [pusher.create(number)["id"] for number in range(1, 4)]
    with world.work() as work:
        there = number_of_accounts.open_now(work)
        share = mass_change_breaker.status(work).limit
        assert share == work.settings.mass_change_least

    def total(query: str) -> int:
        return int((pusher.send("GET", f"{USERS}?{query}").json or {})["totalResults"])

    assert total("count=1") == total("count=0") == total("cursor=&count=1") == there
    assert total("count=1&filter=externalId%20sw%20%22reg-%22") == 3
    with world.work() as work:
        work.db.execute(
            update(Account)
            .where(Account.subject == made[0])
            .values(ends_at=work.now - timedelta(days=1))
        )
    assert total("count=1") == there - 1
