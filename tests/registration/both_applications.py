"""Registration and a gateway in one process: people use the pages of both, and workers carry what
was decided from one to the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

from authlib.integrations.flask_client.apps import OAuth2Session
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.credentials.assertions import public_key
from idp.directory import accounts as gateway_accounts
from idp.factors import factor_codes
from registration import (
    account_pushes,
    accounts,
    catalogue,
    catalogue_tables,
    demo_data,
    demo_tables,
    notice_delivery,
    push_delivery,
)
from registration.app import create_app
from registration.models import Account, Person
from registration.ports import Ports
from registration.settings import Settings
from registration.transaction import Runtime, UnitOfWork
from registration_bridge.bridge_client import BridgeClient
from tests.factor_steps import code
from tests.fakes import FakeMailer
from tests.scim.test_client import MAKERS, Wired, connect, pem, public, registered
from tests.world import NEW_PASSWORD, PASSWORD, Browser, Rp, World

URL = "https://registration.test"
#: The participant of the journeys, and the start of its addresses.
LAKES = "109120"
HERE = f"/organizations/{LAKES}"
#: People of the demonstration: user name and Person ID.
RA, SECOND_RA = ("nwosua", "100405"), ("second.ra", "100406")
APPREP, HOLDER, OPERATOR = ("lalondes", "100407"), ("petrovl", "100419"), ("oseim", "100310")
PEOPLE = (RA, SECOND_RA, APPREP, HOLDER, OPERATOR)
#: Those who act with a second factor.
STRONG = (RA, APPREP, OPERATOR)
#: What the catalogue of roles means at EMI.
AT_EMI = (
    "EMI Bids and Offers", "EMI Market Data Viewer", "Dispatch Data Submitter",
    "Dispatch Data Viewer", "Manage Resources", "Capacity Auction",
)  # fmt: skip

Bridges = Callable[[], AbstractContextManager[BridgeClient]]


def wired_bridge(world: World) -> Bridges:
    """Connections of registration to the bridge of this gateway, where it authenticates with its
    key."""
    key = MAKERS["EC"]()
    registered(world, auth_method="private_key_jwt", keys=(public_key(public(key)),))
    return lambda: connect(world, key=pem(key))


def wired_sign_in(app: Flask, world: World) -> None:
    """Registration asks this gateway for tokens and keys."""

    class Session(OAuth2Session):  # type: ignore[misc]
        def __init__(self, *values: Any, **more: Any) -> None:
            super().__init__(*values, **more)
            self.mount(world.settings.issuer, Wired(world))

    app.extensions["gateway"].client_cls = Session


@dataclass
class Both:
    """Both applications, and what happens between them."""

    world: World
    app: Flask
    mailer: FakeMailer
    emi: Rp
    #: The keys of the authenticator apps, by user name.
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.app.extensions["runtime"]
        return found

    def deliver(self) -> None:
        """What the workers of both do until nothing is left; then the gateway has refused
        nothing."""
        while push_delivery.deliver_due(self.runtime) or notice_delivery.deliver_due(self.runtime):
            pass
        self.world.run_worker()

    def person(self, name: tuple[str, str], password: str = PASSWORD) -> Visitor:
        """A browser in which this person signed in at registration, with a second factor."""
        username, person_id = name
        visitor = Visitor(self, username, person_id, self.app.test_client(), self.world.browser())
        page = visitor.at_gateway("/signin?next=/&fresh=1")
        if 'name="password"' in page.text:
            page = visitor.gateway.sign_in(username, password, page)
        if username in self.secrets:
            shown = code(self.world, self.secrets[username])
            page = visitor.gateway.submit(page, "/signin/factor", code=shown)
        visitor.back(page)
        return visitor

    def mails(self, person_id: str) -> list[str]:
        """Subject and text of the mails of registration to this person, oldest first."""
        with self.runtime.work() as work:
            email = _person(work, person_id).main_email
        sent = [one for one in self.mailer.sent if email in str(one["To"])]
        return [f"{one['Subject']}\n{one.get_content()}" for one in sent]

    def username(self, person_id: str) -> str | None:
        """The user name that the gateway chose."""
        with self.runtime.work() as work:
            query = select(Account.username).where(
                Account.person_id == _person(work, person_id).id, Account.kind == "person"
            )
            return work.db.scalar(query)

    def activate(self, username: str) -> None:
        """By the mailed link, with a new password."""
        mail = self.world.mails("account_created", to=username)[-1]
        browser = self.world.browser()
        page = browser.get(mail.links[0].removeprefix(self.world.settings.issuer))
        done = browser.submit(page, "/activate", password=NEW_PASSWORD, again=NEW_PASSWORD)
        assert done.status_code == 200, done.text

    def at_emi(
        self, username: str, password: str = PASSWORD, browser: Browser | None = None
    ) -> list[str]:
        """The role groups in a new token of EMI."""
        issued = (browser or self.world.browser()).code(self.emi, username, password)
        token = (self.world.redeem(self.emi, issued).json or {})["access_token"]
        answer: dict[str, Any] = self.world.introspect(self.emi, token)
        return sorted(answer.get("groups", []))


@dataclass
class Visitor:
    """Somebody at both applications, in one browser."""

    both: Both
    username: str
    person_id: str
    client: FlaskClient
    gateway: Browser

    def at_gateway(self, path: str) -> TestResponse:
        """Where a page of registration leads, at the gateway."""
        answer = self.client.get(path, base_url=URL)
        assert answer.status_code in (302, 303), answer.text
        return self.gateway.get(answer.location.removeprefix(self.gateway.base))

    def back(self, page: TestResponse) -> TestResponse:
        """The page to which the gateway's answer leads."""
        target = page.headers.get("Location", "")
        assert target.startswith(f"{URL}/callback?"), page.text[:3000]
        return self.get(target.removeprefix(URL))

    def get(self, path: str) -> TestResponse:
        """A page of registration, after its redirects."""
        answer = self.client.get(path, base_url=URL)
        while answer.status_code in (302, 303):
            answer = self.client.get(answer.location, base_url=URL)
        return answer

    def send(self, page: TestResponse, path: str, **changes: Any) -> TestResponse:
        """Send the form of the page with this address, as it stands but for these fields."""
        answer = self.client.post(path, data=form_of(page.text, path) | changes, base_url=URL)
        return self.get(answer.location) if answer.status_code in (302, 303) else answer

    def groups(self) -> list[str]:
        """The role groups in a new token of EMI, by the session of this browser at the gateway."""
        return self.both.at_emi(self.username, browser=self.gateway)


