"""The number of SQL statements of the frequent requests. A number here may only decrease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from idp.app import db
from idp.oidc.token_signer import TokenSigner
from tests.console.desk import Desk
from tests.security.test_signed_tokens import userinfo
from tests.tables import runs_on_postgresql
from tests.world import Browser, Rp, World, hidden_fields

#: token by code: spend, code with grant, account, role groups and the revision; refresh token,
#: access token, event. By refresh: token with the same; spend, successor, access token, event. By
#: client credentials: grant with the revision, access token, event. Userinfo and introspection:
#: token with the same. Authorize: session, factors, sid; grant with the revision,
#: event, code.
BOUNDS = {
    "code": 5,
    "refresh": 5,
    "client credentials": 3,
    "userinfo": 1,
    "introspection": 1,
    "authorize": 6,
}
#: PostgreSQL gets the rows of a token by one statement (docs/decisions/0095).
if runs_on_postgresql():
    BOUNDS |= {"code": 3, "refresh": 2, "client credentials": 1, "authorize": 5}


def count(
    world: World, act: Callable[[], Any], sent: list[tuple[str, Any]] | None = None
) -> list[str]:
    """The statements that ``act`` sends, without transaction control; with their parameters in
    ``sent``."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])
        if sent is not None:
            sent.append((arguments[2], arguments[3]))

    with world.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert act().status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


def uses_indexes(world: World, act: Callable[[], Any]) -> None:
    """Assert that no statement of the request reads a whole table."""
    sent: list[tuple[str, Any]] = []
    count(world, act, sent)
    assert sent
    with world.app.app_context(), db.engine.connect() as connection:
        is_sqlite = db.engine.dialect.name == "sqlite"
        if not is_sqlite:
            # Small tables are read as a whole unless that is forbidden.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in sent:
            if statement.startswith("INSERT"):
                # It reads nothing. SQLite shows what its foreign keys would if it replaced a row.
                continue
            explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
            plan = connection.exec_driver_sql(explain + statement, parameters)
            steps = [" ".join(map(str, row)) for row in plan]
            whole = [s for s in steps if "Seq Scan" in s or ("SCAN" in s and "CONSTANT" not in s)]
            assert not whole, (statement, whole)
        connection.rollback()


@pytest.fixture(params=[1, 12], ids=["one group", "many groups, sessions and tokens"])
def loaded(request: pytest.FixtureRequest, world: World) -> tuple[World, Rp, str]:
    """A relying party and a person with few or many rows around them."""
    grant_types = ("authorization_code", "refresh_token", "client_credentials")
    rp = world.relying_party(grant_types=grant_types)
    username = world.account()
    for n in range(request.param):
        world.role_group(f"Group {n}", rp.client_id)
        world.grant_role(username, f"Group {n}")
        world.signed_in_tokens(rp, username)
    return world, rp, username


def sent_to(browser: Browser, rp: Rp) -> Any:
    """The redirect with the code of a signed-in browser, as an answer that counts as good."""
    answer = browser.client.get(
        "/oauth2/v1/authorize", query_string=rp.authorize_params(), base_url=browser.base
    )
    assert "code=" in answer.headers["Location"]
    answer.status_code = 200
    return answer


def requests(loaded: tuple[World, Rp, str]) -> dict[str, Callable[[], Any]]:
    """A request to each endpoint."""
    world, rp, username = loaded
    browser = world.browser()
    code = browser.code(rp, username)
    tokens = world.signed_in_tokens(rp, username)
    return {
        "code": lambda: world.redeem(rp, code),
        "refresh": lambda: world.refresh(rp, tokens["refresh_token"]),
        "client credentials": lambda: world.post(rp, grant_type="client_credentials"),
        "userinfo": lambda: userinfo(world, tokens["access_token"]),
        "introspection": lambda: world.post(
            rp, "/oauth2/v1/introspect", token=tokens["access_token"]
        ),
        "authorize": lambda: sent_to(browser, rp),
    }


@pytest.mark.parametrize("path", BOUNDS)
def test_the_number_of_database_statements_of_each_endpoint(
    loaded: tuple[World, Rp, str], path: str
) -> None:
    """The number is the same for few and many rows."""
    statements = count(loaded[0], requests(loaded)[path])
    assert len(statements) <= BOUNDS[path], "\n".join(s[:90] for s in statements)


@pytest.mark.parametrize("path", ["refresh", "client credentials"])
def test_tokens_are_signed_before_anything_is_locked(
    loaded: tuple[World, Rp, str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """On SQLite nobody else writes from the first write to the commit."""
    world, act = loaded[0], requests(loaded)[path]
    sent: list[tuple[str, Any]] = []
    before: list[int] = []
    sign = TokenSigner.sign

    def note(signer: TokenSigner, typ: str, claims: dict[str, Any]) -> str:
        before.append(len(sent))
        return sign(signer, typ, claims)

    monkeypatch.setattr(TokenSigner, "sign", note)
    statements = count(world, act, sent)
    assert before
    assert all(statement.startswith("SELECT") for statement in statements[: max(before)])


@pytest.mark.parametrize("path", BOUNDS)
def test_every_statement_of_each_endpoint_uses_an_index(
    loaded: tuple[World, Rp, str], path: str
) -> None:
    """No statement reads a whole table, however many rows there are."""
    uses_indexes(loaded[0], requests(loaded)[path])


#: Sign-in: account, own network, counter, interaction; for the risk: role groups, history, failures
#: of account and network, everybody, factors; its event; interaction, session, browsers, history,
#: event, account once more. A known browser is read twice, and has a former cookie after it.
#: Search: session, roles, words, accounts, menu. Account page: the same start, then one for each
#: part of it.
PAGE_BOUNDS = {"sign-in": 20, "sign-in, known browser": 20, "search": 7, "account page": 30}


@pytest.mark.parametrize("page", PAGE_BOUNDS)
@pytest.mark.parametrize("rows", [1, 12])
def test_the_number_of_database_statements_of_each_page(world: World, page: str, rows: int) -> None:
    """The number is the same for few and many rows of the account."""
    username = world.account("holder-one", family_name="Unique")
    for n in range(rows):
        world.role_group(f"Group {n}")
        world.grant_role(username, f"Group {n}", f"{n:06}")
        world.browser().sign_in(username, "wrong" if n % 3 else "Quartz-Heron7-lantern")
        world.clock.advance(minutes=20)
    for n in range(rows + 1):
        world.account(f"crowd{n}", family_name="Crowd")
    desk = Desk.of(world)
    browser = world.browser()
    if page == "sign-in, known browser":
        browser.sign_in(username)
        browser.submit(browser.get("/signout"), "/signout")
    form = hidden_fields(browser.get("/signin").text, "/signin")
    sent = form | {"username": username, "password": "Quartz-Heron7-lantern"}
    path, base = desk.path(username), browser.base

    def sign_in() -> Any:
        answer = browser.client.post("/signin", data=sent, base_url=base)
        assert answer.status_code == 303
        answer.status_code = 200
        return answer

    acts: dict[str, Callable[[], Any]] = {
        "sign-in": sign_in,
        "sign-in, known browser": sign_in,
        "search": lambda: desk.browser.client.get("/console?q=crowd", base_url=base),
        "account page": lambda: desk.browser.client.get(path, base_url=base),
    }
    seen = count(world, acts[page])
    assert len(seen) <= PAGE_BOUNDS[page], "\n".join(seen)
