"""A gateway with the people of the demonstration, and views of its pages for screenshots and axe.

A view is an answer of the gateway to a test client. So any state of a page is reached by the steps
that the other tests use, in either language and at a fixed time. ``chromium.py`` shows views in a
browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyotp
from flask import Response, abort, g, request, template_rendered
from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.app import create_app, db
from idp.demo import seed as demo
from idp.demo.home import Home
from idp.directory import accounts
from idp.grants import signing_keys
from idp.helpdesk import account_actions
from idp.mfa import totp
from idp.models import BrowserSession
from idp.policy.search_terms import fold
from idp.ports import Ports, SystemTokens
from tests.conftest import make_tables
from tests.fakes import FakeClock, FakeLogouts, FakeMailer, FakeSms
from tests.world import PASSWORD, Browser, World, hidden_fields

PORT = 22800
#: Headers that say which template and which view made an answer, for the check that all are shown.
TEMPLATE, ENDPOINT = "X-Template", "X-Endpoint"
LOCALES = {"en": "en-CA", "fr": "fr-CA"}


@dataclass(frozen=True)
class View:
    """A page in one state: its name (``console/account-locked``) and the answer that shows it."""

    name: str
    answer: TestResponse
    #: Whether a screenshot shows what the page keeps closed at first.
    opened: bool = False

    @property
    def url(self) -> str:
        return self.answer.request.url


@dataclass
class Studio:
    """The gateway, the language of its browsers, and steps towards a page."""

    world: World
    language: str
    secrets: dict[str, Any]
    people: dict[str, dict[str, Any]]
    #: How many people were added to those of the demonstration.
    count: int = field(default=0)

    def browser(self) -> Browser:
        """A new browser in the language of the walk."""
        client = self.world.app.test_client()
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[self.language]
        return Browser(self.world, client)

    def totp(self, role: str) -> str:
        """The code of a seeded person's app; each call is one step later."""
        self.world.clock.advance(seconds=30)
        return pyotp.TOTP(self.people[role]["totp_secret"]).at(self.world.clock.now())

    def username(self, role: str) -> str:
        return str(self.people[role]["username"])

    def password(self, role: str) -> str:
        return str(self.people[role]["password"])

    def enter(self, role: str, page: TestResponse | None = None, **more: str) -> Browser:
        """A browser in which a seeded person is signed in."""
        browser = self.browser()
        answer = browser.sign_in(self.username(role), self.password(role), page, **more)
        if answer.request.path == "/signin/factor":
            browser.submit(answer, "/signin/factor", code=self.totp(role))
        return browser

    def person(
        self, role: str, name: str, *, factors: bool = True, **values: Any
    ) -> dict[str, Any]:
        """A further account, with an app and codes by mail as second factors; known by ``role``
        afterwards as the seeded people are."""
        given, _, family = name.partition(" ")
        self.count += 1
        username = values.pop("username", fold(f"{family[:7]}{given[0]}"))
        values = {"person_id": f"2004{self.count:02}", **values}
        self.world.account(username, given_name=given, family_name=family, **values)
        secret = totp.secret_of(self.count.to_bytes(totp.SECRET_BYTES, "big"))
        if factors:
            with self.world.work() as work:
                demo._factors(work, accounts.by_username(work, username), secret)
        self.people[role] = {"username": username, "password": PASSWORD, "totp_secret": secret}
        return self.people[role]

    def form(self, browser: Browser, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form with a token of this browser and a fresh second factor."""
        with self.world.work() as work:
            work.db.execute(update(BrowserSession).values(factor_at=work.now))
        found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/settings").text)
        assert found
        data = {"csrf_token": found[1], **fields}
        answer = browser.client.post(path, data=data, base_url=browser.base)
        return browser._follow(answer)

    def confirmed(self, browser: Browser, path: str, **fields: str | list[str]) -> TestResponse:
        """Send a form, and answer its confirmation page."""
        page = self.form(browser, path, **fields)
        answers = {"reason": "request_of_holder", "details": "", "ticket": "CR-1001"}
        return self.form(browser, path, **(hidden_fields(page.text, path) | answers))

    def tire(self) -> None:
        """No proof of a second factor is fresh any more."""
        with self.world.work() as work:
            work.db.execute(update(BrowserSession).values(factor_at=None))

    def proved(self, browser: Browser, path: str, role: str) -> TestResponse:
        """A page of settings that asks for a second factor first."""
        page = browser.get(path)
        if page.request.path == "/settings/verify":
            page = browser.submit(page, "/settings/verify", code=self.totp(role))
        return page

    def temporary_password(self, username: str) -> str:
        """Issue one as Customer Relations does; returns it."""
        with self.world.work() as work:
            hasher = self.world.app.extensions["hasher"]
            account = accounts.by_username(work, username)
            return account_actions._temporary_password(work, hasher, account)

    @contextmanager
    def settings(self, **changes: Any) -> Iterator[None]:
        """Other settings for some steps."""
        before = self.world.app.extensions["runtime"]
        after = replace(before, settings=replace(before.settings, **changes))
        self.world.app.extensions["runtime"] = after
        yield
        self.world.app.extensions["runtime"] = before

    def subject(self, username: str) -> str:
        with self.world.work() as work:
            return accounts.by_username(work, username).subject


@contextmanager
def open_studio(folder: Path, language: str) -> Iterator[Studio]:
    """A gateway of the demonstration on a database in ``folder``, at a time that does not move."""
    home = Home(folder, PORT)
    home.prepare(reset=True)
    home.secrets()
    settings = replace(
        home.settings(),
        bcrypt_cost=4,
        signin_limit="100000 per minute",
        signin_failure_limit="100000 per minute",
        recovery_limit="100000 per minute",
    )
    clock, mailer, sms, logouts = FakeClock(), FakeMailer(), FakeSms(), FakeLogouts()
    app = create_app(settings, Ports(clock, SystemTokens(), mailer, sms, logouts=logouts))
    app.add_url_rule("/studio/<int:status>", "studio", lambda status: abort(status))
    app.after_request(_name_template)
    world = World(app, settings, clock, mailer, sms, logouts)
    with app.app_context():
        make_tables()
    with world.work() as work:
        signing_keys.ensure(work)
    with app.app_context():
        demo.seed(app.extensions["runtime"], app.extensions["hasher"], home)
    described = home.describe()
    people = {person["role"]: person for person in described["people"]}
    people |= {"machine": described["machine"], "pending": described["pending"]}
    people["machine"]["totp_secret"] = home.secrets()["totp_secrets"]["machine"]
    with template_rendered.connected_to(_keep_template, app):
        yield Studio(world, language, home.secrets(), people)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _keep_template(_app: object, template: Any, **_context: object) -> None:
    g.template = template.name


def _name_template(response: Response) -> Response:
    response.headers[TEMPLATE] = g.get("template", "")
    response.headers[ENDPOINT] = request.endpoint or ""
    return response
