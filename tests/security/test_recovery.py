"""Recovery by oneself: codes, links, temporary passwords, and no way around them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import select

from idp.app import create_app, db
from idp.credentials import temporary_passwords
from idp.directory import accounts, activation
from idp.models import (
    AccountKind,
    AccountState,
    Interaction,
    OneTimeCode,
    RecoveryRequest,
    TemporaryPassword,
)
from idp.policy.signin_state import PasswordChangeRequired
from idp.signin import password_change, state_loader
from tests.console.desk import Desk
from tests.security.test_login import EVERYONE, fingerprint, name_for
from tests.world import NEW_PASSWORD, PASSWORD, TOKEN, VERIFIER, Browser, World, hidden_fields

PHONE = "+14169671111"
CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


def with_phone(world: World, username: str | None = None, **more: object) -> str:
    """An account with a recovery telephone."""
    username = username or world.account(**more)  # type: ignore[arg-type]
    with world.work() as work:
        accounts.by_username(work, username).recovery_phone = PHONE
    return username


def ask(world: World, username: str, goal: str = "reset", channel: str = "sms") -> Browser:
    """A browser that asked for help."""
    browser = world.browser()
    path = "/recover/unlock" if goal == "unlock" else "/recover"
    browser.submit(browser.get(path), path, username=username, channel=channel)
    world.run_worker()
    return browser


def code_in(world: World) -> str:
    """The code of the last text message."""
    return str(re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0])


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_rs03_a_reset_by_text_message(world: World, kind: AccountKind) -> None:
    """RS-03, E.04: code, new password, sessions ended, a notice; then sign in."""
    username = with_phone(world, kind=kind)
    elsewhere = world.browser().signed_in(username)
    browser = ask(world, username)
    assert world.sms.sent[-1][0] == PHONE
    page = browser.submit(browser.get("/recover/code"), "/recover/code", code=code_in(world))
    assert "Choose a new password" in page.text
    done = browser.submit(page, "/recover/open", **CHOICE)
    assert "Password changed successfully" in done.text
    assert "Sign in" in browser.get("/").text
    assert "Sign in" in elsewhere.get("/").text
    assert world.mails("password_changed", to=username)
    assert browser.sign_in(username, NEW_PASSWORD).status_code == 200


def test_rs03_without_a_telephone_a_mail_goes_out(world: World) -> None:
    """RS-03: nobody is left without an answer, and the page does not tell which it was."""
    ask(world, world.account())
    assert world.sms.sent == []
    assert len(world.mails("password_reset_link")) == 1


def test_n48_the_text_message_page_is_the_same_for_everybody(world: World) -> None:
    """N48: states, strangers and holders with and without a telephone, right up to the code."""
    for state in AccountState:
        world.account(name_for(state), state=state)
    with_phone(world, "person-02")
    seen = set()
    for state in EVERYONE:
        browser = world.browser()
        page = browser.submit(
            browser.get("/recover"), "/recover", username=name_for(state), channel="sms"
        )
        world.run_worker()
        answer = browser.submit(page, "/recover/code", code="000000x")
        prints = [str(fingerprint(one, name_for(state))) for one in (page, answer)]
        seen.add("".join(prints))
    assert len(seen) == 1


def test_n48_the_request_itself_does_the_same_for_everybody(world: World) -> None:
    """N48: one row, whoever is named; no look-up, no mail, no code in the request."""
    username = with_phone(world)
    for typed in (username, "nobody", "x" * 5000):
        browser = world.browser()
        browser.submit(browser.get("/recover"), "/recover", username=typed, channel="sms")
    with world.work() as work:
        rows = work.db.scalars(select(RecoveryRequest)).all()
        assert len(rows) == 3
        assert all(row.processed_at is None for row in rows)
        assert not any(username in row.typed_sealed for row in rows)
        assert work.db.scalars(select(OneTimeCode)).all() == []
    assert world.mails() == []


def test_n63_a_code_allows_five_attempts(world: World) -> None:
    """N63: the sixth is refused although it is right; a new code works."""
    browser = ask(world, with_phone(world))
    code = code_in(world)
    for _ in range(5):
        page = browser.get("/recover/code")
        assert browser.submit(page, "/recover/code", code=wrong_code(code)).status_code == 400
    assert browser.submit(page, "/recover/code", code=code).status_code == 400
    again = ask(world, "holder1")
    page = again.submit(again.get("/recover/code"), "/recover/code", code=code_in(world))
    assert "Choose a new password" in page.text


def test_n63_wrong_codes_count_for_the_account_over_all_codes(world: World) -> None:
    """N63: over sessions and resends; after fifteen none is accepted for a while."""
    username = with_phone(world)
    for _ in range(3):
        browser = ask(world, username)
        for _ in range(5):
            page = browser.get("/recover/code")
            browser.submit(page, "/recover/code", code=wrong_code(code_in(world)))
    browser = ask(world, username)
    page = browser.get("/recover/code")
    assert browser.submit(page, "/recover/code", code=code_in(world)).status_code == 400
    assert world.events("code.redeemed")[-1].reason == "too_many_codes"


def test_a_code_is_valid_for_one_flow_and_purpose_for_ten_minutes(world: World) -> None:
    """Bound to the browser that asked and to its question; a newer one ends it."""
    username = with_phone(world)
    mine, first = ask(world, username), code_in(world)
    other = ask(world, username, "unlock")
    page = other.get("/recover/unlock/code")
    assert other.submit(page, "/recover/unlock/code", code=first).status_code == 400
    thief = ask(world, "nobody")
    assert thief.submit(thief.get("/recover/code"), "/recover/code", code=first).status_code == 400
    world.clock.advance(minutes=10)
    assert mine.submit(mine.get("/recover/code"), "/recover/code", code=first).status_code == 400
    older = ask(world, username)
    older_code = code_in(world)
    ask(world, username)
    page = older.get("/recover/code")
    assert older.submit(page, "/recover/code", code=older_code).status_code == 400


def test_a_code_works_once(world: World) -> None:
    """Spent with its use."""
    browser = ask(world, with_phone(world), "unlock")
    page, path = browser.get("/recover/unlock/code"), "/recover/unlock/code"
    fields = hidden_fields(page.text, path) | {"code": code_in(world)}
    twin = browser.client.get_cookie(world.settings.cookie_name("form"), "gateway.test")
    assert twin is not None
    assert "unlocked" in browser.post(path, fields).text
    browser.client.set_cookie(
        world.settings.cookie_name("form"), twin.value, domain="gateway.test", secure=True
    )
    assert browser.post(path, fields).status_code == 400


def test_codes_are_stored_as_digests_and_mailed_encrypted(world: World) -> None:
    """N84: neither the code nor the number typed is readable in the tables of codes."""
    ask(world, with_phone(world))
    code = code_in(world)
    with world.work() as work:
        (row,) = work.db.scalars(select(OneTimeCode)).all()
        assert code not in row.digest + row.flow + row.destination
    assert not any(code in json.dumps(event.data) for event in world.events())


def test_an_account_gets_at_most_five_recovery_mails_an_hour(world: World) -> None:
    """Nobody's mailbox is flooded, and a link in use is not ended over and over."""
    username = world.account()
    for _ in range(9):
        ask(world, username, channel="mail")
    assert len(world.mails("password_reset_link")) == 5
    assert world.events("reset.requested")[-1].reason == "too_many_requests"
    world.clock.advance(hours=1, seconds=1)
    ask(world, username, channel="mail")
    assert len(world.mails("password_reset_link")) == 6


