"""Enrolment: nobody opens anything before it is met (AC-04, MF-01, MF-02, N61, N66, Z-12)."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text, update
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.directory import accounts, activation
from idp.factors import authenticators, enrolment, security_question
from idp.factors.factor_refusals import LastRequiredFactor, TooManyFactors
from idp.factors.security_question import short_list
from idp.mfa.assurance import FactorKind
from idp.models import AccountKind, AccountState, Authenticator
from idp.policy.enrolment_steps import Policy
from idp.policy.scopes import ACR_MFA
from idp.session import failed_attempts
from tests.console.desk import Desk
from tests.factor_steps import (
    code,
    device_of,
    half_signed_in,
    is_in,
    last_code,
    options_on,
    paper_on,
    secret_on,
)
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World, answer_of, hidden_fields

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
ANSWER = "Somewhere in Kapuskasing"


def activated(
    world: World, kind: AccountKind = AccountKind.PERSONAL
) -> tuple[str, Browser, TestResponse]:
    """A new account whose password was just made by its mailed link."""
    name = "ada@participant.example" if kind is AccountKind.EMAIL else None
    username = world.account(name, state=AccountState.PENDING, kind=kind)
    with world.work() as work:
        path = activation.invite(work, accounts.by_username(work, username))
    browser = world.browser()
    page = browser.submit(browser.get(path), "/activate", **CHOICE)
    assert page.request.path == "/enrol"
    return username, browser, page


def heading(page: TestResponse) -> str:
    return re.findall(r"<h1>([^<]*)</h1>", page.text)[0]


def send(browser: Browser, page: TestResponse, **fields: str) -> TestResponse:
    """The first form of the enrolment page."""
    return browser.submit(page, "/enrol", **fields)


def add_mails(world: World, browser: Browser, page: TestResponse) -> TestResponse:
    """Codes by mail as a factor, within enrolment."""
    path = re.findall(r'href="(/enrol/email\?[^"]+)"', page.text)[0]
    page = browser.get(path)
    flow = {"flow": hidden_fields(page.text, "/enrol/email")["flow"]}
    page = browser.submit(page, "/enrol/email", do="begin", **flow)
    return browser.submit(page, "/enrol/email", code=last_code(world, "email"))


def answer_question(
    world: World, username: str, browser: Browser, page: TestResponse
) -> TestResponse:
    with world.work() as work:
        name = short_list(work, accounts.by_username(work, username))[0]
    return send(browser, page, question=name, answer=ANSWER)


def finish(world: World, username: str, browser: Browser, page: TestResponse) -> TestResponse:
    """From the step of factors, one being there, to the end."""
    page = send(browser, page)
    page = answer_question(world, username, browser, page)
    page = send(browser, page, do="show")
    assert len(paper_on(page)) == 10
    page = send(browser, page, do="kept")
    assert heading(page) == "Setup complete"
    return send(browser, page)


@pytest.mark.parametrize("kind", [AccountKind.PERSONAL, AccountKind.MACHINE, AccountKind.EMAIL])
def test_ac04_all_steps_in_order_then_the_dashboard(strict: World, kind: AccountKind) -> None:
    """AC-04, AC-06, AC-07, AC-09, MF-02: telephone (passed over), factor, question, codes."""
    username, browser, page = activated(strict, kind)
    assert heading(page) == "Recovery phone"
    page = send(browser, page, do="skip")
    assert heading(page) == "Extra verification"
    page = add_mails(strict, browser, page)
    assert "Already set up" in page.text
    page = finish(strict, username, browser, page)
    assert page.request.path == "/"
    done = strict.events("signin.succeeded")[-1]
    assert done.data["amr"] == ["pwd", "email"]
    with strict.work() as work:
        account = accounts.by_username(work, username)
        assert account.enrolled_at == strict.clock.now()
        assert [row.kind for row in authenticators.list_usable(work, account)] == [FactorKind.EMAIL]
        stored = security_question.find(work, account)
        assert stored is not None
        assert ANSWER.lower() not in stored.answer_hash.lower()
    kinds = {mail.kind for mail in strict.mails(to=username)}
    assert {"factor_added", "question_changed", "recovery_codes_made"} <= kinds


def test_ac06_the_recovery_telephone_and_text_messages(strict: World) -> None:
    """AC-06: country, number, code; a wrong code is refused; the number is the account's."""
    username, browser, page = activated(strict)
    page = send(browser, page, do="send", country="US", number="212 555 0123")
    assert page.status_code == 200
    sent = last_code(strict, "sms")
    assert strict.sms.sent[-1][0] == "+12125550123"
    wrong = f"{(int(sent) + 1) % 1000000:06}"
    assert send(browser, page, do="confirm", code=wrong).status_code == 400
    page = send(browser, page, do="confirm", code=sent)
    assert heading(page) == "Extra verification"
    assert strict.account_row(username).recovery_phone == "+12125550123"
    page = browser.get(re.findall(r'href="(/enrol/sms\?[^"]+)"', page.text)[0])
    for number in ("905 555", "+44 20 7946 0000", "1-800-555-0100", "+1 876 555 1234"):
        bad = browser.submit(page, "/enrol/sms", do="begin", country="CA", number=number)
        assert bad.status_code == 400, number
    page = browser.submit(page, "/enrol/sms", do="begin", country="CA", number="416 967 1111")
    page = browser.submit(page, "/enrol/sms", code=last_code(strict, "sms"))
    page = finish(strict, username, browser, page)
    assert page.request.path == "/"
    assert strict.events("signin.succeeded")[-1].data["amr"] == ["pwd", "sms", "mfa"]


