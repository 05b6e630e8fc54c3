"""Guessing passwords: what is counted, where, and what it costs whom (N49 to N52, R11)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.app import create_app, db
from idp.directory import accounts
from idp.maintenance import alarms
from idp.models import AccountKind, AccountState, Throttle
from idp.policy.console import ConsoleRole
from idp.policy.lockout import REVEALING_ATTEMPTS, Budget, Record, after_failure
from idp.session import failed_attempts
from idp.settings import Settings
from tests.console.desk import Desk
from tests.security.test_login import fingerprint
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World

WRONG = "Wrong-Heron7-lantern"
ELSEWHERE, HOME = "203.0.113.9", "192.0.2.7"


def browser_at(world: World, address: str) -> Browser:
    """A new browser in a network."""
    browser = world.browser()
    browser.client.environ_base["REMOTE_ADDR"] = address
    return browser


def fail(world: World, typed: str, times: int, address: str = ELSEWHERE) -> None:
    """So many wrong passwords, each from a new browser."""
    for _ in range(times):
        assert browser_at(world, address).sign_in(typed, WRONG).status_code == 400


def gets_in(world: World, username: str, address: str = ELSEWHERE) -> bool:
    return browser_at(world, address).sign_in(username).status_code == 200


def test_n49_ten_failures_lock_for_a_quarter_of_an_hour(world: World) -> None:
    """N49, K.04: refused in the same words, then the right password works by itself."""
    username = world.account()
    fail(world, username, 9)
    assert gets_in(world, username)
    fail(world, username, 10)
    fail(world, "nobody1", 10)
    wrong = browser_at(world, ELSEWHERE).sign_in(username, WRONG)
    unknown = browser_at(world, ELSEWHERE).sign_in("nobody1", WRONG)
    prints = {
        str(fingerprint(answer, name)) for answer, name in ((wrong, username), (unknown, "nobody1"))
    }
    assert len(prints) == 1
    assert not gets_in(world, username)
    assert world.events("signin.refused")[-1].reason == "throttled"
    world.clock.advance(minutes=15, seconds=-1)
    assert not gets_in(world, username)
    world.clock.advance(seconds=1)
    assert gets_in(world, username)


def test_n49_during_a_lock_out_three_attempts_learn_the_result(world: World) -> None:
    """N47, N49, RS-08: three attempts in a lock-out are told whether the password is right; every
    later one gets the words of a wrong password. After the lock-out the budget is whole again."""
    username = world.account()
    fail(world, username, 10)
    said = (
        "Sign-in to your account is blocked until 25 November 2026, 09:45 EST after too many "
        "failed attempts."
    )
    fail(world, username, 2)
    answer = browser_at(world, ELSEWHERE).sign_in(username)
    assert (answer.status_code, said in answer.text) == (400, True)
    for _ in range(3):
        answer = browser_at(world, ELSEWHERE).sign_in(username)
        assert (answer.status_code, said in answer.text) == (400, False)
        assert "Incorrect user name or password." in answer.text
        assert world.events("signin.refused")[-1].reason == "throttled"
    world.clock.advance(minutes=15)
    fail(world, username, 9)
    assert gets_in(world, username)


def test_n49_failures_long_ago_do_not_count(world: World) -> None:
    """N49: the window slides."""
    username = world.account()
    for _ in range(20):
        fail(world, username, 1)
        world.clock.advance(minutes=2)
    assert gets_in(world, username)


SPELLINGS = [
    "holder-one", "HOLDER-ONE", " holder-one ", "holder\uff0done", "\uff48older-one",
    "holder-one@participant.example", "Holder-One@Participant.EXAMPLE",
]  # fmt: skip


def test_n49_all_spellings_share_one_counter(world: World) -> None:
    """N49: user name, e-mail, letter case and Unicode forms."""
    username = world.account("holder-one")
    for typed in (SPELLINGS * 2)[:10]:
        fail(world, typed, 1)
    assert not gets_in(world, username)
    assert [event.account_id for event in world.events("signin.refused")].count(None) == 0


def test_n49_an_unknown_name_is_counted_too(world: World) -> None:
    """N47, N49: the same rows are written, whoever exists."""
    for typed in ("Nobody-one", "nobody-ONE ", "\uff4eobody-one"):
        fail(world, typed, 1)
    with world.work() as work:
        (row,) = work.db.query(Throttle).all()
        assert len(row.failures) == 3
        assert "nobody" not in row.key.lower()


def test_n49_at_most_ten_concurrent_guesses_are_checked(world: World) -> None:
    """N49: sixteen at once, the right one among them after ten wrong ones: refused."""
    username = world.account()
    fail(world, username, 9)
    barrier = threading.Barrier(8, timeout=60)
    statuses: list[int] = []

    def attempt() -> None:
        browser = browser_at(world, ELSEWHERE)
        page = browser.get("/signin")
        barrier.wait()
        statuses.append(browser.sign_in(username, WRONG, page).status_code)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [400] * 8
    assert len(world.events("signin.locked")) == 1
    assert not gets_in(world, username)


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_n49_the_account_holder_gets_one_mail_for_a_lock_out(
    world: World, kind: AccountKind
) -> None:
    """One mail for a lock, with the way out; the state of the account stays."""
    username = world.account(kind=kind)
    fail(world, username, 30)
    (mail,) = world.mails("signin_locked", to=username)
    assert "/recover/unlock" in mail.text
    assert "09:45 EST" in mail.text
    assert world.account_row(username).state == AccountState.ACTIVE


def test_n51_a_remembered_browser_has_its_own_limit(world: World) -> None:
    """N51: a thousand failures elsewhere do not keep the holder out of his own workstation."""
    username = world.account()
    mine = browser_at(world, HOME)
    mine.sign_in(username, remember="1")
    mine.submit(mine.get("/signout"), "/signout")
    fail(world, username, 40)
    world.clock.advance(minutes=14)
    fail(world, username, 10)
    assert not gets_in(world, username)
    mine.client.environ_base["REMOTE_ADDR"] = "198.51.100.77"
    assert mine.sign_in(username).status_code == 200


def test_n51_attempts_in_a_remembered_browser_are_limited(world: World) -> None:
    """N51: its budget is as small as any other."""
    username = world.account()
    mine = browser_at(world, HOME)
    mine.sign_in(username, remember="1")
    mine.submit(mine.get("/signout"), "/signout")
    for _ in range(10):
        assert mine.sign_in(username, WRONG).status_code == 400
    assert mine.sign_in(username).status_code == 400
    assert gets_in(world, username, "198.51.100.77")


def test_n51_the_usual_network_has_its_own_limit(world: World) -> None:
    """N51: from another address than the attacker's, without any cookie."""
    username = world.account()
    browser_at(world, HOME).sign_in(username)
    fail(world, username, 50)
    assert not gets_in(world, username, ELSEWHERE)
    assert gets_in(world, username, HOME)


