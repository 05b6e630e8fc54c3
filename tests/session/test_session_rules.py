"""Sessions, browsers and sign-ins in progress as services: whose they are and when they end."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from idp.clients import registry
from idp.directory import accounts
from idp.grants import grant_lifecycle
from idp.mfa.risk_values import Device
from idp.models import (
    Account,
    AccountState,
    BrowserSession,
    DeviceBinding,
    Grant,
    KnownBrowser,
)
from idp.policy.scopes import ACR_MFA
from idp.policy.session_rules import TOUCH_INTERVAL
from idp.session import browser_accounts, browsers, failed_attempts, interactions, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import Origin, UnitOfWork
from tests.tables import needs_postgresql
from tests.world import World

SECOND = timedelta(seconds=1)


def got(work: UnitOfWork, username: str) -> Account:
    return accounts.by_username(work, username)


def started(work: UnitOfWork, username: str, **more: Any) -> tuple[BrowserSession, str]:
    values: dict[str, Any] = {"methods": ("pwd",), "own": None} | more
    return sessions.start(work, got(work, username), **values)


# Sign-ins in progress


def test_n54_a_sign_in_belongs_to_the_browser_that_started_it(world: World) -> None:
    """N54: until its last second, and until it is finished; once."""
    with world.work() as work:
        row = interactions.begin(work, "mine")
        work.db.flush()
        handle = row.handle
        assert row.request == {}
        assert interactions.find(work, handle, "mine") is row
        for other in ("other", "", None):
            assert interactions.find(work, handle, other) is None
        for wrong in ("", "x", handle + "x" * 65):
            assert interactions.find(work, wrong, "mine") is None
        work.now = row.expires_at - SECOND
        assert interactions.find(work, handle, "mine") is row
        work.now = row.expires_at
        assert interactions.find(work, handle, "mine") is None
        work.now -= SECOND
        assert interactions.complete(work, row) is True
        assert interactions.complete(work, row) is False
        work.db.refresh(row)
        assert interactions.find(work, handle, "mine") is None


def test_n54_an_expired_sign_in_restarts_only_in_its_browser_or_from_this_site(
    world: World,
) -> None:
    """N54: with its request and nothing that was done; not from a link to another's."""
    world.relying_party()
    with world.work() as work:
        client = registry.get(work, "emi")
        request = {"scope": "openid"}
        row = interactions.begin(work, "mine", client=client, request=request)
        own = interactions.begin(work, "mine", request=request)
        work.db.flush()

        def again(handle: str, former: str | None, is_same_origin: bool) -> Any:
            return interactions.restart(
                work, handle, "new", former=former, is_same_origin=is_same_origin
            )

        for former, here, expected in (
            ("mine", False, True), ("mine", True, True), (None, True, True),
            ("other", True, True), ("other", False, False), (None, False, False),
        ):  # fmt: skip
            made = again(row.handle, former, here)
            assert (made is not None) is expected, (former, here)
            if made is not None:
                work.db.flush()
                assert (made.client, made.request, made.stage) == (client, request, "started")
                assert interactions.find(work, made.handle, "new") is made
                assert made.handle != row.handle
        # One to the gateway's own pages has nothing to begin with.
        assert again(own.handle, "mine", True) is None
        for handle in ("", "x", "x" * 65):
            assert again(handle, "mine", True) is None
        work.now = row.expires_at
        assert again(row.handle, "mine", False) is not None
        client.disabled_at = work.now
        assert again(row.handle, "mine", True) is None
        client.disabled_at = None
        interactions.complete(work, row)
        work.db.refresh(row)
        assert again(row.handle, "mine", True) is None


def test_consents_add_up_for_one_account_and_client(world: World) -> None:
    """OIDC Core 3.1.2.4."""
    names = [world.account(), world.account()]
    world.relying_party()
    world.relying_party("Other")
    with world.work() as work:
        mine, theirs = (got(work, name) for name in names)
        emi, other = registry.get(work, "emi"), registry.get(work, "other")
        interactions.remember_consent(work, mine, emi, ["openid", "email"])
        work.db.flush()
        assert interactions.consents(work, theirs) == []
        assert interactions.consent_of(work, theirs.id, emi) is None
        assert interactions.consent_of(work, mine.id, other) is None
        work.now += SECOND
        interactions.remember_consent(work, mine, emi, ["phone"])
        (row,) = interactions.consents(work, mine)
        assert (row.scopes, row.granted_at) == (["email", "openid", "phone"], work.now)