STEPS = (
    "/", "/settings", "/settings/factors/totp", "/settings/recovery-codes", "/settings/question",
    "/settings/password", "/signin/factor", "/signin/password",
)  # fmt: skip


@pytest.mark.parametrize("reached", ["phone", "factor", "question", "codes", "finish"])
def test_n61_no_page_or_application_opens_before_enrolment_ends(
    strict: World, reached: str
) -> None:
    """N61: at each step neither pages nor applications; steps out of order do nothing."""
    rp = strict.relying_party()
    username, browser, page = activated(strict)
    flow = hidden_fields(page.text, "/enrol")["flow"]
    if reached != "phone":
        page = send(browser, page, do="skip")
    if reached in ("question", "codes", "finish"):
        page = send(browser, add_mails(strict, browser, page))
    if reached in ("codes", "finish"):
        page = answer_question(strict, username, browser, page)
    if reached == "finish":
        page = send(browser, send(browser, page, do="show"), do="kept")
    for path in STEPS:
        browser.get(path)
        assert not is_in(browser), path
    assert "error=login_required" in browser.authorize(rp, prompt="none").headers["Location"]
    token = hidden_fields(page.text, "/language")["csrf_token"]
    for step in ("proof", "phone", "factor", "question", "codes", "finish", "", "x"):
        if step != reached:
            fields = {"flow": flow, "csrf_token": token, "step": step, "do": "kept"}
            assert heading(browser.post("/enrol", fields)) == heading(page), step
    assert not is_in(browser)
    with strict.work() as work:
        assert enrolment.is_incomplete(work, accounts.by_username(work, username))


def test_an_interrupted_enrolment_continues_at_its_step(strict: World) -> None:
    """The password alone sets up nothing: a code to the registered address comes first, or the
    factor that is there."""
    username, browser, page = activated(strict)
    page = send(browser, page, do="skip")
    later = strict.browser()
    page = later.sign_in(username, NEW_PASSWORD)
    assert heading(page) == "Confirm your identity"
    assert "/enrol/" not in page.text
    stuck = later.get("/enrol/email", flow=hidden_fields(page.text, "/enrol")["flow"])
    assert heading(stuck) == "Confirm your identity"
    page = send(later, page, do="send")
    sent = last_code(strict, "email")
    assert send(later, page, do="confirm", code="000000").status_code in (200, 400)
    page = send(later, page, do="confirm", code=sent)
    assert heading(page) == "Extra verification"
    page = add_mails(strict, later, page)
    strict.clock.advance(minutes=2)
    again, page = half_signed_in(strict, username, NEW_PASSWORD)
    assert "not finished setting up" in page.text
    page = again.submit(page, "/signin/factor", code=last_code(strict, "email"))
    assert heading(page) == "Extra verification"
    assert finish(strict, username, again, page).request.path == "/"


def test_a_code_is_refused_in_another_enrolment(strict: World) -> None:
    """N62, N63: bound to the sign-in; wrong ones count for the account."""
    username, _, _ = activated(strict)
    first, second = strict.browser(), strict.browser()
    one = send(first, first.sign_in(username, NEW_PASSWORD), do="send")
    sent = last_code(strict, "email")
    other = second.sign_in(username, NEW_PASSWORD)
    assert send(second, other, do="confirm", code=sent).status_code == 400
    assert heading(send(first, one, do="confirm", code=sent)) != "Confirm your identity"


