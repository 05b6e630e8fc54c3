"""A gateway with people, roles and relying parties, as tests want them."""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select
from sqlalchemy.orm import scoped_session, sessionmaker
from werkzeug.test import TestResponse

from idp.app import db
from idp.cli.worker_parts import work_round
from idp.clients import registry
from idp.clients.client_data import ClientData
from idp.credentials import passwords
from idp.credentials.assertions import ASSERTION_TYPE, public_key
from idp.credentials.passwords import PasswordSource
from idp.directory import (
    accounts,
    lifecycle,
    participants,
    persons,
    role_group_assignments,
    role_groups,
)
from idp.directory.second_accounts import SecondAccountGrounds
from idp.messages import outbox_reader
from idp.messages.outbox_reader import OutboxEntry
from idp.models import Account, AccountKind, AccountState, AuthMethod, Event, Participant
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.registered_values import SecondAccountReason
from idp.policy.scopes import obtainable
from idp.settings import Settings
from idp.transaction import Origin, Runtime, UnitOfWork, committing
from service_base.core_session import CoreSession
from tests.fakes import FakeClock, FakeLogouts, FakeMailer, FakeSms

PASSWORD = "Quartz-Heron7-lantern"
NEW_PASSWORD = "Violet-Canoe4-thunder"
VERIFIER = "v" * 43
#: The key of clients that authenticate by one, and one that nobody registered.
KEY, OTHER_KEY = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
#: Stands for ``KEY`` where other clients have a secret.
BY_KEY = "signed with KEY"
NUMBERS = count()
SCOPES = ("openid", "profile", "email", "phone", "groups", "participants", "offline_access")
AUTHORIZE = "/oauth2/v1/authorize"
TOKEN = "/oauth2/v1/token"


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def assertion(
    client_id: str, secret: str, clock: FakeClock, method: str = "private_key_jwt"
) -> dict[str, str]:
    """What a client with ``KEY`` sends (RFC 7523 section 2.2); with another secret than ``BY_KEY``
    it is signed by a key that is not registered. ``client_secret_jwt`` signs with the secret."""
    now = int(clock.now().timestamp())
    claims = {"iss": client_id, "sub": client_id, "aud": "https://gateway.test", "iat": now,
              "exp": now + 60, "jti": f"world-{next(NUMBERS)}"}  # fmt: skip
    key: Any = KEY if secret == BY_KEY else OTHER_KEY
    alg = "ES256"
    if method == "client_secret_jwt":
        key, alg = OctKey.import_key(secret), "HS256"
    return {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode({"alg": alg}, claims, key, algorithms=[alg]),
    }