# Browsers


def test_n51_a_browser_is_known_for_the_accounts_that_signed_in_with_it(world: World) -> None:
    """N51, MF-03: by its present cookie; a forgotten one is known as such."""
    names = [world.account(), world.account(), world.account()]
    with world.work() as work:
        one, two, none = (got(work, name) for name in names)
        first, is_new = browsers.record_sign_in(work, one, "", remember=False, with_factor=False)
        assert is_new is False
        work.db.flush()
        apart, _ = browsers.record_sign_in(work, none, "", remember=False, with_factor=False)
        work.db.flush()
        work.origin = Origin(ip="203.0.113.9", user_agent="other/1")
        cookie, is_new = browsers.record_sign_in(work, two, first, remember=True, with_factor=True)
        assert is_new is False
        work.db.flush()
        again, is_new = browsers.record_sign_in(
            work, one, cookie, remember=False, with_factor=False
        )
        assert is_new is False
        cookie = again
        work.db.flush()
        work.db.expire_all()
        # All rows of the browser have the new value; a planted one is worth nothing.
        for account, expected in (
            (one, Device.KNOWN),
            (two, Device.KNOWN),
            (none, Device.OF_ANOTHER),
        ):
            assert browsers.recognise(work, account, cookie).device is expected
            assert browsers.recognise(work, account, first).device is Device.UNKNOWN
            assert (browsers.known(work, account, cookie) is not None) is (account is not none)
        assert browsers.known(work, None, cookie) is None
        assert browsers.recognise(work, none, apart).device is Device.KNOWN
        assert browsers.known(work, one, "") is None
        row, other = browsers.known(work, two, cookie), browsers.known(work, one, cookie)
        assert row is not None
        assert other is not None
        assert (row.proved_at, other.proved_at) == (work.now, None)
        assert browsers.remembered(work, two) == [row]
        assert browsers.remembered(work, one) == []
        assert browsers.forget(work, one, row.public_id) is False
        assert browsers.forget(work, two, row.public_id) is True
        assert browsers.forget(work, two, row.public_id) is False
        assert browsers.remembered(work, two) == []
        assert browsers.recognise(work, two, cookie).device is Device.REVOKED
        assert browsers.known(work, two, cookie) is None
        assert browsers.recognise(work, one, cookie).device is Device.KNOWN
        assert browsers.is_remembered(work, row) is False
    assert len(world.events("browser.forgotten")) == 1


@needs_postgresql("SQLite has one writer")
def test_n51_two_tabs_that_sign_in_two_accounts_each_leave_a_cookie_that_is_known(
    world: World,
) -> None:
    """N51: the second tab waits for the first. Its browser is a new one to it, which has missed the
    answer, and both cookies are recognised."""
    names, shared = [world.account(), world.account()], ""
    with world.work() as work:
        for name in names:
            shared, _ = browsers.record_sign_in(
                work, got(work, name), shared, remember=True, with_factor=False
            )
            work.db.flush()
    made: list[tuple[str, Device, str]] = []

    def sign_in(name: str) -> None:
        with world.work() as work:
            account = got(work, name)
            device = browsers.recognise(work, account, shared).device
            if not made:
                made.append(("", device, ""))
                thread.start()
                wait_for_waiting(work)
            cookie, _ = browsers.record_sign_in(
                work, account, shared, remember=False, with_factor=False
            )
            made.append((name, device, cookie))

    thread = threading.Thread(target=sign_in, args=names[1:])
    sign_in(names[0])
    thread.join(20)
    assert [(name, device) for name, device, _ in made[1:]] == [
        (names[0], Device.KNOWN), (names[1], Device.UNKNOWN),
    ]  # fmt: skip
    with world.work() as work:
        for name, _, cookie in made[1:]:
            assert browsers.recognise(work, got(work, name), cookie).device is Device.KNOWN


