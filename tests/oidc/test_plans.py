"""How PostgreSQL finds what each frequent request reads, when the tables are full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, Engine, text
from werkzeug.test import TestResponse

from benchmarks.growth import grow
from idp.app import db
from tests import factor_steps
from tests.oidc.test_statements import count, requests
from tests.scim.pusher import USERS, Pusher, user
from tests.security.test_machines import verify, web_service
from tests.tables import needs_postgresql
from tests.world import PASSWORD, Rp, World, hidden_fields

pytestmark = needs_postgresql("test_statements.py for SQLite")

#: Rows of each table that grows with the accounts.
FULL = 10_000
#: A table with more rows is not read without an index, and no step of a plan is expected to give
#: more: a page has a hundred accounts, with what belongs to each.
MOST = 1_000
GREW = {
    "access_token", "account", "assignment", "authenticator", "authorization_code",
    "browser_session", "client_session", "event", "grant", "interaction", "known_browser", "person",
    "provisioned", "refresh_token", "registered_network", "search_term", "sign_in", "throttle",
}  # fmt: skip
#: Steps that read all of what is below them before they give a row.
BLOCKING = {"Sort", "Hash", "Aggregate", "Materialize", "Bitmap Heap Scan"}
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Planner:
    """Asks PostgreSQL for its plans."""

    connection: Connection
    #: Tables with more than ``MOST`` rows.
    large: frozenset[str]

    @classmethod
    def of(cls, connection: Connection) -> Planner:
        # One pass over a table of this size can cost less than a hundred look-ups in an index.
        connection.execute(text("SET enable_seqscan = off"))
        query = text(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > :most"
            " AND relnamespace = current_schema()::regnamespace"
        )
        return cls(connection, frozenset(connection.scalars(query, {"most": MOST})))

    def wrong(self, statement: str, parameters: Any) -> list[str]:
        """What is wrong with the plan of a statement."""
        one = parameters[0] if isinstance(parameters, list) else parameters
        ((plan,),) = self.connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", one)
        return list(self._wrong(plan[0]["Plan"], inf))

    def _wrong(self, step: dict[str, Any], wanted: float) -> Iterator[str]:
        """What is wrong with a step of which so many rows are read, and with those below it."""
        kind, rows = step["Node Type"], min(step["Plan Rows"], wanted)
        table = step.get("Relation Name", "")
        # A limit ends the reading of an index in its order; all else has a condition.
        is_whole = "Index Cond" not in step and "Recheck Cond" not in step and wanted == inf
        if table in self.large and kind.endswith("Scan") and (kind == "Seq Scan" or is_whole):
            yield f"{kind} of the whole table {table}"
        if rows > MOST:
            yield f"{kind} {table} of {rows} rows"
        below = rows if kind == "Limit" else inf if kind in BLOCKING else wanted
        for one in step.get("Plans", ()):
            yield from self._wrong(one, below)


@dataclass(frozen=True)
class Full:
    """A gateway with many accounts, who is there, and who pushes."""

    world: World
    engine: Engine
    rp: Rp
    username: str
    pusher: Pusher
    #: The id of a pushed account.
    pushed: str


@pytest.fixture
def full(world: World) -> Iterator[Full]:
    """Of each table that the requests read, a row is copied."""
    rp = world.relying_party(
        grant_types=("authorization_code", "refresh_token", "client_credentials")
    )
    username = world.account()
    world.role_group("Viewer", rp.client_id)
    world.grant_role(username, "Viewer")
    world.signed_in_tokens(rp, username)
    world.browser().sign_in(username, "wrong")
    factor_steps.set_up_app(world, world.account())
    web_service(world)
    pusher = Pusher.of(world)
    pushed = pusher.create()["id"]
    with world.app.app_context():
        engine = db.engine
    try:
        grow(engine, 0, FULL, username)
        yield Full(world, engine, rp, username, pusher, pushed)
    finally:
        # To delete so many rows takes minutes.
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE account, person, event CASCADE"))


def acts(full: Full) -> dict[str, Callable[[], TestResponse]]:
    """The requests of the benchmarks."""
    world, pusher = full.world, full.pusher
    browser, base = world.browser(), world.settings.issuer
    form = hidden_fields(browser.get("/signin").text, "/signin")
    sent = form | {"username": full.username, "password": PASSWORD}
    named = quote(f'userName eq "{full.username}"')
    # The client is in memory after the first.
    verify(world)
    return requests((world, full.rp, full.username)) | {
        "forward-auth": lambda: verify(world, service="mim"),
        "sign-in page": lambda: world.browser().client.get("/signin", base_url=base),
        "sign-in": lambda: browser.client.post("/signin", data=sent, base_url=base),
        "user": lambda: pusher.send("GET", f"{USERS}/{full.pushed}"),
        "userName eq": lambda: pusher.send("GET", f"{USERS}?filter={named}"),
        "create": lambda: pusher.send("POST", body=user(2)),
        "page": lambda: pusher.send("GET", f"{USERS}?cursor=&count=100"),
    }


def good(act: Callable[[], TestResponse]) -> TestResponse:
    """The answer of a request that succeeds."""
    answer = act()
    assert answer.status_code < 400, answer.text
    answer.status_code = 200
    return answer


def test_no_frequent_request_reads_more_as_the_tables_fill(full: Full) -> None:
    """Each statement finds its rows by an index. The sign-in page sends no statement."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    with full.engine.connect() as connection:
        planner = Planner.of(connection)
        assert planner.large >= GREW
        for name, act in acts(full).items():
            sent: list[tuple[str, Any]] = []
            count(full.world, lambda act=act: good(act), sent)  # type: ignore[misc]
            assert bool(sent) is (name != "sign-in page")
            for statement, parameters in sent:
                if statement.startswith(STATEMENTS) and (
                    wrong := planner.wrong(statement, parameters)
                ):
                    found.setdefault(name, []).append((statement, wrong))
        connection.rollback()
    assert found == {}
