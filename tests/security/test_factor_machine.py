"""N61, N66, N70: no sequence of requests over sign-in, enrolment, step-up, reset and removal leads
to a session or a code of an application without what the policy demands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.factors import authenticators, enrolment
from idp.factors.security_question import short_list
from idp.models import Account, BrowserSession, Grant, SignIn
from idp.policy.console import ConsoleRole
from idp.policy.scopes import ACR_MFA, satisfies
from idp.session import sessions
from idp.settings import Settings
from idp.transaction import UnitOfWork
from tests.factor_steps import code, device_of, options_on, secret_on
from tests.security.own_gateway import OwnGateway
from tests.world import NEW_PASSWORD, PASSWORD, Browser, Rp, World, hidden_fields

OWNER, THIEF = 0, 1
PAGES = (
    "/", "/settings", "/settings/factors/totp", "/settings/factors/email", "/settings/verify",
    "/settings/recovery-codes", "/settings/automatic-passkeys",
    "/settings/automatic-passkeys/created", "/settings/question", "/settings/password", "/signin",
    "/signin/factor", "/signin/password", "/signin/passkey", "/enrol", "/enrol/totp",
    "/enrol/email", "/enrol/sms", "/enrol/passkey", "/signin/account", "/signin/consent",
    "/recover/open", "/oauth2/v1/authorize/resume",
)  # fmt: skip
WORDS = st.fixed_dictionaries(
    {},
    optional={
        "username": st.just("victim"),
        "password": st.sampled_from([PASSWORD, NEW_PASSWORD, "wrong"]),
        "again": st.just(NEW_PASSWORD),
        "current": st.sampled_from([PASSWORD, "wrong"]),
        "code": st.sampled_from(["", "000000", "123456", "AAAA-AAAA-AAAA"]),
        "credential": st.sampled_from(["", "{}"]),
        "step": st.sampled_from(["proof", "phone", "factor", "question", "codes", "finish"]),
        "do": st.sampled_from(
            ["begin", "send", "confirm", "show", "kept", "remove", "rename", "on", "off"]
        ),
        "decision": st.just("allow"),
        "choice": st.just("continue"),
        "remember": st.just("1"),
        "number": st.just("416 967 1119"),
        "country": st.just("CA"),
    },
)


class Policy(OwnGateway):
    """The owner of an account and a thief who knows its password but has neither its app, nor its
    passkey, nor its mailbox. An operator resets factors now and then. Whatever anybody does, every
    session was entered with what the policy demanded, and the thief has none."""

    @initialize()
    def begin(self) -> None:
        self.open_world(lockout_failures=1000, enrolment="required")
        self.world.account("victim")
        self.world.role_group(ConsoleRole.AUDITOR)
        self.rp: Rp = self.world.relying_party(minimum_acr=ACR_MFA)
        self.browsers = [self.world.browser(), self.world.browser()]
        self.pages: dict[tuple[int, str], TestResponse] = {}
        self.secret = ""
        self.device = device_of(self.world)
        self.stolen: set[str] = set()

    # What anybody may do: open and send any page, in any order.

    @rule(who=st.sampled_from([OWNER, THIEF]), path=st.sampled_from(PAGES))
    def opens(self, who: int, path: str) -> None:
        self.pages[who, path] = self.browsers[who].get(path, flow=self._flow(who))

    @rule(path=st.sampled_from(PAGES), fields=WORDS)
    def the_thief_sends_anything(self, path: str, fields: dict[str, str]) -> None:
        """With the form as it was shown, or made up with this browser's token and flow."""
        page, browser = self.pages.get((THIEF, path)), self.browsers[THIEF]
        shown = page.text if page is not None else ""
        if f'action="{path}"' in shown:
            hidden = hidden_fields(shown, path)
        else:
            token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/recover").text)
            hidden = {"csrf_token": token[0], "flow": self._flow(THIEF)} if token else {}
        self.pages[THIEF, path] = browser.post(path, hidden | fields)

    @rule(who=st.sampled_from([OWNER, THIEF]), remember=st.booleans())
    def signs_in(self, who: int, remember: bool) -> None:
        browser = self.browsers[who]
        page = browser.get("/signin")
        if page.request.path == "/signin":
            more = {"remember": "1"} if remember else {}
            page = browser.sign_in("victim", self._password(), page, **more)
            self.pages[who, page.request.path] = page

    @rule(who=st.sampled_from([OWNER, THIEF]), silent=st.booleans())
    def asks_for_a_code(self, who: int, silent: bool) -> None:
        page = self.browsers[who].authorize(self.rp, prompt="none" if silent else None)
        if page.status_code == 200:
            self.pages[who, page.request.path] = page

    @rule()
    def the_thief_sends_his_own_passkey(self) -> None:
        """Made on another device, for whatever page asks for one."""
        page = self.pages.get((THIEF, "/signin"))
        if page is not None and "data-options" in page.text and self.device.keys:
            other = device_of(self.world)
            other.keys = {
                name: (ec.generate_private_key(ec.SECP256R1()), handle)
                for name, (_, handle) in self.device.keys.items()
            }
            answer = other.get(options_on(page))
            self.browsers[THIEF].submit(page, "/signin/passkey", credential=answer)

    # What the owner alone can do.

    @rule()
    def the_owner_proves_and_goes_on(self) -> None:
        """One step further, whatever is asked: code, enrolment, each by its page."""
        browser = self.browsers[OWNER]
        page = browser.get("/signin")
        if page.request.path == "/signin":
            page = browser.sign_in("victim", self._password(), page)
        for _ in range(12):
            page = self._one_step(browser, page)
            if page.request.path in ("/", "/signin"):
                break

    def _one_step(self, browser: Browser, page: TestResponse) -> TestResponse:
        if page.request.path == "/signin/factor":
            self.world.clock.advance(seconds=30)
            return browser.submit(page, "/signin/factor", code=code(self.world, self.secret))
        if page.request.path == "/signin/password":
            return browser.get("/signin")
        if page.request.path != "/enrol":
            return page
        has_form = 'action="/enrol"' in page.text
        step = hidden_fields(page.text, "/enrol").get("step", "") if has_form else "choose"
        if step == "proof":
            self.world.clock.advance(minutes=3)
            page = browser.submit(page, "/enrol", do="send")
            sent = re.findall(r"^(\d{6})$", self.world.mails("enrol_code")[-1].text, re.MULTILINE)
            return browser.submit(page, "/enrol", do="confirm", code=sent[0])
        if step == "choose":
            path = re.findall(r'href="(/enrol/totp\?[^"]+)"', page.text)[0]
            page = browser.submit(browser.get(path), "/enrol/totp", do="begin")
            self.secret = secret_on(page)
            return browser.submit(page, "/enrol/totp", code=code(self.world, self.secret))
        fields = {"phone": {"do": "skip"}, "codes": {"do": "show"}}.get(step, {})
        if step == "question":
            with self.world.work() as work:
                name = short_list(work, accounts.by_username(work, "victim"))[0]
            fields = {"question": name, "answer": "Somewhere in Kapuskasing"}
        page = browser.submit(page, "/enrol", **fields)
        if "I saved my codes" in page.text:
            page = browser.submit(page, "/enrol", do="kept")
        return page

    @rule()
    def the_owner_adds_a_passkey(self) -> None:
        browser, path = self.browsers[OWNER], "/settings/factors/passkey"
        page = browser.get(path)
        if page.request.path == "/settings/verify" and self.secret:
            self.world.clock.advance(seconds=30)
            proof = code(self.world, self.secret)
            page = browser.submit(page, "/settings/verify", code=proof)
        if page.request.path == path:
            browser.submit(page, path, credential=self.device.create(options_on(page)))

    @rule()
    def the_owner_signs_out(self) -> None:
        browser = self.browsers[OWNER]
        page = browser.get("/signout")
        if 'action="/signout"' in page.text:
            browser.submit(page, "/signout")

    @rule()
    def an_operator_resets_the_factors(self) -> None:
        with self.world.work("operator") as work:
            authenticators.reset(work, accounts.by_username(work, "victim"))
            sessions.end_all(work, accounts.by_username(work, "victim"), "reset")
        self.secret = ""

    @rule(administrator=st.booleans())
    def roles_change(self, administrator: bool) -> None:
        change = self.world.grant_role if administrator else self.world.revoke_role
        change("victim", ConsoleRole.AUDITOR, "IESO")

    @rule(minutes=st.sampled_from([1, 20, 60 * 24 * 7]))
    def time_passes(self, minutes: int) -> None:
        self.world.clock.advance(minutes=minutes)

    def _password(self) -> str:
        return PASSWORD

    def _flow(self, who: int) -> str:
        for (owner, _), page in reversed(self.pages.items()):
            found = re.findall(r'name="flow" value="([^"]+)"', page.text)
            if owner == who and found:
                return str(found[-1])
        return ""

    @invariant()
    def the_thief_is_not_in(self) -> None:
        if hasattr(self, "world"):
            assert "Sign in" in self.browsers[THIEF].get("/settings").text

    @invariant()
    def every_session_has_what_was_demanded(self) -> None:
        """A living session belongs to an account that enrolled; a code to a level that the
        application demands; an administrator's session to a second factor."""
        if not hasattr(self, "world"):
            return
        with self.world.work() as work:
            account = accounts.by_username(work, "victim")
            rows = work.db.scalars(
                select(BrowserSession).where(BrowserSession.ended_at.is_(None))
            ).all()
            assert not (rows and enrolment.is_incomplete(work, account))
            for row in rows:
                assert (
                    set(row.amr) - {"pwd", "mfa"}
                    or not _is_new(row, self.world)
                    or _has_early_trust(work, account, row)
                )
            for grant in work.db.scalars(select(Grant).where(Grant.session_id.is_not(None))):
                session = work.db.get_one(BrowserSession, grant.session_id)
                assert satisfies(session.acr, ACR_MFA)


