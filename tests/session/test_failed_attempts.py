"""Failed attempts as a service: under which key they count, and what a lock-out answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from idp.directory import accounts
from idp.maintenance.purge import purge_batch
from idp.models import AccountState, Throttle
from idp.policy.lockout import REVEALING_ATTEMPTS
from idp.session import browsers, failed_attempts
from idp.transaction import Origin, UnitOfWork
from tests.world import World

SECOND = timedelta(seconds=1)
KEY = "account:1"


def fail(work: UnitOfWork, username: str, times: int, key: str = KEY) -> None:
    account = accounts.by_username(work, username)
    for _ in range(times):
        assert not failed_attempts.record_outcome(work, key, account, matched=False)


def passes(work: UnitOfWork, username: str, key: str = KEY) -> bool:
    account = accounts.by_username(work, username)
    return failed_attempts.record_outcome(work, key, account, matched=True)


def test_n51_a_browser_that_is_not_remembered_has_no_limit_of_its_own(world: World) -> None:
    """N51: nor one that was remembered until now."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        work.origin = Origin(ip="192.0.2.1")
        plain, _ = browsers.record_sign_in(work, account, "", remember=False, with_factor=False)
        kept, _ = browsers.record_sign_in(work, account, "", remember=True, with_factor=False)
        work.db.flush()
        work.origin = Origin(ip="203.0.113.9")

        def scope(cookie: str) -> str:
            assert browsers.known(work, account, cookie) is not None
            remembered = browsers.remembered_id(work, account, cookie)
            return failed_attempts.key_of(work, account, "", remembered).partition(":")[0]

        assert scope(plain) == "account"
        assert scope(kept) == "browser"
        work.now = work.after(days=work.settings.remember_days)
        assert scope(kept) == "account"


def test_n49_a_correct_password_clears_the_failures(world: World) -> None:
    """N49: failures before it count no more."""
    username = world.account()
    with world.work() as work:
        for _ in range(2):
            fail(work, username, work.settings.lockout_failures - 1)
            assert passes(work, username)
        fail(work, username, work.settings.lockout_failures)
        assert not passes(work, username)


def test_n49_the_end_of_a_lock_out_is_shown_in_the_first_attempts_only(world: World) -> None:
    """N49: of a locked key alone, in the first attempts, until its last second."""
    username = world.account()
    with world.work() as work:
        locked = failed_attempts.locked_until
        assert locked(work, KEY) is None
        fail(work, username, REVEALING_ATTEMPTS + 1, key="account:2")
        assert locked(work, "account:2") is None
        fail(work, username, work.settings.lockout_failures)
        until = work.after(seconds=work.settings.lockout_seconds)
        for _ in range(REVEALING_ATTEMPTS):
            assert not passes(work, username)
            assert locked(work, KEY) == until
        assert not passes(work, username)
        with pytest.raises(failed_attempts.TooManyAttempts):
            locked(work, KEY)
        assert locked(work, "account:2") is locked(work, "account:0") is None
        work.now = until
        assert locked(work, KEY) is None


def test_n49_a_holder_is_told_of_a_lock_out_and_nobody_of_an_unknown_name(world: World) -> None:
    """N49, N47: a name that does not exist is locked in the same way, without a trace."""
    username = world.account()
    with world.work() as work:
        fail(work, username, work.settings.lockout_failures)
        for _ in range(work.settings.lockout_failures):
            assert not failed_attempts.record_outcome(work, "name:x", None, matched=False)
        assert failed_attempts.is_locked(work, "name:x")
    (event,) = world.events("signin.locked")
    assert event.data["scope"] == "account"
    assert [row.kind for row in world.mails(to=username)] == ["signin_locked"]


@pytest.mark.parametrize("state", [AccountState.PENDING, AccountState.SUSPENDED])
def test_n49_a_lock_out_of_an_account_that_is_not_active_sends_no_mail(
    world: World, state: AccountState
) -> None:
    """N49: its holder cannot sign in anyway; it is in the trail all the same."""
    username = world.account(state=state)
    with world.work() as work:
        fail(work, username, work.settings.lockout_failures)
    assert len(world.events("signin.locked")) == 1
    assert world.mails("signin_locked") == []


def test_a_lock_out_that_began_in_the_future_is_not_listed(world: World) -> None:
    """N92: a clock ran ahead and was set back; the list shows what holds."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        now = work.now
        work.now += timedelta(days=300)
        fail(work, username, work.settings.lockout_failures)
        assert len(failed_attempts.locks(work, account)) == 1
        work.now = now
        assert failed_attempts.locks(work, account) == []


def test_n49_an_outcome_is_added_to_what_is_stored_now(world: World) -> None:
    """N49: not to what this transaction read before it had the lock of the row."""
    username = world.account()
    with world.work() as work:
        fail(work, username, 1)
        row = work.db.scalars(select(Throttle).where(Throttle.key == KEY)).one()
        moments = [work.now.timestamp()] * (work.settings.lockout_failures - 1)
        work.db.execute(
            update(Throttle)
            .where(Throttle.id == row.id)
            .values(failures=moments)
            .execution_options(synchronize_session=False)
        )
        assert len(row.failures) == 1
        fail(work, username, 1)
        assert failed_attempts.is_locked(work, KEY)


def test_failures_are_purged_a_day_after_the_last_attempt(world: World) -> None:
    """N49: a day without attempts is counted from the last one."""
    username = world.account()
    with world.work() as work:
        fail(work, username, 1)
        work.now += timedelta(days=1)
        fail(work, username, work.settings.lockout_failures)
        work.db.flush()
        work.now += SECOND
        assert purge_batch(work, "throttles") == 0
        assert failed_attempts.is_locked(work, KEY)
        work.now += timedelta(days=1)
        assert purge_batch(work, "throttles") == 1


def test_n49_a_right_password_writes_nothing_if_none_failed_before(world: World) -> None:
    """N49: the row is locked, as for a failure."""
    username = world.account()
    with world.work() as work:
        assert passes(work, username)
        made_at = work.db.scalars(select(Throttle.updated_at)).one()
    world.clock.advance(minutes=5)
    with world.work() as work:
        assert passes(work, username)
        assert work.db.scalars(select(Throttle.updated_at)).one() == made_at
        fail(work, username, 1)
        assert passes(work, username)
        row = work.db.scalars(select(Throttle)).one()
        assert (row.failures, row.updated_at) == ([], work.now)