@pytest.mark.parametrize("channel", ["mail", "sms"])
def test_rs08_a_lock_out_can_be_ended_by_the_account_holder(world: World, channel: str) -> None:
    """RS-08, Z-07: unlocked, the password unchanged; opening the link alone does nothing."""
    username = with_phone(world)
    for _ in range(10):
        world.browser().sign_in(username, "wrong")
    assert world.browser().sign_in(username).status_code == 400
    browser = ask(world, username, "unlock", channel)
    if channel == "sms":
        page, path = browser.get("/recover/unlock/code"), "/recover/unlock/code"
        done = browser.submit(page, path, code=code_in(world))
    else:
        link = world.mails("unlock_link")[-1].links[0].removeprefix(world.settings.issuer)
        for _ in range(3):
            page = world.browser().get(link)
        assert world.browser().sign_in(username).status_code == 400
        browser.get(link)
        done = browser.submit(browser.get("/recover/unlock/open"), "/recover/unlock/open")
        assert "has already been used" in world.browser().get(link).text
    assert "Your account is unlocked" in done.text
    assert world.browser().sign_in(username).status_code == 200
    assert world.mails("account_unlocked", to=username)


def test_z07_an_operators_lock_cannot_be_ended_by_the_account_holder(world: World) -> None:
    """Z-07: the holder is told by mail whom to call."""
    username = with_phone(world, state=AccountState.LOCKED)
    for goal in ("unlock", "reset"):
        for channel in ("mail", "sms"):
            ask(world, username, goal, channel)
    assert {mail.kind for mail in world.mails(to=username)} == {
        "account_locked", "recovery_not_possible",
    }  # fmt: skip
    assert world.sms.sent == []
    assert world.account_row(username).state == AccountState.LOCKED