def _is_new(row: BrowserSession, world: World) -> bool:
    """Within the first days a sign-in needs a factor, or evidence."""
    return bool((row.auth_time - world.account_row("victim").created_at).days < 5)


def _has_early_trust(work: UnitOfWork, account: Account, row: BrowserSession) -> bool:
    """A factor was verified in an earlier sign-in, and this one was recorded without."""
    earlier = select(SignIn.is_proved).where(
        SignIn.account_id == account.id, SignIn.at <= row.auth_time
    )
    return {True, False} <= set(work.db.scalars(earlier))


def machine_of(base: Settings, prepared: Path) -> Any:
    """The machine with a database to copy."""
    return type("Machine", (Policy,), {"base": base, "prepared": prepared})


def test_n61_n66_n70_no_sequence_of_steps_bypasses_the_factor_policy(
    base_settings: Settings, prepared: Path | None
) -> None:
    """N61, N66, N70: Hypothesis looks for a sequence; there is none."""
    if prepared is None:
        pytest.skip("the machine makes copies of a SQLite file")
    case = machine_of(base_settings, prepared).TestCase
    case.settings = hypothesis_settings(max_examples=30, stateful_step_count=30, deadline=None)
    case().runTest()


def test_the_state_machine_reaches_its_goals_and_detects_violations(
    base_settings: Settings, prepared: Path | None
) -> None:
    """The owner gets in and to a code; a thief who is let in, and a session without a factor, are
    found by the checks above."""
    if prepared is None:
        pytest.skip("the machine makes copies of a SQLite file")
    machine = machine_of(base_settings, prepared)()
    machine.begin()
    try:
        machine.the_owner_proves_and_goes_on()
        owner = machine.browsers[OWNER]
        assert "Sign in" not in owner.get("/settings").text
        assert "code=" in owner.authorize(machine.rp).headers["Location"]
        machine.the_owner_adds_a_passkey()
        assert machine.device.keys
        machine.every_session_has_what_was_demanded()
        with machine.world.work() as work:
            row = work.db.scalars(select(BrowserSession)).one()
            row.amr = ["pwd"]
        with pytest.raises(AssertionError):
            machine.every_session_has_what_was_demanded()
        machine.browsers[THIEF] = owner
        with pytest.raises(AssertionError):
            machine.the_thief_is_not_in()
    finally:
        machine.teardown()