def form_of(html: str, action: str) -> dict[str, Any]:
    """What the form with this action sends as it stands."""
    forms = re.findall(r"<form\b.*?</form>", html, re.DOTALL)
    (form,) = (one for one in forms if f'action="{action}"' in one.split(">", 1)[0])
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        known = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_sent = known.get("type") not in ("checkbox", "radio", "file") or " checked" in tag
        if is_sent and "name" in known:
            found.setdefault(known["name"], []).append(unescape(known.get("value", "")))
    for name, text in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</', form, re.DOTALL):
        found[name] = [unescape(text)]
    for name, options in re.findall(r'<select[^>]* name="([^"]+)".*?>(.*?)</select', form, re.S):
        chosen = re.findall(r'<option[^>]*value="([^"]*)"[^>]* selected', options)
        found[name] = chosen or re.findall(r'<option[^>]*value="([^"]*)"', options)[:1]
    return dict(found)


def made(world: World, url: str) -> Both:
    """Both applications with some people of the demonstration, who have accounts. ``url`` is the
    database of registration, with empty tables."""
    # The library that reads ID tokens knows the real time only; they are valid for minutes.
    world.clock.moment = datetime.now(UTC)
    bridge = wired_bridge(world)
    emi, own = world.relying_party(), world.relying_party(
        "Online", client_id="registration-system", redirect_uris=(f"{URL}/callback",),
        scopes=("openid", "profile", "groups"),
    )  # fmt: skip
    for name in AT_EMI:
        world.role_group(name, emi.client_id)
    world.role_group("Registration User", own.client_id)
    world.role_group("Registration Operator", own.client_id)
    settings = Settings(
        environment="sandbox", url=URL, issuer=world.settings.issuer, client_id=own.client_id,
        client_secret=own.secret, secret_key="registration-secret-of-the-tests-0001",
        database_url=url,
    )  # fmt: skip
    mailer = FakeMailer()
    app = create_app(settings, Ports(world.clock, mailer, bridge))
    wired_sign_in(app, world)
    both = Both(world, app, mailer, emi)
    _fill(both)
    return both


def _fill(both: Both) -> None:
    whole = demo_data.packaged()
    wanted = {person_id: username for username, person_id in PEOPLE}
    people = {number: one for number, one in whole.people.items() if number in wanted}
    with both.runtime.work() as work:
        catalogue_tables.write(work, catalogue.packaged())
        demo_tables.write(work, replace(whole, people=people, machines={}), {})
        for number, username in wanted.items():
            account = work.db.scalars(
                select(Account).where(Account.person_id == _person(work, number).id)
            ).one()
            account.username = username
    both.world.participant(LAKES, "Northern Lakes Generation Inc.")
    for number, username in wanted.items():
        one = people[number]
        both.world.account(username, person_id=number, given_name=one.first_name,
                           family_name=one.last_name, email=one.email)  # fmt: skip
        if (username, number) in STRONG:
            both.secrets[username] = _app_of(both.world, username)
    both.world.grant_role(OPERATOR[0], "Registration Operator", "IESO")
    with both.runtime.work() as work:
        for account in accounts.open_after(work, 0):
            if account.person and account.person.person_id != OPERATOR[1]:
                account_pushes.queue(work, account)
    both.deliver()


def _app_of(world: World, username: str) -> str:
    """An authenticator app of this account; returns its secret."""
    with world.work() as work:
        account = gateway_accounts.by_username(work, username)
        row = factor_codes.start_app_enrolment(work, account, "My telephone")
        row.confirmed_at = account.enrolled_at = work.now
        return factor_codes.secret(work, row)


def _person(work: UnitOfWork, person_id: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == person_id)).one()