def wait_for_waiting(work: UnitOfWork) -> None:
    """Wait until another transaction waits for this one."""
    pid = work.connection.scalar(text("SELECT pg_backend_pid()"))
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))")
    end = time.monotonic() + 20
    while not work.connection.scalar(waiting, {"pid": pid}) and time.monotonic() < end:
        time.sleep(0.01)


def test_z13_a_browser_is_remembered_until_its_last_second(world: World) -> None:
    """Z-13: and as long as the holder asked for it."""
    username = world.account()
    with world.work() as work:
        account = got(work, username)
        cookie, _ = browsers.record_sign_in(work, account, "", remember=True, with_factor=True)
        work.db.flush()
        row = browsers.known(work, account, cookie)
        assert row is not None
        until = row.remembered_until
        assert until == work.after(days=work.settings.remember_days)
        proved = row.proved_at
        for moment, expected in ((until - SECOND, True), (until, False)):
            work.now = moment
            assert browsers.is_remembered(work, row) is expected
            assert (browsers.remembered(work, account) == [row]) is expected
        assert browsers.is_remembered(work, None) is False
        # A sign-in without either changes neither.
        browsers.record_sign_in(work, account, cookie, remember=False, with_factor=False)
        assert (row.remembered_until, row.proved_at, row.last_seen_at) == (until, proved, work.now)


@pytest.mark.parametrize(
    ("ip", "agent", "days", "expected"),
    [
        ("192.0.2.1", "curl/8", 89, False),
        ("192.0.2.1", "curl/8", 90, True),
        ("192.0.2.9", "curl/8", 0, True),
        ("192.0.2.1", "other/1", 0, True),
    ],
)
def test_another_network_or_program_is_a_new_browser(
    world: World, ip: str, agent: str, days: int, expected: bool
) -> None:
    """The holder hears of it, for ninety days once; the first browser of all is not new."""
    username, other = world.account(), world.account()
    with world.work() as work:
        work.origin = Origin(ip="192.0.2.1", user_agent="curl/8")
        account = got(work, username)
        record = browsers.record_sign_in
        # What another person did there says nothing.
        for holder in (got(work, other), account):
            assert record(work, holder, "", remember=False, with_factor=False)[1] is False
            work.db.flush()
        work.origin = Origin(ip=ip, user_agent=agent)
        record(work, got(work, other), "", remember=False, with_factor=False)
        work.db.flush()
        work.now += timedelta(days=days)
        assert record(work, account, "", remember=False, with_factor=False)[1] is expected
        rows = work.db.scalars(
            select(KnownBrowser.user_agent).where(KnownBrowser.account_id == account.id)
        )
        assert set(rows) == {"curl/8", agent}


def test_browsers_without_a_user_agent_are_the_same_browser(world: World) -> None:
    """No mail for each of its sign-ins; a long name is cut."""
    username = world.account()
    with world.work() as work:
        account = got(work, username)
        work.origin = Origin(ip="192.0.2.1")
        for _ in range(2):
            _, is_new = browsers.record_sign_in(
                work, account, "", remember=False, with_factor=False
            )
            assert is_new is False
            work.db.flush()
        assert started(work, username)[0].user_agent is None
        work.origin = Origin(ip="192.0.2.1", user_agent="x" * 500)
        session, _ = started(work, username)
        assert session.user_agent == "x" * sessions.MAX_AGENT
        rows = work.db.scalars(select(KnownBrowser.user_agent))
        assert set(rows) == {None}


