"""An agent at the console, as tests drive one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.audit.actions import AuditAction
from idp.directory import mass_change_breaker
from idp.models import AccountState, BrowserSession, Event
from idp.policy.console import ConsoleRole
from tests.world import Browser, World, hidden_fields

FACTS = ["username", "person_id", "organization"]


@dataclass
class Desk:
    """A signed-in operator."""

    world: World
    username: str
    browser: Browser

    @classmethod
    def of(cls, world: World, role: ConsoleRole = ConsoleRole.AGENT) -> Desk:
        """A new operator of this role at a new browser."""
        username = world.operator(role)
        return cls(world, username, world.browser().signed_in(username))

    def path(self, username: str) -> str:
        """Address of an account's page."""
        return f"/console/accounts/{self.world.account_row(username).subject}"

    def open(self, username: str) -> TestResponse:
        """The page of an account."""
        return self.browser.get(self.path(username))

    def token(self) -> str:
        """A form token of this browser."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.browser.get("/settings").text)
        assert found
        return found[1]

    def prove(self) -> None:
        """As if a second factor had just been proved in the sessions of this operator."""
        with self.world.work() as work:
            mine = BrowserSession.account_id == self.world.id_of(work, self.username)
            work.db.execute(update(BrowserSession).where(mine).values(factor_at=work.now))

    def send(self, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form of the console once, with a fresh second factor."""
        self.prove()
        data = {"csrf_token": self.token(), **fields}
        return self.browser.client.post(path, data=data, base_url=self.browser.base)

    def post(self, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form of the console, and confirm it where a page asks for that. The reason, its
        details, the ticket and what is typed once more can be among the fields."""
        answer = self.send(path, **fields)
        if 'name="confirmation"' not in answer.text:
            return answer
        return self.confirm(path, answer, **fields)

    def confirm(self, path: str, page: TestResponse, **fields: str | list[str]) -> TestResponse:
        """Answer the confirmation page."""
        typed = re.search(r'id="typed-hint">([^<]+)<', page.text)
        answers: dict[str, str | list[str]] = {
            "reason": "request_of_holder",
            "details": "asked on the telephone",
            "ticket": "CR-1001",
            "typed": unescape(typed[1]) if typed else "",
        }
        return self.send(path, **(hidden_fields(page.text, path) | answers | fields))

    def verify(self, username: str, facts: list[str] | None = None) -> TestResponse:
        """Record that the caller knew these facts."""
        return self.post(
            f"{self.path(username)}/caller", fact=FACTS if facts is None else facts, ticket="T-1"
        )

    def act(self, action: str, username: str, **changes: str) -> TestResponse:
        """Order an action and confirm it."""
        return self.post(f"{self.path(username)}/actions/{action}", **changes)

    def temporary_password(self, username: str) -> str:
        """Verify the caller and give a temporary password; returns it as the agent reads it."""
        self.verify(username)
        answer = self.act("temporary-password", username)
        assert answer.status_code == 200, answer.text
        found = re.search(r'class="big"><code>([^<]+)</code>', answer.text)
        assert found
        return found[1]


def trip_breaker(world: World, *, days: int = 0) -> None:
    """Let registration suspend so many accounts that the circuit breaker stops it; in some days."""
    with world.work() as work:
        limit = mass_change_breaker.status(work).limit
    names = [world.account(state=AccountState.PENDING) for _ in range(limit)]
    with world.work() as work:
        at = work.after(days=days)
        for name in names:
            values = {"account_id": world.id_of(work, name), "outcome": "ok", "data": {}}
            work.db.add(Event(at=at, name=AuditAction.SCIM_SUSPENDED, **values))
