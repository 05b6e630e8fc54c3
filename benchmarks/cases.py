"""The requests that are measured, by the names of the table."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from benchmarks.gateway import CLIENT, RS256_CLIENT, Credentials
from benchmarks.load import CONNECTIONS, Load

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VERIFIER = "v" * 43
REDIRECT = "http://localhost/cb"
TOKEN, USERS = "/oauth2/v1/token", "/scim/v2/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
EXTENSION = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
SCIM_HEADERS = {"Content-Type": "application/scim+json"}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a request may cost: milliseconds, or so many times the floor."""

    must: float
    #: "floor" for one signature and commit, "answer" for a bare Flask answer, "" for milliseconds.
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request of the table."""

    name: str
    load: Load
    bar: Bar | None = None
    #: Whether a run before the measured one would use up what it needs.
    is_spent: bool = False
    #: Seconds of load before the measurement.
    warm_up: float = 1
    #: On the floor's server.
    is_floor: bool = False


#: wrk asks for some requests that it does not send.
REFRESH_TOKENS = CONNECTIONS * 2
FLOOR = Case(
    name="floor: sign and commit",
    load=Load(path="/token", method="POST"),
    is_floor=True,
)
BY_CODE = "token by code"
BARE = Case(name="floor: bare Flask answer", load=Load(path="/read"), is_floor=True)


@dataclass
class Visitor:
    """The signed-in browser and the application, to get what the loads send."""

    port: int
    credentials: Credentials
    folder: str
    #: Counts the runs on one database, so that each creates accounts of its own.
    round: int = 0
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Status, Location and body of the response."""
        self._connection.request(method, path, body or None, headers or {})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        # The gateway closes it while a load runs; it opens again by itself.
        self._connection.close()
        return answer.status, answer.headers.get("Location", ""), text

    def tokens(self, client_id: str = CLIENT) -> dict[str, str]:
        """Tokens of the person, by a code."""
        _, where, _ = self.ask(
            "GET", authorize_path(client_id), headers={"Cookie": self.credentials.session}
        )
        codes = parse_qs(urlsplit(where).query).get("code")
        if not codes:
            raise SystemExit(f"no code: {where}")
        known = self.credentials
        authorization = known.client if client_id == CLIENT else known.rs256
        return self.token(redemption(codes[0]), authorization)

    def token(self, body: str, authorization: str) -> dict[str, str]:
        """The token response."""
        headers = FORM | {"Authorization": authorization}
        status, _, text = self.ask("POST", TOKEN, body, headers)
        if status != 200:
            raise SystemExit(f"token: {status} {text}")
        return dict(json.loads(text))

    def file(self, name: str) -> str:
        """The path of a file of this run."""
        return str(Path(self.folder) / f"{name}-{self.round}")


