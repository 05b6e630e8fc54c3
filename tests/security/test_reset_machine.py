"""N70: no sequence of requests reaches "set password" without the secret that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.models import AccountState
from idp.settings import Settings
from tests.console.desk import Desk
from tests.security.own_gateway import OwnGateway
from tests.world import PASSWORD, Browser, World, hidden_fields

PHONE = "+14169671111"
#: Every page of recovery and of a sign-in; the attacker opens and sends any of them, any time.
PAGES = (
    "/recover", "/recover/code", "/recover/open", "/recover/unlock", "/recover/unlock/code",
    "/recover/unlock/open", "/recover/not-me", "/signin", "/signin/password", "/activate",
    "/call", "/settings/password", "/settings/phone", "/settings/phone/code", "/",
    "/oauth2/v1/authorize/resume", "/signin/factor", "/signin/passkey",
    "/enrol", "/enrol/totp", "/enrol/email", "/settings/verify", "/settings/factors/totp",
    "/settings/factors/email", "/settings/recovery-codes", "/settings/question",
)  # fmt: skip
NAMES = ("victim", "victim@participant.example", "attacker", "nobody")
ATTACKERS_WORD = "Evil-Panther6-doorway"


class Attack(OwnGateway):
    """An attacker with an account of his own against a victim whose mail and telephone he does
    not read. Whatever he does, the victim's password stays what it was."""

    @initialize()
    def begin(self) -> None:
        self.open_world(lockout_failures=1000)
        self.world.account("victim")
        self.world.account("attacker", password="Amber-Walrus8-kettle")
        with self.world.work() as work:
            for name in ("victim", "attacker"):
                accounts.by_username(work, name).recovery_phone = PHONE
        self.desk = Desk.of(self.world)
        self.browsers = [self.world.browser(), self.world.browser()]
        self.pages: dict[tuple[int, str], TestResponse] = {}
        self.temporary = ""

    def _open(self, number: int, path: str, **query: str) -> None:
        self.pages[number, path] = self.browsers[number].get(path, **query)

    def _send(self, number: int, path: str, fields: dict[str, str]) -> None:
        """Send a form as it was shown, or made up with this browser's token."""
        page = self.pages.get((number, path))
        hidden: dict[str, str] = {}
        if page is not None and f'action="{path}"' in page.text:
            hidden = hidden_fields(page.text, path)
        else:
            shown = self.browsers[number].get("/recover").text
            found = re.search(r'name="csrf_token" value="([^"]+)"', shown)
            hidden = {"csrf_token": found[1]} if found else {}
        self.pages[number, path] = self.browsers[number].post(path, hidden | fields)

    @rule(number=st.integers(0, 1), path=st.sampled_from(PAGES))
    def opens_a_page(self, number: int, path: str) -> None:
        self._open(number, path)

    @rule(
        number=st.integers(0, 1),
        path=st.sampled_from(PAGES),
        fields=st.fixed_dictionaries(
            {},
            optional={
                "username": st.sampled_from(NAMES),
                "account": st.sampled_from(NAMES),
                "channel": st.sampled_from(["mail", "sms", "", "other"]),
                "code": st.sampled_from(["", "000000", "123456", "x"]),
                "password": st.just(ATTACKERS_WORD),
                "again": st.just(ATTACKERS_WORD),
                "current": st.sampled_from(["", ATTACKERS_WORD]),
                "purpose": st.sampled_from(["reset", "activate"]),
                "goal": st.sampled_from(["reset", "unlock"]),
                "token": st.just("made-up-token"),
                "flow": st.just("made-up-flow"),
                "next": st.sampled_from(PAGES),
            },
        ),
    )
    def sends_anything(self, number: int, path: str, fields: dict[str, str]) -> None:
        self._send(number, path, fields)

    @rule(number=st.integers(0, 1), name=st.sampled_from(NAMES), sms=st.booleans())
    def asks_for_a_reset(self, number: int, name: str, sms: bool) -> None:
        self._open(number, "/recover")
        self._send(number, "/recover", {"username": name, "channel": "sms" if sms else "mail"})

    @rule(number=st.integers(0, 1))
    def signs_in_as_himself(self, number: int) -> None:
        self._open(number, "/signin")
        word = "Amber-Walrus8-kettle"
        self._send(number, "/signin", {"username": "attacker", "password": word})

    @rule()
    def the_worker_runs(self) -> None:
        self.world.run_worker()

    @rule(number=st.integers(0, 1))
    def uses_his_own_mail(self, number: int) -> None:
        """The attacker's own links, opened and half used, in either browser."""
        for mail in self.world.mails(to="attacker")[-1:]:
            for link in mail.links:
                path = link.removeprefix(self.world.settings.issuer)
                if path.startswith(("/recover", "/activate")):
                    self._open(number, path)
                    clean = path.split("?")[0]
                    if clean in PAGES:
                        self._open(number, clean)

    @precondition(lambda self: self.world.sms.sent)
    @rule(number=st.integers(0, 1))
    def enters_his_own_code(self, number: int) -> None:
        """The code of the attacker's telephone, at both code pages."""
        texts = [mail.text for mail in self.world.mails("sms_reset_code", to="attacker")]
        for text in texts[-1:]:
            code = re.findall(r"\b\d{6}\b", text)[0]
            self._open(number, "/recover/code")
            self._send(number, "/recover/code", {"code": code})

    @rule()
    def the_agent_gives_the_victim_a_temporary_password(self) -> None:
        """On the telephone, to the victim: the attacker does not hear it."""
        self.temporary = self.desk.temporary_password("victim")

    @rule(seconds=st.sampled_from([30, 700, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        if "Sign in" in self.desk.browser.get("/settings").text:
            self.desk.browser.sign_in(self.desk.username)

    @invariant()
    def the_victims_password_was_set_by_nobody_else(self) -> None:
        if not hasattr(self, "world"):
            return
        doors = [
            event.data["source"]
            for event in self.world.events("password.set")
            if event.account_id == self._id("victim")
        ]
        assert doors == ["settings"]
        state = self.world.account_row("victim").state
        expected = AccountState.RESET_REQUIRED if self.temporary else AccountState.ACTIVE
        assert state == expected

    @invariant()
    def nobody_is_signed_in_as_the_victim(self) -> None:
        if not hasattr(self, "world"):
            return
        for browser in self.browsers:
            shown = browser.get("/settings").text
            assert "<dd>victim</dd>" not in shown

    def _id(self, username: str) -> int:
        with self.world.work() as work:
            return World.id_of(work, username)


def test_n70_no_sequence_of_steps_resets_the_password_of_another(
    base_settings: Settings, prepared: Path | None
) -> None:
    """N70: Hypothesis looks for a sequence; there is none."""
    if prepared is None:
        pytest.skip("the machine makes copies of a SQLite file")
    machine: Any = type("Machine", (Attack,), {"base": base_settings, "prepared": prepared})
    case = machine.TestCase
    case.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)
    case().runTest()


def test_n70_the_machine_would_notice(world: World) -> None:
    """The checks above fail when the secret is known: the reset goes through."""
    username = world.account()
    browser: Browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0]
    page = browser.get(link.removeprefix(world.settings.issuer))
    browser.submit(page, "/recover/open", password=ATTACKERS_WORD, again=ATTACKERS_WORD)
    doors = [event.data["source"] for event in world.events("password.set")]
    assert doors == ["settings", "reset_link"]
    assert world.browser().sign_in(username, PASSWORD).status_code == 400