def test_the_application_opens_after_enrolment(strict: World) -> None:
    """OIDC: the request goes on after the last step, with what was proved in the token."""
    rp = strict.relying_party()
    username = strict.account()
    browser = strict.browser()
    page = browser.sign_in(username, page=browser.authorize(rp))
    page = send(browser, page, do="send")
    page = send(browser, page, do="confirm", code=last_code(strict, "email"))
    page = send(browser, page, do="skip")
    page = browser.get(re.findall(r'href="(/enrol/totp\?[^"]+)"', page.text)[0])
    page = browser.submit(page, "/enrol/totp", do="begin")
    page = browser.submit(page, "/enrol/totp", code=code(strict, secret_on(page)))
    answer = answer_of(finish(strict, username, browser, page))
    tokens = strict.redeem(rp, answer["code"]).json or {}
    found = strict.introspect(rp, tokens["access_token"])
    assert found["acr"] == ACR_MFA


def test_a_passkey_completes_the_required_enrolment(strict: World) -> None:
    """MF-01: set up within enrolment; the session has its level."""
    username, browser, page = activated(strict)
    page = send(browser, page, do="skip")
    page = browser.get(re.findall(r'href="(/enrol/passkey\?[^"]+)"', page.text)[0])
    answer = device_of(strict).create(options_on(page))
    page = browser.submit(page, "/enrol/passkey", credential=answer, name="My laptop")
    assert finish(strict, username, browser, page).request.path == "/"
    assert strict.events("signin.succeeded")[-1].data["amr"] == ["pwd", "hwk", "user", "mfa"]


def test_mf08_the_last_required_factor_cannot_be_removed(strict: World) -> None:
    """MF-08: refused with what to do; with another one beside it, it goes."""
    username, browser, page = activated(strict)
    page = add_mails(strict, browser, send(browser, page, do="skip"))
    finish(strict, username, browser, page)
    (path,) = re.findall(
        r'href="(/settings/factors/own/[^"]+)"', browser.get("/settings/factors").text
    )
    page = browser.submit(browser.get(path), "/settings/verify", do="send")
    page = browser.submit(page, "/settings/verify", code=last_code(strict, "email"))
    assert "cannot remove your last" in page.text
    refused = browser.submit(page, path, do="remove")
    assert refused.status_code == 400
    totp = "/settings/factors/totp"
    page = browser.submit(browser.get(totp), totp, do="begin")
    browser.submit(page, totp, code=code(strict, secret_on(page)))
    page = browser.get(path)
    assert "Your verification method was removed" in browser.submit(page, path, do="remove").text
    with strict.work() as work:
        rows = authenticators.list_usable(work, accounts.by_username(work, username))
        assert [row.kind for row in rows] == [FactorKind.TOTP]