def test_n51_all_browsers_of_one_account_are_forgotten(world: World) -> None:
    """N51: those of others are not; one forgotten earlier was forgotten then."""
    username, other = world.account(), world.account()
    with world.work() as work:
        mine, theirs = got(work, username), got(work, other)

        def recorded(account: Account) -> tuple[str, KnownBrowser]:
            cookie, _ = browsers.record_sign_in(work, account, "", remember=True, with_factor=False)
            work.db.flush()
            row = browsers.known(work, account, cookie)
            assert row is not None
            return cookie, row

        (_, gone), (cookie, _), (kept, _) = map(recorded, (mine, mine, theirs))
        browsers.forget(work, mine, gone.public_id)
        before = work.now
        work.now += SECOND
        browsers.forget_all(work, mine)
        # The object that was loaded before does not know.
        assert browsers.recognise(work, mine, cookie) == (None, Device.REVOKED)
        work.db.expire_all()
        assert browsers.recognise(work, mine, cookie).device is Device.REVOKED
        assert browsers.recognise(work, theirs, kept).device is Device.KNOWN
        assert gone.ended_at == before


# Sessions


def test_n53_a_sign_in_changes_the_cookie_and_keeps_the_session_of_the_person(
    world: World,
) -> None:
    """N53, N54: relying parties keep their ``sid``; the session of another person ends."""
    username, other = world.account(), world.account()
    with world.work() as work:
        first, cookie = started(work, username)
        first.proved_at = work.now
        work.now += SECOND
        same, fresh = started(work, username, own=first, methods=("pwd", "otp"))
        assert same is first
        assert (sessions.find(work, cookie), sessions.find(work, fresh)) == (None, first)
        assert (first.auth_time, first.factor_at, first.created_at) == (
            work.now, work.now, work.now - SECOND,
        )  # fmt: skip
        assert first.amr == ["pwd", "otp", "mfa"]
        # What was proved for a change in settings was proved by the earlier sign-in.
        assert first.proved_at is None
        theirs, _, names_all = browser_accounts.sign_in(
            work, got(work, other), methods=("pwd",), previous=first, cookie=""
        )
        assert names_all == ""
        assert theirs is not first
        assert (first.ended_at, first.end_reason) == (work.now, EndReason.REPLACED)
        assert theirs.factor_at is None
        assert sessions.last_account_id(work, fresh) == first.account_id
        for wrong in ("", "x", fresh + "x" * 100):
            assert sessions.last_account_id(work, wrong) is sessions.find(work, wrong) is None


def test_the_last_use_of_a_session_is_written_at_intervals(world: World) -> None:
    """Not at each request: a write costs."""
    username = world.account()
    with world.work() as work:
        session, cookie = started(work, username)
        begun = work.now
        for later, expected in ((TOUCH_INTERVAL, begun), (TOUCH_INTERVAL + SECOND, None)):
            work.now = begun + later
            assert sessions.find(work, cookie) is session
            assert session.last_seen_at == (expected or work.now)


def test_n58_a_session_is_read_as_a_value_if_the_request_changes_nothing_of_it(
    world: World,
) -> None:
    """N56, N58: the same session for as long; not one whose use is recorded now, that is bound to a
    key, that has ended, or whose account may not sign in."""
    username = world.account()
    with world.work() as work:
        row, cookie = started(work, username)
        read = sessions.unchanged(work, cookie)
        assert read is not None
        same = ("id", "public_id", "account_id", "auth_time", "acr", "expires_at", "last_seen_at")
        assert [getattr(read, name) for name in same] == [getattr(row, name) for name in same]
        assert (list(read.amr), read.account.subject) == (row.amr, row.account.subject)
        assert sessions.unchanged(work, cookie) is read
        for wrong in ("", "x", cookie + "x" * 100):
            assert sessions.unchanged(work, wrong) is None

    def is_read(**changes: Any) -> bool:
        with world.work() as work:
            found = sessions.of_cookie(work, cookie)
            assert found is not None
            for name, value in changes.items():
                setattr(found, name, value)
            is_found = sessions.unchanged(work, cookie) is not None
            work.rollback()
            return is_found

    now = world.clock.now()
    assert is_read(last_seen_at=now - TOUCH_INTERVAL)
    assert not is_read(last_seen_at=now - TOUCH_INTERVAL - SECOND)
    assert not is_read(expires_at=now)
    assert not is_read(ended_at=now)
    with world.work() as work:
        key = DeviceBinding(
            public_id="key", public_key={}, algorithm="ES256", created_at=now, proved_at=now
        )
        work.db.add(key)
        work.db.flush()
        number = key.id
    assert not is_read(binding_id=number)
    assert is_read()
    world.set_state(username, AccountState.SUSPENDED)
    with world.work() as work:
        assert sessions.unchanged(work, cookie) is None