@dataclass
class Rp:
    """A registered relying party, with its credentials and usual requests."""

    client_id: str
    secret: str
    redirect_uri: str
    auth_method: str = "client_secret"
    clock: FakeClock = field(default_factory=FakeClock)

    def basic(self) -> dict[str, str]:
        """The Authorization header of client_secret_basic."""
        raw = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"Authorization": f"Basic {b64encode(raw.encode()).decode()}"}

    def auth(self) -> dict[str, Any]:
        """Keyword arguments for a test client's post: headers, and what belongs in the form."""
        if self.auth_method in ("client_secret", "client_secret_basic"):
            return {"headers": self.basic(), "form": {}}
        form = {"client_id": self.client_id}
        if self.auth_method == "client_secret_post":
            form["client_secret"] = self.secret
        if self.auth_method in ("private_key_jwt", "client_secret_jwt"):
            form |= assertion(self.client_id, self.secret, self.clock, self.auth_method)
        return {"headers": {}, "form": form}

    def authorize_params(self, **changes: str | None) -> dict[str, str]:
        """Parameters of a good authorization request; a change to None leaves one out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email groups participants offline_access",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {k: v for k, v in (params | changes).items() if v is not None}


def environ_of(world: World) -> dict[str, str]:
    """The environment of another process of this gateway, on the same database."""
    s = world.settings
    return {k: v for k, v in os.environ.items() if not k.startswith("IDP_")} | {
        "IDP_ISSUER": s.issuer,
        "IDP_DATABASE_URL": s.database_url,
        "IDP_SECRET_KEY": s.secret_key,
        "IDP_KEY_ENCRYPTION_KEYS": s.key_encryption_keys[0],
        "IDP_PASSWORD_PEPPERS": s.password_peppers[0],
        "IDP_BCRYPT_COST": "4",
        "IDP_LOG_LEVEL": "ERROR",
    }


def registered(work: UnitOfWork, number: str, name: str = "") -> Participant:
    """The participant of this number, registered when it is not."""
    found = participants.find(work, number)
    return found or participants.register(work, number, name or f"Company {number}")


@dataclass
class World:
    """The application under test and the means to fill and drive it."""

    app: Flask
    settings: Settings
    clock: FakeClock
    mailer: FakeMailer
    sms: FakeSms = field(default_factory=FakeSms)
    logouts: FakeLogouts = field(default_factory=FakeLogouts)
    count: int = 0
    made: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def work(self, actor: str = "test") -> Iterator[UnitOfWork]:
        """A committed unit of work."""
        with self.app.app_context():
            runtime: Runtime = self.app.extensions["runtime"]
            with committing(runtime.work(Origin(actor=actor))) as work:
                yield work

    def browser(self) -> Browser:
        """A new browser, without cookies."""
        return Browser(self, self.app.test_client())

    def account(
        self,
        username: str | None = None,
        *,
        state: AccountState = AccountState.ACTIVE,
        kind: AccountKind = AccountKind.PERSONAL,
        password: str = PASSWORD,
        email: str | None = None,
        **person: str,
    ) -> str:
        """Make an account in a state; returns its user name. A further one of a person is a second
        account for participant 109120."""
        self.count += 1
        n = self.count
        username = username or f"holder{n}"
        with self.work() as work:
            data = accounts.NewPerson(
                person_id=person.pop("person_id", f"P{n:05}"),
                given_name=person.pop("given_name", "Ada"),
                family_name=person.pop("family_name", "Moreau"),
                email=email or f"{username.split('@')[0]}@participant.example",
                **person,
            )
            holder = accounts.get_or_create_person(work, data)
            second = None
            kinds = {row.kind for row in persons.accounts_of(work, holder)}
            if kind is AccountKind.PERSONAL and kind in kinds:
                only = registered(work, "109120")
                second = SecondAccountGrounds.of(SecondAccountReason.TRANSMISSION_RIGHTS, only)
            account = accounts.create_account(
                work, holder, kind=kind, username=username, second=second
            )
            if state is not AccountState.PENDING:
                hasher = self.app.extensions["hasher"]
                assert (
                    passwords.change(
                        work, hasher, account, password, source=PasswordSource.SETTINGS
                    )
                    == ()
                )
                lifecycle.change_state(work, account, AccountState.ACTIVE, reason="test")
                lifecycle.change_state(work, account, state, reason="test")
                account.ready_at = work.now
        return username

    def set_state(self, username: str, state: AccountState) -> None:
        """Move an account to a state as an administrator does."""
        with self.work() as work:
            account = accounts.by_username(work, username)
            lifecycle.change_state(work, account, state, reason="test")

    def grant_role(self, username: str, group: str, participant: str = "109120") -> None:
        """Assign a role group, making group and participant when there are none."""
        with self.work() as work:
            organization = registered(work, participant)
            role_group_assignments.assign(
                work,
                accounts.by_username(work, username),
                role_groups.by_name(work, group),
                organization,
            )

    def participant(self, number: str, name: str = "") -> None:
        """Register a participant, unless it is."""
        with self.work() as work:
            registered(work, number, name)

    def operator(self, *held: ConsoleRole) -> str:
        """An account with roles in the console."""
        username = self.account(given_name="Leila", family_name="Haddad")
        for role in held:
            if role not in self.made:
                self.role_group(role)
                self.made[role] = True
            self.grant_role(username, role, OPERATOR)
        return username

    def revoke_role(self, username: str, group: str, participant: str = "109120") -> None:
        with self.work() as work:
            organization = registered(work, participant)
            role_group_assignments.revoke(
                work,
                accounts.by_username(work, username),
                role_groups.by_name(work, group),
                organization,
            )

    def role_group(
        self, name: str, *client_ids: str, kind: str = "personal", participation: str = ""
    ) -> None:
        with self.work() as work:
            seen_by = [registry.get(work, c) for c in client_ids]
            role_groups.create(work, name, kind=kind, clients=seen_by, participation=participation)

    def relying_party(self, name: str = "EMI", **changes: Any) -> Rp:
        """Register a client; by default confidential, trusted, code and refresh."""
        client_id = changes.pop("client_id", name.lower())
        host = f"https://{name.lower()}.rp.test"
        values: dict[str, Any] = {
            "name": name,
            "home_url": f"{host}/signin",
            "grant_types": ("authorization_code", "refresh_token"),
            "redirect_uris": (f"{host}/callback",),
            "post_logout_redirect_uris": (f"{host}/signed-out",),
            "trusted": True,
        }
        values |= changes
        values.setdefault(
            "scopes", tuple(one for one in SCOPES if obtainable(one, values["grant_types"]))
        )
        if values.get("auth_method") == AuthMethod.KEY:
            values.setdefault("keys", (public_key(KEY.as_pem(private=False).decode()),))
        with self.work() as work:
            client, secret = registry.create(
                work, ClientData(**values), client_id=client_id, is_approved=True
            )
            uri = client.redirect_uris[0] if client.redirect_uris else ""
            is_by_key = client.auth_method == AuthMethod.KEY
            shown = BY_KEY if is_by_key else secret
            return Rp(client.client_id, shown, uri, client.auth_method, self.clock)

    def run_worker(self) -> None:
        """What the worker does until nothing is left, mails and texts included."""
        while work_round(self.worker_runtime):
            pass

    @cached_property
    def _worker_sessions(self) -> scoped_session[CoreSession]:
        with self.app.app_context():
            return scoped_session(sessionmaker(db.engine, class_=CoreSession))

    @property
    def worker_runtime(self) -> Runtime:
        """The runtime of the application as a worker has it: a session for each thread."""
        return replace(self.app.extensions["runtime"], sessions=self._worker_sessions)

    def mails(self, kind: str | None = None, to: str | None = None) -> list[OutboxEntry]:
        """The outbox opened, oldest first; of one kind, to one account."""
        with self.work() as work:
            rows = list(reversed(outbox_reader.recent(work, 1000)))
            if to is not None:
                mine = {
                    m.id for m in outbox_reader.account_messages(work, self.id_of(work, to), 1000)
                }
                rows = [row for row in rows if row.id in mine]
        return [row for row in rows if kind in (None, row.kind)]

    @staticmethod
    def id_of(work: UnitOfWork, username: str) -> int:
        return accounts.by_username(work, username).id

    def events(self, name: str | None = None) -> list[Event]:
        """The trail so far, oldest first."""
        with self.work() as work:
            query = select(Event).order_by(Event.id)
            rows = work.db.scalars(query.where(Event.name == name) if name else query).all()
            work.db.expunge_all()
            return list(rows)

    def account_row(self, username: str) -> Account:
        """A detached copy of the account's row."""
        with self.work() as work:
            row = accounts.by_username(work, username)
            work.db.expunge_all()
            return row

    def post(self, rp: Rp, path: str = TOKEN, **params: str) -> TestResponse:
        """A POST of the relying party's server, authenticated by its registered method."""
        auth = rp.auth()
        client = self.app.test_client(use_cookies=False)
        return client.post(
            path,
            data=auth["form"] | params,
            headers=auth["headers"],
            base_url=self.settings.issuer,
        )

    def introspect(self, rp: Rp, token: str) -> dict[str, Any]:
        response = self.post(rp, "/oauth2/v1/introspect", token=token)
        assert response.status_code == 200, response.text
        return dict(response.json or {})

    def introspect_status(self, rp: Rp, token: str) -> int:
        return self.post(rp, "/oauth2/v1/introspect", token=token).status_code

    def redeem(self, rp: Rp, code: str, **changes: str) -> TestResponse:
        """Exchange a code at the token endpoint."""
        params = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": rp.redirect_uri,
            "code_verifier": VERIFIER,
        }
        return self.post(rp, TOKEN, **(params | changes))

    def refresh(self, rp: Rp, token: str, **changes: str) -> TestResponse:
        return self.post(
            rp, TOKEN, **({"grant_type": "refresh_token", "refresh_token": token} | changes)
        )

    def signed_in_tokens(self, rp: Rp, username: str, **params: str | None) -> dict[str, Any]:
        """The whole way: sign in, code, tokens."""
        browser = self.browser()
        code = browser.code(rp, username, **params)
        response = self.redeem(rp, code)
        assert response.status_code == 200, response.text
        return dict(response.json or {})