def test_n51_no_lock_is_lengthened_by_more_failures(world: World) -> None:
    """N51: it ends on time although the attacker never stops, so nothing is for ever."""
    username = world.account()
    fail(world, username, 10)
    for _ in range(14):
        world.clock.advance(minutes=1)
        fail(world, username, 3)
    world.clock.advance(minutes=1)
    assert gets_in(world, username)


def test_n51_a_copied_cookie_gives_no_attempts(world: World) -> None:
    """The attacker's own recognised browser, put into the holder's: not recognised afterwards."""
    attacker_name, username = world.account(), world.account()
    attacker, victim = browser_at(world, ELSEWHERE), browser_at(world, HOME)
    attacker.sign_in(attacker_name, remember="1")
    name = world.settings.cookie_name("browser")
    planted = attacker.client.get_cookie(name, "gateway.test")
    assert planted is not None
    victim.client.set_cookie(name, planted.value, domain="gateway.test", secure=True)
    victim.sign_in(username, remember="1")
    fresh = victim.client.get_cookie(name, "gateway.test")
    assert fresh is not None
    assert fresh.value != planted.value
    thief = browser_at(world, ELSEWHERE)
    thief.client.set_cookie(name, planted.value, domain="gateway.test", secure=True)
    fail(world, username, 10)
    assert thief.sign_in(username).status_code == 400


