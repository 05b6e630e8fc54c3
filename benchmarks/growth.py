"""What the hot requests cost as PostgreSQL fills with accounts, sessions, tokens and events.

One database grows from size to size while the same two processes serve it. Rows are copied inside
the database from those of the benchmark's person, with keys of their own, so a column that is added
later needs no change here.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Insert,
    Select,
    Text,
    cast,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    true,
)

from benchmarks import cpu, gateway
from benchmarks.cases import Visitor, cases
from benchmarks.load import Result, cpu_of_backends, cpu_of_session
from idp.db import Base

PORT = 18802
#: Requests that do not read what grows.
LEFT_OUT = ("healthz", "readyz", "redirect", "JWKS", "discovery", "sign-in page", "dashboard")
#: Keys of copied rows start here, so that those of later requests do not collide.
FIRST = 1_000_000_000
TABLES = Base.metadata.tables


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", required=True, help="PostgreSQL server")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1_000, 100_000], help="ascending; up to 1000000"
    )
    parser.add_argument("--seconds", type=float, default=5, help="of each request")
    parser.add_argument("--only", default="", help="requests whose name contains this")
    options = parser.parse_args()
    if options.sizes != sorted(set(options.sizes)):
        parser.error("--sizes must ascend")
    show(options.sizes, run(options))
    print("\n".join(f"{name}: {value}" for name, value in cpu.machine().items()))


def run(options: argparse.Namespace) -> list[dict[str, Result]]:
    """The figures of each size."""
    with tempfile.TemporaryDirectory() as folder:
        url = gateway.scratch(options.database, folder)
        environ = gateway.environment(url, PORT)
        credentials = gateway.prepare(environ)
        engine = create_engine(url)
        command = gateway.gateway_command(PORT)
        with gateway.served(command, PORT, os.environ | environ) as server:
            visitor = Visitor(PORT, credentials, folder)
            # There must be a token to copy.
            visitor.tokens()
            found, former = [], 0
            for size in options.sizes:
                cpu.say(f"{size} accounts")
                grow(engine, former, size)
                visitor.round, former = visitor.round + 1, size
                found.append(dict(measured(visitor, options, server.pid)))
        engine.dispose()
    return found


def measured(
    visitor: Visitor, options: argparse.Namespace, leader: int
) -> Iterator[tuple[str, Result]]:
    """Each request that reads what has grown."""
    backends = cpu_of_backends(gateway.DATABASE)
    for case in cases(visitor):
        grows = not any(part in case.name for part in LEFT_OUT)
        if grows and options.only.lower() in case.name.lower():
            found = cpu.one(case, PORT, options.seconds, cpu_of_session(leader), backends)
            yield case.name, found


def grow(engine: Engine, former: int, size: int, person: str = gateway.PERSON) -> None:
    """Add what is missing to ``size`` rows in each table, copies of those of ``person``, and let
    PostgreSQL count them."""
    with engine.begin() as connection:
        # Plans for the checks of foreign keys may be those of small tables.
        connection.execute(text("DISCARD PLANS"))
        for statement in copies(connection, person, former + 1, size):
            connection.execute(statement)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def copies(connection: Connection, person: str, first: int, last: int) -> Iterator[Insert]:
    """What inserts the copies of each row, for the numbers from ``first`` to ``last``."""
    numbers = func.generate_series(first, last).table_valued("n").render_derived()
    key: Any = numbers.c.n + FIRST
    name = literal("grown").concat(cast(numbers.c.n, Text))
    mail, digest = name.concat("@bench.example"), func.md5(name)
    account = TABLES["account"].c
    own = connection.execute(
        select(account.id, account.person_id).where(account.username == person)
    ).one()
    grant = TABLES["grant"].c
    latest = connection.scalar(select(func.max(grant.id)).where(grant.account_id == own.id))

    def copied(table: str, column: str, value: Any, **changes: ColumnElement[Any]) -> Insert:
        return _copy(table, TABLES[table].c[column] == value, numbers, changes)

    yield copied(
        "person", "id", own.person_id, id=key, person_id=name, family_name=func.initcap(digest),
        email=mail, email_key=mail,
    )  # fmt: skip
    yield copied(
        "account", "id", own.id, id=key, person_id=key, subject=digest, username=name,
        username_key=name, sort_name=digest, user_handle=func.decode(digest, "hex"),
    )  # fmt: skip
    yield copied("search_term", "account_id", own.id, account_id=key, term=digest)
    yield copied("assignment", "account_id", own.id, id=key, account_id=key)
    yield copied(
        "browser_session", "account_id", own.id,
        id=key, account_id=key, public_id=digest, digest=digest,
    )  # fmt: skip
    yield copied("grant", "id", latest, id=key, account_id=key, session_id=key, sid=digest)
    yield copied("refresh_token", "grant_id", latest, id=key, grant_id=key, digest=digest)
    yield copied("access_token", "grant_id", latest, id=key, grant_id=key, handle=digest)
    yield copied("event", "account_id", own.id, id=key, account_id=key, seq=key)
    yield copied("authorization_code", "grant_id", latest, id=key, grant_id=key, digest=digest)
    yield copied("sign_in", "account_id", own.id, id=key, account_id=key)
    yield copied(
        "known_browser", "account_id", own.id,
        id=key, account_id=key, public_id=digest, digest=digest,
    )  # fmt: skip
    # Any row will do of what the person may not have.
    anybody = true()
    for table, changes in {
        "client_session": {"session_id": key, "sid": digest},
        "interaction": {"id": key, "handle": digest},
        "throttle": {"id": key, "key": digest, "account_id": key},
        "provisioned": {"account_id": key, "external_id": name},
        "authenticator": {"id": key, "account_id": key, "public_id": digest,
                          "credential_id": digest},
        "registered_network": {"id": key, "account_id": key},
    }.items():  # fmt: skip
        yield _copy(table, anybody, numbers, changes)


def _copy(
    name: str, condition: ColumnElement[bool], numbers: FromClause, changes: dict[str, Any]
) -> Insert:
    """Insert a copy of one row for each number, with other values in the columns that change."""
    table = TABLES[name]
    row = select(table).where(condition).limit(1).subquery("template")
    values: Select[Any] = select(*(changes.get(c.name, row.c[c.name]) for c in table.columns))
    return insert(table).from_select(
        [c.name for c in table.columns], values.select_from(row.join(numbers, true()))
    )


def show(sizes: list[int], found: list[dict[str, Result]]) -> None:
    """CPU time of gateway and database, and the median, at each size; the ratio of the last size
    to the first."""
    heads = "".join(f"{size:>9} accounts: ms, (db), p50" for size in sizes)
    print(f"{'request':40}{heads}   growth")
    for name, first in found[0].items():
        rows = [results[name] for results in found]
        cells = "".join(
            f"{row.cpu_ms:20.2f}{f'({row.database_ms:.2f})':>8}{row.p50_ms:8.1f}" for row in rows
        )
        last = rows[-1]
        growth = (last.cpu_ms + last.database_ms) / (first.cpu_ms + first.database_ms)
        print(f"{name:40}{cells}{growth:9.2f}")


if __name__ == "__main__":
    main()