def test_mf08_one_of_two_concurrent_removals_is_refused(
    strict: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MF-08: while one waits for the lock of the account, the other removes its factor."""
    username = strict.account()
    with strict.work() as work:
        account = accounts.by_username(work, username)
        one, other = (
            Authenticator(public_id=f"f-{number}", account_id=account.id, kind=FactorKind.TOTP,
                          name="App", created_at=work.now, confirmed_at=work.now)
            for number in range(2)
        )  # fmt: skip
        work.db.add_all([one, other])
        work.db.flush()
        lock_row = failed_attempts.lock_row

        def wait(*given: Any) -> None:
            beside = update(Authenticator).where(Authenticator.id == other.id)
            work.db.execute(
                beside.values(removed_at=work.now).execution_options(synchronize_session=False)
            )
            lock_row(*given)

        monkeypatch.setattr(authenticators.failed_attempts, "lock_row", wait)
        with pytest.raises(LastRequiredFactor):
            authenticators.remove(work, account, one)
        assert authenticators.list_usable(work, account) == [one]


def pending_beside_another(strict: World, username: str) -> None:
    """Two factors that wait for their first code; the account has room for one."""
    with strict.work() as work:
        account = accounts.by_username(work, username)
        for kind in (FactorKind.TOTP, FactorKind.EMAIL):
            authenticators.start_enrolment(work, account, kind)


def confirm_pending(strict: World, username: str, kind: FactorKind) -> bool:
    with strict.work() as work:
        account = accounts.by_username(work, username)
        row = authenticators.pending(work, account, kind)
        assert row is not None
        return authenticators.confirm(work, account, row)


def kinds_of(strict: World, username: str) -> list[str]:
    with strict.work() as work:
        account = accounts.by_username(work, username)
        return [row.kind for row in authenticators.list_usable(work, account)]


def test_a_factor_that_waited_is_refused_where_others_took_its_place(
    strict: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of factors is bounded when they are confirmed, not only when they are started."""
    username, browser, page = activated(strict)
    page = send(browser, page, do="skip")
    address = re.findall(r'href="(/enrol/totp\?[^"]+)"', page.text)[0]
    page = browser.submit(browser.get(address), "/enrol/totp", do="begin")
    monkeypatch.setattr(authenticators, "MOST", 1)
    with strict.work() as work:
        account = accounts.by_username(work, username)
        row = authenticators.start_enrolment(work, account, FactorKind.EMAIL)
        assert authenticators.confirm(work, account, row)
    refused = browser.submit(page, "/enrol/totp", code=code(strict, secret_on(page)))
    assert refused.status_code == 400
    assert "You have 1 verification methods, and more are not possible." in refused.text
    assert kinds_of(strict, username) == ["email"]


def test_of_two_concurrent_factors_one_gets_the_last_place(
    strict: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the second transaction waits for the first. On SQLite one writes at a time."""
    monkeypatch.setattr(authenticators, "MOST", 1)
    username = strict.account()
    pending_beside_another(strict, username)
    if strict.settings.database_url.startswith("sqlite"):
        assert confirm_pending(strict, username, FactorKind.TOTP)
        with pytest.raises(TooManyFactors):
            confirm_pending(strict, username, FactorKind.EMAIL)
        assert kinds_of(strict, username) == ["totp"]
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_blocking_pids(pid) @> "
                   "ARRAY[pg_backend_pid()]")  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        with strict.work() as work:
            account = accounts.by_username(work, username)
            row = authenticators.pending(work, account, FactorKind.TOTP)
            assert row is not None
            assert authenticators.confirm(work, account, row)
            second = pool.submit(confirm_pending, strict, username, FactorKind.EMAIL)
            while not (work.db.scalar(waiting) or second.done()):
                time.sleep(0.01)
        with pytest.raises(TooManyFactors):
            second.result(timeout=60)
    assert kinds_of(strict, username) == ["totp"]


def test_n66_after_a_factor_reset_enrolment_needs_a_mailed_secret(strict: World) -> None:
    """N66: factors gone, the password too; the mailed link sets a new one, and enrolment begins
    anew by a code to the registered address, or at once after a temporary password."""
    username, browser, page = activated(strict)
    page = add_mails(strict, browser, send(browser, page, do="skip"))
    finish(strict, username, browser, page)
    runtime = strict.app.extensions["runtime"]
    optional = replace(strict.settings, enrolment="optional")
    # The operators of these tests have no factors of their own.
    desk = Desk.of(replace(strict, app=create_app(optional, runtime.ports), settings=optional))
    desk.verify(username)
    desk.act("reset-factors", username)
    assert not is_in(browser)
    with strict.work() as work:
        account = accounts.by_username(work, username)
        assert (
            authenticators.list_usable(work, account),
            security_question.find(work, account),
        ) == ([], None)
    link = strict.mails("factors_reset")[-1].links[0].removeprefix(strict.settings.issuer)
    other = {"password": PASSWORD, "again": PASSWORD}
    page = strict.browser()
    page.submit(page.get(link), "/recover/open", **other)
    page = strict.browser().sign_in(username)
    assert heading(page) == "Confirm your identity"
    temporary = desk.temporary_password(username)
    holder = strict.browser()
    page = holder.sign_in(username, temporary)
    new = {"password": "Marble-Otter3-window", "again": "Marble-Otter3-window"}
    page = holder.submit(page, "/signin/password", current=temporary, **new)
    assert heading(page) == "Recovery phone"


def test_weak_factors_do_not_complete_enrolment_if_the_setting_is_off() -> None:
    """With IDP_WEAK_FACTORS_SATISFY_MFA off, a code by mail does not complete it."""
    mails, app = frozenset({FactorKind.EMAIL}), frozenset({FactorKind.TOTP, FactorKind.EMAIL})
    strict, lenient = (Policy(offers_texts=True, weak_counts=weak) for weak in (False, True))
    assert (strict.is_enough(mails), strict.is_enough(app)) == (False, True)
    assert (lenient.is_enough(mails), lenient.is_enough(frozenset())) == (True, False)