def test_n53_a_step_up_changes_the_cookie_and_the_level(world: World) -> None:
    """N53: a password again is no factor."""
    username = world.account()
    with world.work() as work:
        session, cookie = started(work, username)
        begun = work.now
        work.now += SECOND
        again = sessions.step_up(work, session, ("pwd",))
        assert (session.auth_time, session.factor_at) == (work.now, None)
        assert sessions.find(work, cookie) is None
        assert sessions.find(work, again) is session
        sessions.step_up(work, session, ("otp",))
        assert (session.factor_at, session.amr) == (work.now, ["pwd", "otp", "mfa"])
        assert session.acr == ACR_MFA
        assert session.created_at == begun


def granted(
    work: UnitOfWork, session: BrowserSession | None, account: Account, *scopes: str
) -> Grant:
    """A grant in a session, or of a program."""
    client = registry.get(work, "emi")
    planned = grant_lifecycle.plan_for_machine(work, client, account, list(scopes), None)
    created = grant_lifecycle.add(work, planned)
    row = work.db.get_one(Grant, created)
    row.session_id = session.id if session else None
    work.db.flush()
    return row


def test_n57_the_end_of_a_session_ends_its_grants(world: World) -> None:
    """N57: its grants, but for those that outlive a plain sign-out; nothing of another session."""
    username, other = world.account(), world.account()
    world.relying_party()
    with world.work() as work:
        account = got(work, username)
        mine, beside = started(work, username)[0], started(work, username)[0]
        plain = granted(work, mine, account, "openid")
        offline = granted(work, mine, account, "openid", "offline_access")
        elsewhere = granted(work, beside, account, "openid")
        rows = (plain, offline, elsewhere)

        def ended() -> list[bool]:
            work.db.flush()
            for row in rows:
                work.db.refresh(row)
            return [row.revoked_at is not None for row in rows]

        sessions.end(work, mine, EndReason.SIGNED_OUT, keep_offline=True)
        assert ended() == [True, False, False]
        first = mine.ended_at
        work.now += SECOND
        sessions.end(work, mine, EndReason.REPLACED)
        assert (mine.ended_at, mine.end_reason) == (first, EndReason.SIGNED_OUT)
        assert ended() == [True, True, False]
        assert plain.revoked_at == first
        assert sessions.active(work, account) == [beside]
        assert sessions.active(work, got(work, other)) == []
    assert len(world.events("session.ended")) == 1


@pytest.mark.parametrize("keeps_one", [True, False])
@pytest.mark.parametrize("keeps_programs", [True, False])
def test_n58_ending_an_account_ends_all_its_sessions_and_grants(
    world: World, keeps_one: bool, keeps_programs: bool
) -> None:
    """N58: sessions and grants, those of programs too; of this account alone."""
    username, other = world.account(), world.account()
    world.relying_party()
    with world.work() as work:
        account = got(work, username)
        kept, ended, gone = (started(work, username)[0] for _ in range(3))
        sessions.end(work, gone, EndReason.SIGNED_OUT)
        theirs = started(work, other)[0]
        rows = [granted(work, row, account, "openid") for row in (kept, ended, None)]
        rows.append(granted(work, theirs, got(work, other), "openid"))
        count = sessions.end_all(
            work, account, EndReason.PASSWORD_CHANGED, but=kept if keeps_one else None,
            are_programs_kept=keeps_programs,
        )  # fmt: skip
        assert count == (1 if keeps_one else 2)
        work.db.flush()
        for row in rows:
            work.db.refresh(row)
        assert [row.revoked_at is None for row in rows] == [keeps_one, False, keeps_programs, True]
        assert [row.ended_at is None for row in (kept, ended, theirs)] == [keeps_one, False, True]
        assert gone.end_reason == EndReason.SIGNED_OUT


