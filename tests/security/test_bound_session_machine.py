"""N53, N58: no sequence of sign-in, registration, refresh, theft, sign-out and restoration leaves a
bound session open in two places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from joserfc.jwk import ECKey
from sqlalchemy import select

from idp.maintenance import restoration
from idp.models import BrowserSession
from idp.settings import Settings
from tests.bound_browser import CHROME, FIREFOX, BoundBrowser
from tests.security.own_gateway import OwnGateway

OWNER_KEY, THIEF_KEY = (ECKey.generate_key("P-256") for _ in "12")
#: How long a copy of all cookies is of use: as long as the bound cookie, and a minute.
COPIED = 660


class Thefts(OwnGateway):
    """The owner of an account in a browser with a key, and a thief who copies all its cookies now
    and then, and sends them from anywhere."""

    @initialize()
    def begin(self) -> None:
        self.open_world()
        self.username = self.world.account()
        self.owner = BoundBrowser(self.world, key=OWNER_KEY)
        self.thief = BoundBrowser(self.world, key=THIEF_KEY, is_deaf=True)
        self.copied_at = self.world.clock.now()

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

    @rule()
    def the_thief_tries(self) -> None:
        """With what it copied: not after the bound cookie is over."""
        since_copy = (self.world.clock.now() - self.copied_at).total_seconds()
        is_in = self.thief.is_let_in()
        assert not (is_in and since_copy >= COPIED), "the thief opens a session"

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
