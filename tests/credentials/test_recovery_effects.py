"""What a recovered or changed password and an unlock do to the rest of an account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.clients import registry
from idp.credentials import links, one_time_codes
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.directory import accounts
from idp.grants import grant_lifecycle
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    BrowserSession,
    Grant,
    KnownBrowser,
    Link,
    SecurityAnswer,
    Throttle,
)
from idp.recovery import account_recovery, password_replacement
from idp.recovery.recovery_requests import Goal
from idp.session import browsers, failed_attempts, sessions
from idp.transaction import UnitOfWork
from tests.world import NEW_PASSWORD, PASSWORD, World

RECOVERABLE = {AccountState.ACTIVE, AccountState.RESET_REQUIRED}
ANSWER = "rex and company"


def hasher_of(world: World) -> PasswordHasher:
    found: PasswordHasher = world.app.extensions["hasher"]
    return found


def code_for(work: UnitOfWork, account: Account, goal: Goal) -> str:
    purpose = CodePurpose(goal)
    flow = one_time_codes.flow_digest(work, purpose, "flow")
    return one_time_codes.issue(work, account, purpose, flow)


def link_for(work: UnitOfWork, account: Account, purpose: Purpose, **more: Any) -> Link:
    token = links.issue(work, account, purpose, work.after(seconds=60), **more)
    found = links.look_up(work, purpose, token)
    assert isinstance(found, Link)
    return found


def session_of(work: UnitOfWork, account: Account) -> BrowserSession:
    return sessions.start(work, account, methods=("pwd",), own=None)[0]


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("state", AccountState)
def test_n68_a_code_is_accepted_only_in_the_state_that_it_is_for(
    world: World, goal: Goal, state: AccountState
) -> None:
    """N68, N58: also one that nothing has ended."""
    username = world.account(state=state)
    with world.work() as work:
        account = accounts.by_username(work, username)
        outcome = account_recovery.redeem_code(work, goal, "flow", code_for(work, account, goal))
        assert (outcome is not None) is (state in RECOVERABLE)
    assert len(world.events("account.unlocked")) == (state in RECOVERABLE and goal is Goal.UNLOCK)


def test_rs_an_unlock_code_cannot_set_a_password(world: World) -> None:
    """RS-08: a code to reset gives the link of a page; each code works for its own purpose."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        unlock, reset = (code_for(work, account, goal) for goal in (Goal.UNLOCK, Goal.RESET))
        if unlock != reset:
            assert account_recovery.redeem_code(work, Goal.RESET, "flow", unlock) is None
        assert account_recovery.redeem_code(work, Goal.RESET, "other", reset) is None
        assert account_recovery.redeem_code(work, Goal.UNLOCK, "flow", unlock) is account
        token = account_recovery.redeem_code(work, Goal.RESET, "flow", reset)
        assert isinstance(token, str)
        found = links.look_up(work, Purpose.RESET, token)
        assert isinstance(found, Link)
        assert (found.asks_question, found.expires_at) == (True, work.after(seconds=900))


def test_rs08_an_unlock_clears_the_failures_and_requires_a_factor(world: World) -> None:
    """RS-08, Z-07: the password stays; the link works once."""
    username, other = world.account(), world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        before = account.password_hash
        for name in (username, other):
            row = accounts.by_username(work, name)
            failed_attempts.record_outcome(work, f"account:{row.id}", row, matched=False)
        link = link_for(work, account, Purpose.UNLOCK)
        assert account_recovery.finish_unlock(work, link, account) is True
        left = work.db.scalars(select(Throttle.account_id)).all()
        assert left == [accounts.by_username(work, other).id]
        assert (account.distrusted_at, account.distrusted_for) == (work.now, "unlock")
        assert account.password_hash == before
        assert account_recovery.finish_unlock(work, link, account) is False
    assert len(world.events("account.unlocked")) == len(world.mails("account_unlocked")) == 1
    (spent,) = world.events("link.spent")
    assert spent.data["purpose"] == "unlock"


