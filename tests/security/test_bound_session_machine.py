"""N53, N58: no sequence of sign-in, registration, refresh, theft, sign-out and restoration leaves a
bound session open in two places. MF-03: nor does a copy pass for a proof at a sign-in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from joserfc.jwk import ECKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp import current
from idp.maintenance import restoration
from idp.mfa.prompt_reasons import EvidenceCode
from idp.models import BrowserSession
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.settings import Settings
from tests.bound_browser import CHROME, FIREFOX, BoundBrowser
from tests.security.own_gateway import OwnGateway
from tests.security.test_login_cookies import cookie_of, plant
from tests.world import PASSWORD, hidden_fields

OWNER_KEY, THIEF_KEY = (ECKey.generate_key("P-256") for _ in "12")
#: How long a copy of all cookies is of use: as long as the bound cookie, and a minute.
COPIED = 660
#: How long it passes for a proof of the key at a sign-in.
PROVED = 70


class Thefts(OwnGateway):
    """The owner of an account in a browser with a key, and a thief who copies all its cookies now
    and then, and sends them from anywhere."""

    @initialize()
    def begin(self) -> None:
        self.open_world()
        self.username = self.world.account()
        self.owner = BoundBrowser(self.world, key=OWNER_KEY)
        self.thief = BoundBrowser(self.world, key=THIEF_KEY, is_deaf=True)
        self.copied_at, self.copied = self.world.clock.now(), ""

    @rule()
    def the_owner_signs_in(self) -> None:
        if not self.owner.is_let_in():
            assert self.owner.pages.sign_in(self.username).request.path == "/"

    @rule()
    def the_owner_works(self) -> None:
        self.owner.is_let_in()

    @rule()
    def the_owner_signs_out(self) -> None:
        if self.owner.is_let_in():
            self.owner.pages.submit(self.owner.pages.get("/signout"), "/signout")

    @rule()
    def the_owner_refreshes(self) -> None:
        if self.owner.instructions:
            self.owner.refresh()

    @rule()
    def the_browser_loses_its_key(self) -> None:
        self.owner.instructions = {}

    @rule(elsewhere=st.booleans(), agent=st.sampled_from([CHROME, FIREFOX]))
    def the_thief_copies_all_cookies(self, elsewhere: bool, agent: str) -> None:
        ip = "198.51.100.7" if elsewhere else self.owner.ip
        self.thief.client.environ_base |= {"REMOTE_ADDR": ip, "HTTP_USER_AGENT": agent}
        self.owner.copy_cookies_to(self.thief)
        self.thief.instructions = dict(self.owner.instructions)
        self.copied_at = self.world.clock.now()
        self.copied = cookie_of(self.owner.pages, "bound") or ""

    @rule()
    def the_thief_tries(self) -> None:
        """With what it copied: not after the bound cookie is over."""
        since_copy = (self.world.clock.now() - self.copied_at).total_seconds()
        is_in = self.thief.is_let_in()
        assert not (is_in and since_copy >= COPIED), "the thief opens a session"

    @rule()
    def the_thief_signs_in(self) -> None:
        """With the password and what it copied, whatever it is asked for. The account has no second
        factor, so the session starts; it is ended here."""
        page = self.thief.pages.get("/signin")
        if page.request.path != "/signin":
            return
        since_copy = (self.world.clock.now() - self.copied_at).total_seconds()
        form = hidden_fields(page.text, "/signin")
        form |= {"username": self.username, "password": PASSWORD}
        answer = self._post_as_thief("/signin", form)
        if answer.status_code == 307:
            answer = self._post_as_thief(answer.headers["Location"], form)
        assert answer.status_code == 303
        with self.world.work() as work:
            started = sessions.of_cookie(work, cookie_of(self.thief.pages) or "")
            assert started is not None
            sessions.end(work, started, EndReason.SIGNED_OUT)
        evidence = self.world.events("signin.assessed")[-1].data["evidence"]
        has_key = EvidenceCode.PROVED_KEY in {entry["code"] for entry in evidence}
        assert not (has_key and since_copy >= PROVED), "the copy passes for a proof"

    def _post_as_thief(self, path: str, form: dict[str, str]) -> TestResponse:
        """With the copied bound cookie, also when it was to be dropped."""
        plant(self.thief.pages, self.copied, "bound")
        return self.thief.client.post(path, data=form, base_url=self.thief.pages.base)

    @rule(with_own_key=st.booleans())
    def the_thief_refreshes(self, with_own_key: bool) -> None:
        if self.thief.instructions:
            challenged = self.thief.challenge()
            if challenged.status_code == 403 and with_own_key:
                self.thief.answer(self.thief.proof_of(challenged))

    @rule()
    def the_thief_registers(self) -> None:
        """With the latest offer, should it have leaked."""
        if self.owner.offers:
            assert self.thief.register(self.owner.offers[-1]).status_code == 400

    @rule(seconds=st.sampled_from([30, 300, 700]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds=seconds)

    @rule()
    def the_database_is_restored(self) -> None:
        with self.world.work() as work:
            restoration.complete(work, why="test")

    @invariant()
    def every_open_session_has_a_key_in_use(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.work() as work:
            query = select(BrowserSession).where(BrowserSession.ended_at.is_(None))
            for row in work.db.scalars(query):
                assert row.binding is not None
                assert row.binding.ended_at is None


def machine_of(base: Settings, prepared: Path | None) -> Any:
    """The machine with a database to copy."""
    if prepared is None:
        pytest.skip("the machine makes copies of a SQLite file")
    return type("Machine", (Thefts,), {"base": base, "prepared": prepared})


def test_n53_n58_no_sequence_leaves_a_session_open_in_two_places(
    base_settings: Settings, prepared: Path | None
) -> None:
    """N53, N58: Hypothesis looks for a sequence; there is none."""
    case = machine_of(base_settings, prepared).TestCase
    case.settings = hypothesis_settings(max_examples=12, stateful_step_count=15, deadline=None)
    case().runTest()


def test_the_machine_of_thefts_detects_a_violation(
    base_settings: Settings, prepared: Path | None
) -> None:
    """The owner gets in and a thief is found who opens an unbound session."""
    machine = machine_of(base_settings, prepared)()
    machine.begin()
    try:
        machine.owner.is_deaf = True
        machine.the_owner_signs_in()
        assert machine.owner.is_let_in()
        with pytest.raises(AssertionError):
            machine.every_open_session_has_a_key_in_use()
        machine.the_thief_copies_all_cookies(True, FIREFOX)
        machine.time_passes(700)
        with pytest.raises(AssertionError):
            machine.the_thief_tries()
    finally:
        machine.teardown()


def test_the_machine_detects_a_copy_that_passes_for_a_proof(
    base_settings: Settings, prepared: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a gateway that accepts any bound cookie at a sign-in."""
    monkeypatch.setattr(current, "FRESH_SECONDS", 600)
    machine = machine_of(base_settings, prepared)()
    machine.begin()
    try:
        machine.the_owner_signs_in()
        machine.the_owner_signs_out()
        machine.the_thief_copies_all_cookies(False, CHROME)
        machine.time_passes(300)
        with pytest.raises(AssertionError, match="passes for a proof"):
            machine.the_thief_signs_in()
    finally:
        machine.teardown()