def test_n58_a_session_ends_with_its_account(world: World) -> None:
    """N58: at that second."""
    username = world.account()
    with world.work() as work:
        session, cookie = started(work, username)
        session.account.ends_at = work.now + SECOND
        assert sessions.find(work, cookie) is session
        work.now += SECOND
        assert sessions.find(work, cookie) is None
        assert sessions.active(work, session.account) == []


# Failed attempts


def test_n49_which_keys_are_locked_and_cleared(world: World) -> None:
    """N49, Z-07: an unlock forgets passwords; what limits mails and texts stays."""
    username, other = world.account(), world.account()
    with world.work() as work:
        mine, theirs = got(work, username), got(work, other)
        keys = [f"{scope}:{mine.id}" for scope in ("account", "browser", "network", "session")]
        for key in (*keys, f"text-hour:{mine.id}"):
            for _ in range(work.settings.lockout_failures):
                failed_attempts.record_outcome(work, key, mine, matched=False)
        for _ in range(work.settings.lockout_failures):
            failed_attempts.record_outcome(work, f"account:{theirs.id}", theirs, matched=False)
        assert [row.key for row in failed_attempts.locks(work, mine)] == sorted(keys)
        assert failed_attempts.is_locked(work, keys[0])
        assert not failed_attempts.is_locked(work, "account:0")
        assert failed_attempts.was_tried(work, keys[0], mine, "x")
        failed_attempts.clear(work, mine)
        assert failed_attempts.locks(work, mine) == []
        assert not failed_attempts.is_locked(work, keys[0])
        assert failed_attempts.is_locked(work, f"text-hour:{mine.id}")
        assert failed_attempts.is_locked(work, f"account:{theirs.id}")
        assert not failed_attempts.was_tried(work, keys[0], mine, "x")
        assert failed_attempts.was_tried(work, keys[0], mine, "x")
        assert not failed_attempts.was_tried(work, keys[0], mine, "y")
        failed_attempts.forget(work, f"account:{theirs.id}")
        assert not failed_attempts.is_locked(work, f"account:{theirs.id}")
        assert failed_attempts.is_locked(work, f"text-hour:{mine.id}")


def test_n49_a_lock_is_shown_until_its_last_second(world: World) -> None:
    """N49, Z-07: what the console shows is what holds."""
    username = world.account()
    with world.work() as work:
        account = got(work, username)
        for _ in range(work.settings.lockout_failures):
            failed_attempts.record_outcome(work, "account:1", account, matched=False)
        (row,) = failed_attempts.locks(work, account)
        until = row.locked_until
        assert until == work.after(seconds=work.settings.lockout_seconds)
        work.now = until - SECOND
        assert failed_attempts.locks(work, account) == [row]
        work.now = until
        assert failed_attempts.locks(work, account) == []
        assert not failed_attempts.is_locked(work, "account:1")


@pytest.mark.parametrize(("days", "is_own"), [(29, True), (30, False)])
def test_n51_a_usual_network_is_remembered_for_thirty_days(
    world: World, days: int, is_own: bool
) -> None:
    """N51: after the last sign-in there; an unknown address is nobody's."""
    username, other = world.account(), world.account()
    with world.work() as work:
        account = got(work, username)
        work.origin = Origin(ip="192.0.2.1")
        browsers.record_sign_in(work, account, "", remember=False, with_factor=False)
        work.db.flush()
        work.now += timedelta(days=days)
        prefix = "network" if is_own else "account"
        key = failed_attempts.key_of(work, account, "", None)
        assert key.split(":")[0] == prefix
        assert failed_attempts.key_of(work, got(work, other), "", None).startswith("account:")
        work.origin = Origin(ip=None)
        browsers.record_sign_in(work, account, "", remember=False, with_factor=False)
        work.db.flush()
        assert failed_attempts.key_of(work, account, "", None) == f"account:{account.id}"
        assert failed_attempts.key_of(work, None, "Nobody", None).startswith("name:")