def test_n51_a_forgotten_browser_is_like_any_other(world: World) -> None:
    """A password change and "sign out everywhere" end it."""
    username = world.account()
    mine = browser_at(world, "198.51.100.1")
    mine.sign_in(username, remember="1")
    fields = {"current": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    mine.submit(mine.get("/settings/password"), "/settings/password", **fields)
    mine.submit(mine.get("/signout"), "/signout")
    fail(world, username, 10)
    mine.client.environ_base["REMOTE_ADDR"] = ELSEWHERE
    assert mine.sign_in(username, NEW_PASSWORD).status_code == 400


HEADERS = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP"]


@pytest.mark.parametrize("header", HEADERS)
def test_n52_spoofed_headers_do_not_reset_counters(world: World, header: str) -> None:
    """N52: a new address in every request changes nothing while no proxy is trusted."""
    username = world.account()
    browser_at(world, HOME).sign_in(username)
    for number in range(10):
        browser = browser_at(world, ELSEWHERE)
        browser.client.environ_base[f"HTTP_{header.upper().replace('-', '_')}"] = (
            f"for={HOME}" if header == "Forwarded" else f"{HOME}, 10.0.0.{number}"
        )
        browser.sign_in(username, WRONG)
    spoofing = browser_at(world, ELSEWHERE)
    spoofing.client.environ_base[f"HTTP_{header.upper().replace('-', '_')}"] = HOME
    assert spoofing.sign_in(username).status_code == 400
    assert {event.ip for event in world.events("signin.refused")} == {ELSEWHERE}


def test_n51_an_ipv6_network_counts_as_one(world: World) -> None:
    """N51, N52: another address of a /64 is no other network; the next /64 is."""
    username = world.account()
    at_home = "2001:db8:0:7:{}::1"
    browser_at(world, at_home.format("1")).sign_in(username)
    for number in range(10):
        fail(world, username, 1, at_home.format(number + 2))
    assert not gets_in(world, username, at_home.format("ffff"))
    assert gets_in(world, username, "2001:db8:0:8::1")
    (locked,) = world.events("signin.locked")
    assert locked.data["scope"] == "network"


def test_n50_failures_of_an_ipv6_network_add_up_for_the_alarm(world: World) -> None:
    """N50: fifty addresses of one /64 are one network."""
    for number in range(50):
        fail(world, f"nobody-{number:03}", 1, f"2001:db8::7:{number + 1:x}")
    with world.work() as work:
        assert alarms.raise_due(work) == 1
    (alarm,) = world.events(alarms.NAME)
    assert alarm.data == {"network": "2001:db8::/64", "failures": 50}


def test_n50_spraying_raises_an_alarm(world: World) -> None:
    """N50: one password at many accounts: by network and in all, once a window, in the trail."""
    names = [f"nobody-{number:03}" for number in range(60)]
    for name in names[:49]:
        browser_at(world, ELSEWHERE).sign_in(name, WRONG)
    with world.work() as work:
        assert alarms.raise_due(work) == 0
    fail(world, names[49], 1)
    with world.work() as work:
        assert alarms.raise_due(work) == 1
    with world.work() as work:
        assert alarms.raise_due(work) == 0
    (alarm,) = world.events(alarms.NAME)
    assert alarm.data == {"network": ELSEWHERE, "failures": 50}
    seen = {
        role: f"50 refused sign-ins from {ELSEWHERE}"
        in Desk.of(world, role).browser.get("/console").text
        for role in ConsoleRole
    }
    assert seen == {ConsoleRole.AGENT: False, ConsoleRole.ACCESS: True, ConsoleRole.AUDITOR: True}


def test_n50_spraying_from_many_networks_raises_an_alarm(settings: Settings, world: World) -> None:
    """N50: fifty networks, few failures each: the sum is noticed."""
    for number in range(100):
        fail(world, f"nobody-{number:03}", 2, f"198.51.100.{number % 50}")
    world.run_worker()
    assert [event.data["network"] for event in world.events(alarms.NAME)] == ["all networks"]


def test_n50_a_network_with_only_failures_is_limited(settings: Settings, world: World) -> None:
    """N50: refused sign-ins of one network are limited apart; the others go on."""
    limited = replace(settings, signin_failure_limit="20 per 15 minute")
    app = create_app(limited, world.app.extensions["runtime"].ports)
    strict = World(app, limited, world.clock, world.mailer)
    username = world.account()
    try:
        answers = [
            browser_at(strict, ELSEWHERE).sign_in(f"nobody-{n}", WRONG).status_code
            for n in range(25)
        ]
        assert answers == [400] * 20 + [429] * 5
        assert browser_at(strict, ELSEWHERE).sign_in(username).status_code == 429
        for _ in range(30):
            assert browser_at(strict, HOME).sign_in(username).status_code == 200
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_r11_the_lock_does_not_need_redis(settings: Settings, world: World) -> None:
    """R11, I8: accounts are locked in the database; with Redis gone nothing opens."""
    gone = replace(settings, redis_url="redis://127.0.0.1:1/0", signin_failure_limit="48 per hour")
    app = create_app(gone, world.app.extensions["runtime"].ports)
    without = World(app, gone, world.clock, world.mailer)
    username = world.account()
    try:
        fail(world, username, 10)
        assert not gets_in(without, username)
        answers = [
            browser_at(without, HOME).sign_in(f"nobody-{n}", WRONG).status_code for n in range(13)
        ]
        assert answers[-1] == 429
        assert 500 not in answers
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_sp02_guessing_the_current_password_in_settings_is_counted(world: World) -> None:
    """SP-02: a browser left open is no place to guess in."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = browser.get("/settings/password")
    fields = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
    for _ in range(10):
        browser.submit(page, "/settings/password", current=WRONG, **fields)
    refused = browser.submit(page, "/settings/password", current=PASSWORD, **fields)
    assert 'data-broken="current"' in refused.text
    assert gets_in(world, username)
    world.clock.advance(minutes=15)
    done = browser.submit(page, "/settings/password", current=PASSWORD, **fields)
    assert "Password changed successfully" in done.text


def test_the_database_has_few_counter_rows_for_an_account(world: World) -> None:
    """An account has at most a handful of rows, each with fewer failures than the limit."""
    username = world.account()
    fail(world, username, 35)
    with world.work() as work:
        account = accounts.by_username(work, username)
        (lock,) = failed_attempts.locks(work, account)
        assert len(lock.failures) == REVEALING_ATTEMPTS + 1
        failed_attempts.clear(work, account)
        assert failed_attempts.locks(work, account) == []


def test_a_lock_set_in_the_future_ends_after_its_length(world: World) -> None:
    """N92: a clock that ran ahead and was set back locks nobody for longer than the lock."""
    username = world.account()
    world.clock.advance(days=300)
    fail(world, username, 10)
    world.clock.advance(days=-300)
    assert gets_in(world, username)


def test_the_lock_out_rule(world: World) -> None:
    """The budget is a calculation: so many in the window, not more, not fewer."""
    now = world.clock.now()
    budget = Budget(3, timedelta(minutes=1), timedelta(minutes=5))
    record = Record()
    for _ in range(2):
        record = after_failure(record, now, budget)
        assert not record.is_locked(now)
    record = after_failure(record, now, budget)
    assert record.is_locked(now)
    assert record.locked_until == now + timedelta(minutes=5)
    for number in range(1, 6):
        record = after_failure(record, now + timedelta(minutes=4), budget)
        assert len(record.failures) == min(number, REVEALING_ATTEMPTS + 1)
        assert record.locked_until == now + timedelta(minutes=5)
    later = now + timedelta(minutes=5)
    assert after_failure(record, later, budget) == Record((later,))