def test_without_a_sender_no_text_message_is_offered(world: World) -> None:
    """No feature is shown that does nothing."""
    ports = replace(world.app.extensions["runtime"].ports, sms=None)
    app = create_app(world.settings, ports)
    without = World(app, world.settings, world.clock, world.mailer)
    try:
        username = with_phone(world)
        browser = without.browser()
        assert 'value="sms"' not in browser.get("/recover").text
        sent = browser.submit(browser.get("/recover"), "/recover", username=username, channel="sms")
        assert "Check your e-mail" in sent.text
        browser.sign_in(username)
        assert "/settings/phone" not in browser.get("/settings/factors").text
        assert browser.get("/settings/phone").status_code == 404
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


def test_this_was_not_me_ends_all_sessions_and_starts_a_reset(world: World) -> None:
    """From a notice, in one click after reading; the old password is dead at once."""
    username = world.account()
    thief = world.browser().signed_in(username)
    fields = {"current": PASSWORD} | CHOICE
    thief.submit(thief.get("/settings/password"), "/settings/password", **fields)
    (mail,) = world.mails("password_changed")
    link = next(one for one in mail.links if "not-me" in one).removeprefix(world.settings.issuer)
    world.browser().get(link)
    assert "Your applications" in thief.get("/").text
    holder = world.browser()
    page = holder.get(link)
    page = holder.submit(page, "/recover/not-me")
    assert "Choose a new password" in page.text
    assert "Sign in" in thief.get("/").text
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400
    mine = "Marble-Otter3-window"
    holder.submit(page, "/recover/open", password=mine, again=mine)
    assert world.browser().sign_in(username, mine).status_code == 200
    assert world.browser().get(link).status_code == 400


def test_the_link_of_every_notice_is_valid_for_a_week(world: World) -> None:
    """A later notice does not end the way out that an earlier one gave."""
    username = world.account()
    browser = world.browser().signed_in(username)
    passwords = [PASSWORD, NEW_PASSWORD, "Marble-Otter3-window"]
    for old, new in pairwise(passwords):
        page = browser.get("/settings/password")
        browser.submit(page, "/settings/password", current=old, password=new, again=new)
    links = [
        next(one for one in mail.links if "not-me" in one).removeprefix(world.settings.issuer)
        for mail in world.mails("password_changed")
    ]
    assert len(links) == 2
    world.clock.advance(days=7, seconds=-1)
    assert all(world.browser().get(link).status_code == 200 for link in links)
    world.clock.advance(seconds=1)
    assert all(world.browser().get(link).status_code == 400 for link in links)


def test_n66_a_reset_starts_no_session_and_keeps_the_recovery_phone(world: World) -> None:
    """N66: a reset removes no way of proof and ends at the sign-in page."""
    username = with_phone(world)
    browser = ask(world, username, channel="mail")
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    browser.submit(browser.get(link), "/recover/open", **CHOICE)
    assert "Sign in" in browser.get("/settings").text
    assert world.account_row(username).recovery_phone == PHONE