@dataclass
class Browser:
    """A browser at the gateway: keeps cookies, follows redirects within the gateway only."""

    world: World
    client: FlaskClient

    def get(self, path: str, **params: str) -> TestResponse:
        """GET, following redirects of the gateway; stops at the first one to elsewhere."""
        query = f"?{urlencode(params)}" if params else ""
        return self._follow(self.client.get(path + query, base_url=self.base))

    def post(self, path: str, data: dict[str, str]) -> TestResponse:
        """POST, again if a redirect says so (RFC 9110 section 15.4.8), then follow as ``get``
        does."""
        response = self.client.post(path, data=data, base_url=self.base)
        if response.status_code == 307:
            again = response.headers["Location"]
            response = self.client.post(again, data=data, base_url=self.base)
        return self._follow(response)

    @property
    def base(self) -> str:
        return self.world.settings.issuer

    def _follow(self, response: TestResponse) -> TestResponse:
        for _ in range(12):
            target = _onward(response)
            if not target or not (target.startswith("/") or target.startswith(self.base)):
                return response
            response = self.client.get(target.removeprefix(self.base), base_url=self.base)
        raise AssertionError("too many redirects")

    def signed_in(self, username: str, password: str = PASSWORD) -> Browser:
        """This browser, signed in."""
        assert self.sign_in(username, password).status_code == 200
        return self

    def submit(self, page: TestResponse, path: str, **fields: str) -> TestResponse:
        """Fill in the form of ``page`` whose action is ``path`` and send it."""
        return self.post(path, hidden_fields(page.text, path) | fields)

    def sign_in(
        self, username: str, password: str = PASSWORD, page: TestResponse | None = None, **more: str
    ) -> TestResponse:
        """Sign in on the given page, or on a fresh sign-in page."""
        page = page or self.get("/signin")
        return self.submit(page, "/signin", username=username, password=password, **more)

    def authorize(self, rp: Rp, **params: str | None) -> TestResponse:
        """Send this browser to the authorization endpoint."""
        return self.get(AUTHORIZE, **rp.authorize_params(**params))

    def code(self, rp: Rp, username: str, password: str = PASSWORD, **params: str | None) -> str:
        """Sign in for a relying party; returns the code it is given."""
        response = self.authorize(rp, **params)
        if response.status_code == 200:
            response = self.sign_in(username, password, response)
        answer = answer_of(response)
        assert "code" in answer, answer
        return answer["code"]


