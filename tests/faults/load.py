"""Load: browsers, relying parties and a registration system that note what they are told."""

from __future__ import annotations

import json
import random
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from itertools import count
from string import ascii_lowercase
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.faults.history import Call, History
from tests.faults.installation import CALLBACK, HOST_HEADER, Address, Installation, connect
from tests.scim.pusher import PATCH, user
from tests.world import PASSWORD, VERIFIER, Rp, hidden_fields

FORM = "application/x-www-form-urlencoded"
TOKEN = "/oauth2/v1/token"
NUMBERS = count(1)
#: How often a client repeats what must not be lost, and how long it waits in between.
REPEATS, PAUSE = 60, 0.5


@dataclass
class Answer:
    """An answer over the wire."""

    status: int
    headers: HTTPResponse
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> dict[str, object]:
        return dict(json.loads(self.body))

    def query(self) -> dict[str, str]:
        """The parameters of the redirect."""
        target = self.headers.getheader("Location") or ""
        return {k: v[0] for k, v in parse_qs(urlsplit(target).query).items()}


def jti_of(token: str) -> str:
    """The ``jti`` of a JWT, unverified."""
    part = token.split(".")[1]
    return str(json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))["jti"])


@dataclass
class Client:
    """One person with a browser and the relying party that they use. Not thread-safe."""

    number: int
    #: Each request goes to the next one.
    ports: Sequence[Address]
    installation: Installation
    history: History
    timeout: float = 30.0
    cookies: dict[str, str] = field(default_factory=dict)
    refresh_token: str = ""
    access_token: str = ""
    push_token: str = ""
    #: Refresh tokens of other grants, to be revoked.
    turn: int = 0

    @property
    def rp(self) -> Rp:
        return self.installation.rp

    def send(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own. Raises OSError or HTTPException."""
        port = self.ports[self.turn % len(self.ports)]
        self.turn += 1
        sent = {"Host": HOST_HEADER, "Connection": "close"} | (headers or {})
        if body and "Content-Type" not in sent:
            sent["Content-Type"] = FORM
        connection = connect(port, self.timeout)
        try:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer, answer.read())
        finally:
            connection.close()

    def browse(self, method: str, path: str, **fields: str) -> Answer:
        """As a browser: with its cookies."""
        header = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = self.send(method, path, urlencode(fields), {"Cookie": header} if header else {})
        for line in answer.headers.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    def note(
        self, name: str, sent: dict[str, str], ask: Callable[[], Answer]
    ) -> tuple[Call, Answer | None]:
        """Do it and note the answer."""
        call = self.history.begin(name, self.number, sent)
        answer: Answer | None = None
        try:
            answer = ask()
            call.status = answer.status
            call.request_id = answer.headers.getheader("X-Request-Id") or ""
            if answer.status >= 400:
                call.body = answer.text[:300]
        except (OSError, HTTPException) as error:
            call.body = type(error).__name__
        return call, answer

    def token(self, name: str, sent: dict[str, str], **form: str) -> tuple[Call, Answer | None]:
        """A request to the token endpoint, and what it gave."""
        call, answer = self.note(
            name, sent, lambda: self.send("POST", TOKEN, urlencode(form), self.rp.basic())
        )
        if answer is not None and answer.status == 200:
            given = answer.json
            call.got["jti"] = jti_of(str(given["access_token"]))
            call.got["access_token"] = str(given["access_token"])
            if "refresh_token" in given:
                call.got["refresh_token"] = str(given["refresh_token"])
        self.history.end(call)
        return call, answer

    # What a client does. Each returns whether the answer was a success.

    def sign_in(self, username: str = "") -> bool:
        """A browser signs in: page and password."""
        self.cookies.clear()
        username = username or self.installation.people[self.number]
        try:
            page = self.browse("GET", "/signin")
            if page.status != 200:
                return False
            fields = hidden_fields(page.text, "/signin")
        except (OSError, HTTPException):
            return False
        before = set(self.cookies.items())
        call, answer = self.note(
            "sign_in", {"username": username},
            lambda: self.browse("POST", "/signin", **fields, username=username, password=PASSWORD),
        )  # fmt: skip
        if answer is not None and answer.status == 303:
            new = dict(set(self.cookies.items()) - before)
            call.got["session"] = next((v for k, v in new.items() if k.endswith("session")), "")
        self.history.end(call)
        return call.is_success

    def authorize(self) -> str:
        """The signed-in browser gets a code; empty if not."""
        query = urlencode(self.rp.authorize_params(scope="openid profile email offline_access"))
        call, answer = self.note(
            "authorize", {}, lambda: self.browse("GET", f"/oauth2/v1/authorize?{query}")
        )
        if answer is not None and answer.status == 303:
            call.got["code"] = answer.query().get("code", "")
            if not call.got["code"]:
                # It goes to the sign-in page, because the sign-in before had no answer or 503.
                call.name = "sent_to_sign_in"
        self.history.end(call)
        return call.got.get("code", "")

    def redeem(self, code: str) -> Call:
        """Redeem a code. Two relying parties of the same name at once are no better off."""
        call, _ = self.token(
            "redeem", {"code": code}, grant_type="authorization_code", code=code,
            redirect_uri=CALLBACK, code_verifier=VERIFIER,
        )  # fmt: skip
        if call.status == 200:
            self.refresh_token = call.got["refresh_token"]
            self.access_token = call.got["access_token"]
        return call

    def new_grant(self) -> bool:
        """A code, and its tokens."""
        if not any(name.endswith("session") for name in self.cookies) and not self.sign_in():
            return False
        code = self.authorize()
        if not code:
            self.cookies.clear()
            return False
        call = self.redeem(code)
        if call.status != 200:
            # The client repeats it, as libraries do: it gets tokens, or the code was spent.
            call = self.redeem(code)
        return call.is_success

    def refresh(self) -> bool:
        """Rotate; without an answer the same token again."""
        if not self.refresh_token:
            return self.new_grant()
        token = self.refresh_token
        call, _ = self.token(
            "refresh", {"refresh_token": token}, grant_type="refresh_token", refresh_token=token
        )
        if call.status == 200:
            self.refresh_token = call.got["refresh_token"]
            self.access_token = call.got["access_token"]
        elif call.is_refusal:
            self.refresh_token = ""
        return call.is_success

    def machine(self) -> bool:
        """A token by client credentials."""
        call, _ = self.token("machine", {}, grant_type="client_credentials", scope="api")
        return call.is_success

    def revoke(self) -> bool:
        """End a grant."""
        if not self.refresh_token:
            return self.new_grant()
        token, self.refresh_token = self.refresh_token, ""
        self.access_token = ""
        return self._until_answered(
            "revoke", {"refresh_token": token},
            lambda: self.send("POST", "/oauth2/v1/revoke", urlencode({"token": token}),
                              self.rp.basic()),
        )  # fmt: skip

    def sign_out(self) -> bool:
        """End the session."""
        session = next((v for k, v in self.cookies.items() if k.endswith("session")), "")
        if not session:
            return self.sign_in()
        try:
            fields = hidden_fields(self.browse("GET", "/signout").text, "/signout")
        except (OSError, HTTPException, AssertionError):
            return False
        call, _ = self.note(
            "sign_out", {"session": session}, lambda: self.browse("POST", "/signout", **fields)
        )
        self.history.end(call)
        self.cookies.clear()
        return call.is_success

    def recover(self) -> bool:
        """Forgot password: a mail is promised."""
        username = self.installation.people[self.number]
        try:
            fields = hidden_fields(self.browse("GET", "/recover").text, "/recover")
        except (OSError, HTTPException, AssertionError):
            return False
        call, _ = self.note(
            "recover", {"username": username},
            lambda: self.browse("POST", "/recover", **fields, username=username, channel="mail"),
        )  # fmt: skip
        self.history.end(call)
        return call.is_success

    def userinfo(self) -> bool:
        """A read with the present access token."""
        if not self.access_token:
            return self.new_grant()
        bearer = {"Authorization": f"Bearer {self.access_token}"}
        call, _ = self.note(
            "userinfo", {"access_token": self.access_token},
            lambda: self.send("GET", "/oauth2/v1/userinfo", headers=bearer),
        )  # fmt: skip
        self.history.end(call)
        if call.is_refusal:
            self.access_token = ""
        return call.is_success

    def keys(self) -> bool:
        """The signing keys."""
        call, _ = self.note("keys", {}, lambda: self.send("GET", "/oauth2/v1/keys"))
        self.history.end(call)
        return call.is_success

    # The registration system.

    def _push_headers(self) -> dict[str, str]:
        if not self.push_token:
            form = urlencode({"grant_type": "client_credentials"})
            answer = self.send("POST", TOKEN, form, self.installation.pusher.basic())
            if answer.status != 200:
                raise ConnectionError(f"no token for pushes: {answer.status}")
            self.push_token = str(answer.json["access_token"])
        return {
            "Authorization": f"Bearer {self.push_token}",
            "Content-Type": "application/scim+json",
        }

    def create(self) -> bool:
        """Push a new person, until it is there (I6)."""
        number = next(NUMBERS)
        # A name gives few user names, and a long load creates many people.
        family = "".join(ascii_lowercase[number // 26**place % 26] for place in range(3))
        body = json.dumps(user(number, name={"givenName": "Jim", "familyName": family}))
        return self._until_answered(
            "create", {"external_id": f"reg-{number}"},
            lambda: self.send("POST", "/scim/v2/Users", body, self._push_headers()),
        )  # fmt: skip

    def suspend(self, username: str) -> bool:
        """Take all access away, until it is done (I4)."""
        query = urlencode({"filter": f'userName eq "{username}"'})
        found: dict[str, object] = {}

        def ask() -> Answer:
            answer = self.send("GET", f"/scim/v2/Users?{query}", headers=self._push_headers())
            if answer.status != 200:
                return answer
            found.update(answer.json)
            identifier = found["Resources"][0]["id"]  # type: ignore[index]
            operation = {"op": "replace", "path": "active", "value": False}
            body = json.dumps({"schemas": [PATCH], "Operations": [operation]})
            path = f"/scim/v2/Users/{identifier}"
            return self.send("PATCH", path, body, self._push_headers())

        return self._until_answered("suspend", {"username": username}, ask)

    def _until_answered(self, name: str, sent: dict[str, str], ask: Callable[[], Answer]) -> bool:
        """Repeat until there is an answer below 500, as those who must not lose it do."""
        for _ in range(REPEATS):
            call, answer = self.note(name, sent, ask)
            if answer is not None and name == "create" and answer.status == 201:
                call.got["id"] = str(answer.json["id"])
            self.history.end(call)
            if call.status == 401 and name in ("create", "suspend"):
                self.push_token = ""
            elif call.status is not None and call.status < 500:
                return call.is_success
            if self.history.stopping.wait(PAUSE):
                return False
        return False


#: What a client does next, by weight.
MIX: tuple[tuple[str, int], ...] = (
    ("refresh", 6), ("new_grant", 4), ("machine", 4), ("userinfo", 4), ("keys", 2), ("revoke", 2),
    ("sign_in", 1), ("sign_out", 1), ("recover", 1), ("create", 2),
)  # fmt: skip


def _work(client: Client, pause: float, mix: tuple[tuple[str, int], ...], seed: int) -> None:
    chooser = random.Random(seed)
    names, weights = zip(*mix, strict=True)
    victims = client.installation.victims
    while not client.history.stopping.is_set():
        (name,) = chooser.choices(names, weights)
        if name == "suspend":
            if victims:
                client.suspend(victims.pop())
        else:
            getattr(client, name)()
        client.history.stopping.wait(pause)


@contextmanager
def load(
    installation: Installation,
    ports: Sequence[Address],
    *,
    clients: int = 4,
    pause: float = 0.03,
    timeout: float = 30.0,
    mix: tuple[tuple[str, int], ...] = MIX,
) -> Iterator[History]:
    """Mixed load for the duration of the block, from ``clients`` threads."""
    history = History(installation.folder / "history.jsonl")
    made = [Client(n, ports, installation, history, timeout) for n in range(clients)]
    threads = [
        threading.Thread(target=_work, args=(client, pause, mix, client.number)) for client in made
    ]
    for thread in threads:
        thread.start()
    try:
        yield history
    finally:
        history.stopping.set()
        for thread in threads:
            thread.join(timeout + 5)
        assert not any(thread.is_alive() for thread in threads)


def pause(seconds: float) -> float:
    """Let the load go on; returns the moment at the end."""
    time.sleep(seconds)
    return time.time()