def test_n66_the_telephone_is_not_changed_by_an_open_browser_alone(world: World) -> None:
    """N66: the password is asked for; a wrong one changes nothing and is counted."""
    username = with_phone(world)
    browser = world.browser().signed_in(username)
    for fields in (
        {"number": "416 967 2222", "do": "send"},
        {"do": "remove"},
        {"number": "416 967 2222", "do": "send", "current": "wrong"},
    ):
        answer = browser.submit(browser.get("/settings/phone"), "/settings/phone", **fields)
        assert answer.status_code == 400
    assert world.account_row(username).recovery_phone == PHONE
    assert world.sms.sent == []
    assert len(world.events("password.confirmed")) == 3


# Temporary passwords


def entered(world: World, username: str, temporary: str) -> tuple[Browser, object]:
    """A browser that signed in with a temporary password; and the page it is shown."""
    browser = world.browser()
    page = browser.sign_in(username, temporary)
    assert page.request.path == "/signin/password", page.text
    return browser, page


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE])
def test_n71_a_temporary_password_is_replaced_at_the_first_sign_in(
    world: World, kind: AccountKind
) -> None:
    """N71, CR-06: recognised, entered again, the new one twice; then the sign-in goes on."""
    username = world.account(kind=kind)
    temporary = Desk.of(world).temporary_password(username)
    assert world.browser().sign_in(username, PASSWORD).status_code == 400
    browser, page = entered(world, username, temporary)
    assert "temporary password" in page.text  # type: ignore[attr-defined]
    for path in ("/", "/settings", "/settings/password", "/console"):
        assert "Sign in" in browser.get(path).text
    page = browser.get("/signin/password", flow=flow_of(page))
    refused = browser.submit(page, "/signin/password", current="wrong", **CHOICE)
    assert 'data-broken="current"' in refused.text
    again = {"current": temporary, "password": temporary, "again": temporary}
    assert browser.submit(page, "/signin/password", **(again | CHOICE)).status_code == 200
    assert world.account_row(username).state == AccountState.ACTIVE
    assert browser.get("/").request.path == "/"
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200
    assert world.mails("password_changed", to=username)


def flow_of(page: object) -> str:
    return hidden_fields(page.text, "/signin/password")["flow"]  # type: ignore[attr-defined]


def test_n71_it_works_once(world: World) -> None:
    """N71: a second sign-in with it is refused, also while the first is still under way."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    browser, page = entered(world, username, temporary)
    assert world.browser().sign_in(username, temporary).status_code == 400
    browser.submit(page, "/signin/password", current=temporary, **CHOICE)  # type: ignore[arg-type]
    assert world.browser().sign_in(username, temporary).status_code == 400
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200


def test_n71_a_temporary_password_ends_after_a_day(world: World) -> None:
    """N71, CR-05: good a second before, refused at that moment, the page in use included."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    world.clock.advance(hours=24, seconds=-1)
    browser, page = entered(world, username, temporary)
    world.clock.advance(seconds=1)
    late = browser.submit(page, "/signin/password", current=temporary, **CHOICE)  # type: ignore[arg-type]
    assert 'data-broken="current"' in late.text
    assert world.account_row(username).state == AccountState.RESET_REQUIRED
    second = Desk.of(world).temporary_password(username)
    world.clock.advance(hours=24)
    assert world.browser().sign_in(username, second).status_code == 400


@pytest.mark.parametrize("ending", ["newer", "locked", "reset"])
def test_n71_a_temporary_password_ends_by_a_newer_one_a_lock_or_a_reset(
    world: World, ending: str
) -> None:
    """N68 for temporary passwords: a newer one, a lock, a reset by link; also for an open page."""
    username = world.account()
    desk = Desk.of(world)
    temporary = desk.temporary_password(username)
    browser, page = entered(world, username, temporary)
    if ending == "newer":
        desk.temporary_password(username)
    elif ending == "locked":
        desk.act("lock", username)
    else:
        ask(world, username, channel="mail")
        link = world.mails("password_reset_link")[-1].links[0]
        other = world.browser()
        choice = {"password": "Marble-Otter3-window", "again": "Marble-Otter3-window"}
        other.submit(other.get(link.removeprefix(world.settings.issuer)), "/recover/open", **choice)
    answer = browser.submit(page, "/signin/password", current=temporary, **CHOICE)  # type: ignore[arg-type]
    assert "Your applications" not in answer.text
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400
    assert world.browser().sign_in(username, temporary).status_code == 400


