"""What a request for help with signing in sends, by the state of the account (RS-01 to RS-08)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import accounts
from idp.errors import CodeNotSent, SendLimit
from idp.models import AccountState, Link, OneTimeCode
from idp.recovery import recovery_requests
from idp.recovery.recovery_requests import Channel, Goal
from idp.transaction import Origin
from tests.world import World

PHONE = "+14169671111"
RESET, UNLOCK = Goal.RESET, Goal.UNLOCK
MAIL, SMS = Channel.MAIL, Channel.SMS
S = AccountState


def ask(world: World, username: str, goal: Goal, channel: Channel) -> None:
    """A request, processed."""
    with world.work() as work:
        recovery_requests.request_recovery(work, goal, channel, username)
    with world.work() as work:
        assert recovery_requests.process_next(work) is True
        assert recovery_requests.process_next(work) is False


def set_up(
    world: World, state: AccountState, *, phone: bool = False, activated: bool = True
) -> str:
    """An account in this state."""
    username = world.account(state=state)
    with world.work() as work:
        account = accounts.by_username(work, username)
        account.recovery_phone = PHONE if phone else None
        account.activated_at = work.now if activated else None
    return username


def sent(world: World, username: str) -> list[str]:
    """The kinds of what was sent to the account about its recovery."""
    told = ("recovery", "reset", "unlock", "not_activated")
    return [mail.kind for mail in world.mails(to=username) if any(w in mail.kind for w in told)]


@pytest.mark.parametrize(
    ("state", "goal", "channel", "phone", "kind", "reason"),
    [
        (S.ACTIVE, RESET, MAIL, False, "password_reset_link", None),
        (S.ACTIVE, RESET, MAIL, True, "password_reset_link", None),
        (S.ACTIVE, UNLOCK, MAIL, False, "unlock_link", None),
        (S.ACTIVE, RESET, SMS, True, "sms_reset_code", None),
        (S.ACTIVE, UNLOCK, SMS, True, "sms_unlock_code", None),
        # Without a verified number the link goes to the registered address.
        (S.ACTIVE, RESET, SMS, False, "password_reset_link", None),
        (S.ACTIVE, UNLOCK, SMS, False, "unlock_link", None),
        # Where a new password is due, unlocking alone would lead nowhere.
        (S.RESET_REQUIRED, UNLOCK, MAIL, False, "password_reset_link", None),
        (S.RESET_REQUIRED, UNLOCK, SMS, True, "password_reset_link", None),
        (S.RESET_REQUIRED, RESET, SMS, True, "sms_reset_code", None),
        (S.LOCKED, RESET, MAIL, False, "recovery_not_possible", "account_locked"),
        (S.SUSPENDED, UNLOCK, SMS, True, "recovery_not_possible", "account_suspended"),
        (S.DEACTIVATED, RESET, MAIL, False, None, "account_deactivated"),
    ],
)
def test_rs_the_message_of_a_request_depends_on_state_goal_and_channel(
    world: World,
    state: AccountState,
    goal: Goal,
    channel: Channel,
    phone: bool,
    kind: str | None,
    reason: str | None,
) -> None:
    """RS-02, RS-03, RS-08; the trail has the reason, the page says the same to everyone."""
    username = set_up(world, state, phone=phone)
    ask(world, username, goal, channel)
    assert sent(world, username) == ([kind] if kind else [])
    (event,) = world.events(f"{goal}.requested")
    assert (event.reason, event.data["channel"]) == (reason, str(channel))
    assert event.account_id == world.account_row(username).id
    told = [(row.data["purpose"]) for row in world.events("link.sent")]
    is_link = bool(kind and kind.endswith("_link"))
    purpose = "unlock" if kind == "unlock_link" else "reset"
    assert told == ([purpose] if is_link else [])
    with world.work() as work:
        links = work.db.scalars(select(Link).where(Link.purpose.in_(["reset", "unlock"]))).all()
        assert [(row.purpose, row.asks_question) for row in links] == (
            [(purpose, purpose == "reset")] if is_link else []
        )
        codes = work.db.scalars(select(OneTimeCode)).all()
        assert [(row.purpose, row.destination) for row in codes] == (
            [(str(goal), PHONE)] if kind and kind.startswith("sms") else []
        )


@pytest.mark.parametrize("state", [S.PENDING, S.SUSPENDED, S.LOCKED])
def test_rs07_an_account_that_was_never_activated_has_nothing_to_recover(
    world: World, state: AccountState
) -> None:
    """RS-07."""
    username = set_up(world, state, activated=False)
    ask(world, username, RESET, MAIL)
    assert sent(world, username) == ["not_activated"]
    (event,) = world.events("reset.requested")
    assert event.reason == f"account_{state}"


def test_rs01_an_account_gets_five_messages_an_hour(world: World) -> None:
    """RS-01: counted for each account, whatever is asked for."""
    first, second = set_up(world, S.ACTIVE), set_up(world, S.ACTIVE)
    for goal in (RESET, UNLOCK, RESET, UNLOCK, RESET, RESET):
        ask(world, first, goal, MAIL)
    assert len(sent(world, first)) == 5
    assert world.events("reset.requested")[-1].reason == "too_many_requests"
    ask(world, second, RESET, MAIL)
    assert len(sent(world, second)) == 1
    world.clock.advance(hours=1)
    ask(world, first, RESET, MAIL)
    assert len(sent(world, first)) == 6


def test_rs03_a_limit_of_text_messages_is_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RS-03: no code is made, and the mail is not sent instead."""
    username = set_up(world, S.ACTIVE, phone=True)

    def limited(*_: Any, **__: Any) -> None:
        raise CodeNotSent(SendLimit.TEXTS_ACCOUNT)

    monkeypatch.setattr(recovery_requests.text_messages, "send", limited)
    ask(world, username, RESET, SMS)
    assert sent(world, username) == []
    assert world.events("reset.requested")[-1].reason == SendLimit.TEXTS_ACCOUNT


def test_tm_a_request_is_recorded_with_the_origin_of_its_sender(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TM-12: the worker is not who asked; what sends nothing proves nothing and is sampled."""
    username = set_up(world, S.ACTIVE)
    given: list[bool] = []
    record = events.record

    def noted(work: Any, action: AuditAction, **values: Any) -> None:
        if "proved" in values:
            given.append(values["proved"])
        record(work, action, **values)

    monkeypatch.setattr(recovery_requests.events, "record", noted)
    with world.work() as work:
        work.origin = replace(Origin(actor="anonymous"), ip="192.0.2.1", request_id="r-1")
        recovery_requests.request_recovery(work, RESET, MAIL, username)
        recovery_requests.request_recovery(work, RESET, MAIL, "nobody")
    with world.work() as work:
        while recovery_requests.process_next(work):
            pass
    assert given == [True, False]
    first, second = world.events("reset.requested")
    assert (first.ip, first.request_id, first.reason) == ("192.0.2.1", "r-1", None)
    assert (second.account_id, second.reason) == (None, "unknown_account")


def test_rs_a_request_is_processed_by_one_of_two_workers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RS-02: the other was first; there may be more requests behind it."""
    username = set_up(world, S.ACTIVE)
    monkeypatch.setattr(recovery_requests, "spend_once", lambda *_: False)
    with world.work() as work:
        recovery_requests.request_recovery(work, RESET, MAIL, username)
    with world.work() as work:
        assert recovery_requests.process_next(work) is True
    assert sent(world, username) == []
    assert world.events("reset.requested") == []