def _onward(response: TestResponse) -> str | None:
    """Where a browser goes on to by itself. A page that goes on counts as a redirect, as for the
    person; the test reads its target from ``Location``."""
    page = response.text if response.mimetype == "text/html" else ""
    refresh = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', page)
    if refresh:
        response.status_code = 303
        response.headers["Location"] = _unescape(refresh[1])
    return response.headers.get("Location")


def answer_of(response: TestResponse) -> dict[str, str]:
    """The parameters of a redirect to a relying party."""
    assert response.status_code == 303, (response.status_code, response.text[:2000])
    query = parse_qs(urlsplit(response.headers["Location"]).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in query.values())
    return {name: values[0] for name, values in query.items()}


def hidden_fields(html: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with this action."""
    for form in re.findall(r"<form\b.*?</form>", html, re.DOTALL):
        head = form[: form.index(">")]
        found = re.search(r'action="([^"]*)"', head)
        if found and found[1].split("?")[0] == action:
            inputs = re.findall(r"<input\b[^>]*>", form)
            return {
                re.search(r'name="([^"]*)"', tag)[1]: _unescape(_value(tag))  # type: ignore[index]
                for tag in inputs
                if 'type="hidden"' in tag and "name=" in tag
            }
    raise AssertionError(f"no form with action {action} in: {html[:3000]}")


def _value(tag: str) -> str:
    found = re.search(r'value="([^"]*)"', tag)
    return found[1] if found else ""


def _unescape(text: str) -> str:
    from html import unescape

    return unescape(text)