def test_rs_this_was_not_me_ends_all_sessions_and_sends_one_reset(world: World) -> None:
    """N68: sessions end, the password no longer counts; the second request gets nothing."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        session = session_of(work, account)
        link = link_for(work, account, Purpose.DISOWN)
        token = account_recovery.disown(work, link, account)
        assert token is not None
        found = links.look_up(work, Purpose.RESET, token)
        assert isinstance(found, Link)
        assert found.asks_question
        work.db.refresh(session)
        assert session.ended_at == work.now
        assert (account.state, account.state_reason) == (AccountState.RESET_REQUIRED, "disowned")
        assert account_recovery.disown(work, link, account) is None
    assert len(world.events("account.disowned")) == 1


@pytest.mark.parametrize("keeps_one", [True, False])
def test_rs_every_password_change_ends_sessions_and_secrets(world: World, keeps_one: bool) -> None:
    """RS-05, N66, N68: whoever knew the old one loses what it opened; other accounts do not."""
    username, other = world.account(), world.account()
    with world.work() as work:
        account, beside = (accounts.by_username(work, name) for name in (username, other))
        kept, ended, foreign = (session_of(work, row) for row in (account, account, beside))
        reset = link_for(work, account, Purpose.RESET)
        unlock = link_for(work, account, Purpose.UNLOCK)
        code_for(work, account, Goal.RESET)
        for row in (account, beside):
            failed_attempts.record_outcome(work, f"account:{row.id}", row, matched=False)
            browsers.record_sign_in(work, row, "", remember=True, with_factor=False)
        password_replacement.on_password_changed(work, account, keep=kept if keeps_one else None)
        work.db.flush()
        work.db.expire_all()
        assert [row.ended_at is None for row in (kept, ended, foreign)] == [keeps_one, False, True]
        assert (reset.superseded_at, unlock.superseded_at) == (work.now, None)
        flow = one_time_codes.flow_digest(work, CodePurpose.RESET, "flow")
        code = one_time_codes.latest(work, CodePurpose.RESET, flow)
        assert code is not None
        assert code.superseded_at == work.now
        assert work.db.scalars(select(Throttle.account_id)).all() == [beside.id]
        live = select(KnownBrowser.account_id).where(KnownBrowser.ended_at.is_(None))
        assert work.db.scalars(live).all() == [beside.id]
        assert (account.distrusted_at, account.distrusted_for) == (work.now, "new_password")
        assert (account.state, account.state_reason) == (AccountState.ACTIVE, "test")
    assert len(world.mails("password_changed", to=username)) == 1
    assert not world.mails("password_changed", to=other)


def test_rs_a_new_password_ends_a_required_reset(world: World) -> None:
    """RS-05: where a reset was required."""
    username = world.account(state=AccountState.RESET_REQUIRED)
    with world.work() as work:
        account = accounts.by_username(work, username)
        password_replacement.on_password_changed(work, account)
        assert account.state == AccountState.ACTIVE
        assert account.state_reason == "password_replaced"


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
@pytest.mark.parametrize("hours", [0, 24])
def test_ma_the_former_password_of_a_machine_account_overlaps(
    world: World, kind: AccountKind, hours: int
) -> None:
    """SP-02: programs have time to change theirs, for machine accounts alone and on demand."""
    username = world.account(kind=kind)
    world.relying_party()
    overlaps = kind is AccountKind.MACHINE and hours > 0
    with world.work() as work:
        account = accounts.by_username(work, username)
        before, hasher = account.password_hash, hasher_of(world)
        client = registry.get(work, "emi")
        planned = grant_lifecycle.plan_for_machine(work, client, account, ["groups"], None)
        created = grant_lifecycle.add(work, planned)
        grant = work.db.get_one(Grant, created)
        session = session_of(work, account)
        wrong = password_replacement.change_password(
            work, hasher, session, current="wrong", new=NEW_PASSWORD
        )
        assert wrong == ("current",)
        assert account.password_hash == before
        cookie = password_replacement.change_password(
            work, hasher, session, current=PASSWORD, new=NEW_PASSWORD,
            overlap=timedelta(hours=hours),
        )  # fmt: skip
        assert isinstance(cookie, str)
        former = (account.former_password_hash, account.former_password_until)
        expected = (before, work.now + timedelta(hours=24)) if overlaps else (None, None)
        assert former == expected
        assert hasher.verify(NEW_PASSWORD, account.password_hash)
        assert session.ended_at is None
        found = sessions.find(work, cookie)
        assert found is session
        work.db.refresh(grant)
        assert (grant.revoked_at is None) is overlaps
    told = [event.data["hours"] for event in world.events("password.overlap")]
    assert told == ([24] if overlaps else [])


@pytest.mark.parametrize("asks", [True, False])
def test_z02_a_link_that_requires_the_question_is_refused_without_the_answer(
    world: World, asks: bool
) -> None:
    """Z-02: a wrong answer leaves the link; the rules of passwords are told to the holder alone."""
    username = world.account()
    hasher = hasher_of(world)
    with world.work() as work:
        account = accounts.by_username(work, username)
        work.db.add(
            SecurityAnswer(
                account_id=account.id,
                question="first_pet",
                answer_hash=hasher.hash(ANSWER),
                set_at=work.now,
            )
        )
        link = link_for(work, account, Purpose.RESET, asks_question=asks)

        def reset(password: str, answer: str) -> Any:
            return account_recovery.reset_password(
                work, hasher, link, account, password, answer=answer
            )

        asked = account_recovery.asks_question(work, link, account)
        assert (asked is not None) is asks
        if asks:
            assert reset("short", "wrong") == reset(NEW_PASSWORD, "wrong") == ("answer",)
            assert link.used_at is None
        assert "answer" not in reset("short", ANSWER)
        assert account.password_hash is not None
        assert hasher.verify(PASSWORD, account.password_hash)
        assert reset(NEW_PASSWORD, ANSWER) == ()
        assert account.distrusted_for == "new_password"
        assert hasher.verify(NEW_PASSWORD, account.password_hash)
        assert reset("Marble-Otter3-window", ANSWER) is Problem.USED
        assert hasher.verify(NEW_PASSWORD, account.password_hash)
    purposes = [event.data["purpose"] for event in world.events("link.spent")]
    assert purposes == ["reset"]
    assert bool(world.events("question.answered")) is asks