def test_n71_a_replaced_temporary_password_is_refused(world: World) -> None:
    """N71: neither by signing in with it, nor on the page that it had opened; the newer one
    does, and its end without a successor leaves no way in."""
    username = world.account()
    desk = Desk.of(world)
    older = desk.temporary_password(username)
    browser, page = entered(world, username, older)
    newer = desk.temporary_password(username)
    flow = flow_of(page)
    assert browser.get("/signin/password", flow=flow).request.path == "/signin"
    refused = browser.submit(page, "/signin/password", current=older, **CHOICE)  # type: ignore[arg-type]
    assert refused.request.path == "/signin"
    assert world.browser().sign_in(username, older).status_code == 400
    with world.work() as work:
        account = accounts.by_username(work, username)
        assert temporary_passwords.find_active(work, account) is not None
        temporary_passwords.invalidate_all(work, account)
        assert temporary_passwords.find_active(work, account) is None
    assert world.browser().sign_in(username, newer).status_code == 400
    assert world.account_row(username).state == AccountState.RESET_REQUIRED


def test_n71_it_is_no_password_at_the_token_endpoint(world: World) -> None:
    """N71: no grant takes a user name and a password, temporary or not."""
    username, rp = world.account(), world.relying_party()
    temporary = Desk.of(world).temporary_password(username)
    answer = world.post(rp, TOKEN, grant_type="password", username=username, password=temporary)
    assert answer.status_code == 400
    assert (answer.json or {})["error"] == "unsupported_grant_type"
    answer = world.redeem(rp, temporary, code_verifier=VERIFIER)
    assert (answer.json or {})["error"] == "invalid_grant"
    assert world.browser().sign_in(username, temporary).status_code == 200


def test_n71_guesses_of_a_temporary_password_are_counted(world: World) -> None:
    """N49, N71: ten wrong ones lock; the right one is refused meanwhile and not spent by that."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    for _ in range(10):
        world.browser().sign_in(username, "Wrong-Heron7-lantern")
    assert world.browser().sign_in(username, temporary).status_code == 400
    world.clock.advance(minutes=15)
    entered(world, username, temporary)


def test_n71_the_application_opens_after_the_temporary_password_is_replaced(world: World) -> None:
    """CR-06: the person arrives where they wanted to go."""
    username, rp = world.account(), world.relying_party()
    temporary = Desk.of(world).temporary_password(username)
    browser = world.browser()
    page = browser.sign_in(username, temporary, browser.authorize(rp))
    answer = browser.submit(page, "/signin/password", current=temporary, **CHOICE)
    assert answer.status_code == 303
    assert "code=" in answer.headers["Location"]


def test_n71_only_a_bcrypt_hash_is_kept(world: World) -> None:
    """N84: the table knows nothing that can be read aloud."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    with world.work() as work:
        (row,) = work.db.scalars(select(TemporaryPassword)).all()
        assert temporary not in row.password_hash
        assert row.password_hash.startswith("v1$k1$$2b$")


# Renewal (procedure L)


@pytest.fixture
def renewing(world: World) -> World:
    """A gateway where passwords are renewed every 90 days."""
    settings = replace(world.settings, password_max_age_days=90)
    runtime = world.app.extensions["runtime"]
    world.app.extensions["runtime"] = replace(runtime, settings=settings)
    return world


def test_l02_without_a_setting_passwords_do_not_expire(world: World) -> None:
    """L.02, L.03, PW-12: off by default."""
    username = world.account()
    world.clock.advance(days=2000)
    assert world.browser().sign_in(username).request.path == "/"