def authorize_path(client_id: str = CLIENT) -> str:
    """An authorization request of the application."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT,
        "scope": "openid profile groups participants offline_access",
        "state": "s",
        "nonce": "n",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return f"/oauth2/v1/authorize?{urlencode(query)}"


def redemption(code: str) -> str:
    """The form that exchanges a code."""
    return (
        urlencode(
            {
                "grant_type": "authorization_code",
                "redirect_uri": REDIRECT,
                "code_verifier": VERIFIER,
            }
        )
        + f"&code={code}"
    )


def user(number: str) -> str:
    """The body of a push."""
    return json.dumps(
        {
            "schemas": [CORE, EXTENSION],
            "userName": f"load{number}",
            "externalId": f"load-{number}",
            "name": {"givenName": "Jim", "familyName": "Smith"},
            "emails": [{"value": f"load{number}@participant.example", "primary": True}],
            "active": True,
            EXTENSION: {"personId": f"load-{number}"},
        }
    )


def cases(visitor: Visitor) -> Iterator[Case]:
    """Every request, in the order of the table. Each is prepared when its turn comes."""
    yield from _every_request()
    yield from _tokens(visitor)
    yield from _pages(visitor)
    yield from _scim(visitor)


def _every_request() -> Iterator[Case]:
    answer = Bar(must=1.5, of="answer")
    yield Case(name="/healthz", load=Load(path="/healthz"), bar=answer)
    yield Case(name="/readyz", load=Load(path="/readyz"))
    moved = Load(path="/.well-known/change-password")
    yield Case(name="a redirect by Flask", load=moved, bar=answer)
    yield Case(name="JWKS", load=Load(path="/oauth2/v1/keys"), bar=Bar(must=0.1))
    discovery = Load(path="/.well-known/openid-configuration")
    yield Case(name="discovery", load=discovery, bar=Bar(must=0.1))


def _tokens(visitor: Visitor) -> Iterator[Case]:
    client = FORM | {"Authorization": visitor.credentials.client}
    post = Load(path=TOKEN, method="POST", headers=client, body="grant_type=client_credentials")
    yield Case(name="token by client credentials", load=post, bar=Bar(must=1.8, of="floor"))
    issued = visitor.tokens()
    bearer = {"Authorization": f"Bearer {issued['access_token']}"}
    userinfo = Load(path="/oauth2/v1/userinfo", headers=bearer)
    yield Case(name="userinfo, 10 role groups", load=userinfo, bar=Bar(must=0.9))
    look = urlencode({"token": issued["access_token"]})
    introspect = Load(path="/oauth2/v1/introspect", method="POST", headers=client, body=look)
    yield Case(name="introspection", load=introspect, bar=Bar(must=0.9))
    yield _refresh(visitor, client, CLIENT, "token by refresh")
    rs256 = FORM | {"Authorization": visitor.credentials.rs256}
    yield _refresh(visitor, rs256, RS256_CLIENT, "token by refresh, ID token by RS256")
    codes = visitor.file("codes")
    cookie = {"Cookie": visitor.credentials.session}
    authorize = Load(path=authorize_path(), headers=cookie, script={"LOAD_KEEP": codes})
    yield Case(
        name="authorize with a session, to the code", load=authorize, bar=Bar(must=4), is_spent=True
    )
    redeem = Load(
        path=TOKEN, method="POST", headers=client, body=redemption("~"),
        script={"LOAD_TAKE": codes},
    )  # fmt: skip
    yield Case(name=BY_CODE, load=redeem, bar=Bar(must=3, of="floor"), is_spent=True)
    verify = Load(
        path="/auth/verify?service=bench", headers={"Authorization": visitor.credentials.machine}
    )
    yield Case(name="forward-auth", load=verify, warm_up=10, bar=Bar(must=1.0))


def _refresh(visitor: Visitor, headers: dict[str, str], client_id: str, name: str) -> Case:
    tokens = [visitor.tokens(client_id)["refresh_token"] for _ in range(REFRESH_TOKENS)]
    load = refresh_load(TOKEN, headers, tokens, visitor.file(client_id))
    return Case(name=name, load=load, bar=Bar(must=2.5, of="floor"), is_spent=True)


def refresh_load(path: str, client: dict[str, str], tokens: list[str], file: str) -> Load:
    """Requests that each exchange a refresh token, and later the one that was returned."""
    Path(file).write_text("\n".join(tokens) + "\n", encoding="ascii")
    return Load(
        path=path, method="POST", headers=client,
        body="grant_type=refresh_token&refresh_token=~",
        script={"LOAD_TAKE": file, "LOAD_ROTATE": "1"},
    )  # fmt: skip


def _pages(visitor: Visitor) -> Iterator[Case]:
    yield Case(name="sign-in page", load=Load(path="/signin"), bar=Bar(must=1.5))
    cookie = {"Cookie": visitor.credentials.session}
    yield Case(name="dashboard", load=Load(path="/", headers=cookie))


def _scim(visitor: Visitor) -> Iterator[Case]:
    granted = visitor.token("grant_type=client_credentials", visitor.credentials.pusher)
    headers = SCIM_HEADERS | {"Authorization": f"Bearer {granted['access_token']}"}
    made = ""
    for n in range(100):
        status, _, text = visitor.ask("POST", USERS, user(f"first{visitor.round}-{n}"), headers)
        if status != 201:
            raise SystemExit(f"SCIM create: {status} {text}")
        made = json.loads(text)["id"]
    get = Load(path=f"{USERS}/{made}", headers=headers)
    yield Case(name="SCIM GET", load=get, bar=Bar(must=1.5))
    found = quote(f'userName eq "loadfirst{visitor.round}-7"')
    equal = Load(path=f"{USERS}?filter={found}", headers=headers)
    yield Case(name="SCIM userName eq", load=equal, bar=Bar(must=1.5))
    create = Load(
        path=USERS,
        method="POST",
        headers=headers,
        body=user("~"),
        script={"LOAD_NUMBER": f"b{visitor.round}-"},
    )
    yield Case(name="SCIM create", load=create, bar=Bar(must=6), is_spent=True)
    page = Load(path=f"{USERS}?count=100", headers=headers)
    yield Case(name="SCIM page of 100", load=page, bar=Bar(must=20))