def test_l04_an_expired_password_is_replaced_at_sign_in(renewing: World) -> None:
    """L.04 to L.06: asked in the sign-in, with the old password, under the whole policy."""
    username = renewing.account()
    renewing.clock.advance(days=90, seconds=-1)
    assert renewing.browser().sign_in(username).request.path == "/"
    renewing.clock.advance(seconds=1)
    browser = renewing.browser()
    page = browser.sign_in(username)
    assert "password has expired" in page.text
    assert "Sign in" in browser.get("/settings").text
    same = {"current": PASSWORD, "password": PASSWORD, "again": PASSWORD}
    assert 'data-broken="reused"' in browser.submit(page, "/signin/password", **same).text
    done = browser.submit(page, "/signin/password", current=PASSWORD, **CHOICE)
    assert done.request.path == "/"
    assert renewing.browser().sign_in(username, NEW_PASSWORD).request.path == "/"


def test_l_reminders_go_out_twice(renewing: World) -> None:
    """Procedure L: 14 and 3 days before, each once, in the account's language."""
    username = renewing.account()
    days = []
    for day in range(95):
        renewing.run_worker()
        while len(days) < len(renewing.mails("renewal_reminder", to=username)):
            days.append(day)
        renewing.clock.advance(days=1)
    assert days == [76, 87]


def test_ac03_reminders_of_activation_go_out_twice(world: World) -> None:
    """14 and 3 days before the 90 days end; the last mail's link works."""
    username = world.account(state=AccountState.PENDING)
    with world.work() as work:
        activation.invite(work, accounts.by_username(work, username))
    days = []
    for day in range(91):
        world.run_worker()
        while len(days) < len(world.mails("activation_reminder", to=username)):
            days.append(day)
            link = world.mails("activation_reminder")[-1].links[0]
            page = world.browser().get(link.removeprefix(world.settings.issuer))
            assert page.status_code == 200
        world.clock.advance(days=1)
    assert days == [76, 87]


def test_a_temporary_password_cannot_be_changed_twice_at_once(world: World) -> None:
    """N68: two requests of the same page: one wins, the other is told the password is not right."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    browser, page = entered(world, username, temporary)
    with world.work() as work:
        found = work.db.scalars(select(Interaction).order_by(Interaction.id.desc())).first()
        assert found is not None
        hasher = world.app.extensions["hasher"]
        kwargs = {"old": temporary, "new": NEW_PASSWORD, "cookie": ""}
        required = state_loader.progress_of(work, found)
        assert isinstance(required, PasswordChangeRequired)
        assert password_change.change_password(work, hasher, required, **kwargs) == ()
        other = kwargs | {"new": "Marble-Otter3-window"}
        outcome = password_change.change_password(work, hasher, required, **other)
        assert outcome == ("current",)
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 200
    assert browser.get("/").status_code == 200
    assert page


# What is wrong with one account holds up nobody else


def spoil_address(world: World, username: str) -> None:
    """An address that no mail can go to, as an import of old might have left it."""
    with world.work() as work:
        accounts.by_username(work, username).person.email = "two@a.example, one@b.example"


def test_a_failed_request_delays_no_other(world: World) -> None:
    """It is in the trail and in the log; the next one is answered."""
    broken, fine = world.account(), world.account()
    spoil_address(world, broken)
    for username in (broken, fine):
        browser = world.browser()
        browser.submit(browser.get("/recover"), "/recover", username=username, channel="mail")
    world.run_worker()
    assert [m.recipient for m in world.mails("password_reset_link")] == [
        f"{fine}@participant.example"
    ]
    assert [event.reason for event in world.events("reset.requested")] == ["failed", None]


def test_a_failed_reminder_delays_no_other(renewing: World) -> None:
    """Once in the trail for each day it was due; the others are reminded."""
    names = [renewing.account() for _ in range(2)]
    names += [renewing.account(state=AccountState.PENDING) for _ in range(2)]
    with renewing.work() as work:
        for username in names[2:]:
            activation.invite(work, accounts.by_username(work, username))
    spoil_address(renewing, names[0])
    spoil_address(renewing, names[2])
    renewing.clock.advance(days=77)
    renewing.run_worker()
    assert len(renewing.mails("renewal_reminder", to=names[1])) == 1
    assert len(renewing.mails("activation_reminder", to=names[3])) == 1
    assert len(renewing.events("reminder.failed")) == 2
