"""How many bytes a row of each growing table takes on PostgreSQL, and what that makes of 50,000
people in ten years: the two tables of docs/operations.md, "Sizes".

Some people sign in, open an application, refresh and sign out; the worker seals what they did. Then
the database copies these rows, with keys and times of their own, and is asked for the sizes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from sqlalchemy import (
    ColumnElement,
    Engine,
    Insert,
    Interval,
    Text,
    cast,
    create_engine,
    func,
    insert,
    select,
    text,
    true,
)

from benchmarks import cpu, gateway, growth
from benchmarks.cases import FORM, authorize_path, redemption
from benchmarks.growth import FIRST, TABLES
from idp.audit.archive import LEAST_AGE
from idp.maintenance.purge import BROWSER_DAYS, SESSION_DAYS
from idp.mfa.sign_in_histories import KEPT, KEPT_DAYS

PORT = 18803
DATABASE = "gateway_sizes"
ROOT = f"http://127.0.0.1:{PORT}"
#: Copied accounts for 100,000 rows of each table.
ACCOUNTS = 5_000
#: Columns whose values are random, so that each copy has another one.
DIGESTS = {"public_id", "digest", "accounts_digest", "sid", "handle", "successor_digest",
           "request_id", "seal"}  # fmt: skip
PEOPLE = 50_000
DAYS_A_YEAR, DAYS_A_MONTH = 250, 22
#: What each of them does on such a day, beside the sign-in.
APPLICATIONS, REFRESHES = 2, 2
#: Events of a sign-in (risk, success, end of the session), of an opened application, of a refresh.
EVENTS = (3, 2, 1)
#: Days for which the archive leaves events, and between two archives.
ARCHIVED_AFTER, ARCHIVED_EVERY = LEAST_AGE.days, 365
MILLION, GIGABYTE = 1e6, 1e9
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
)
#: Each table that grows with use: rows of what, and how long they are kept.
GROWING = {
    "event": (
        "see below",
        f"without limit, or {LEAST_AGE.days} days and more with `gateway audit archive`",
    ),
    "browser_session": ("a sign-in", f"{SESSION_DAYS} days after its end"),
    "known_browser": ("a browser of a person", f"{BROWSER_DAYS} days after its last use"),
    "sign_in": ("a sign-in", f"{KEPT_DAYS} days, at most {KEPT} of an account"),
    "grant": ("an application opened", "as long as its tokens"),
    "access_token": ("an application opened, a refresh", "a day after its end"),
    "refresh_token": (
        "an application opened, a refresh",
        "a day after the last day of its family (`IDP_REFRESH_ABSOLUTE`)",
    ),
    "authorization_code": ("an application opened", "a day after its end"),
}
#: They must exist before the others.
FILLED = ("browser_session", "known_browser", "sign_in", "grant", "access_token", "refresh_token",
          "authorization_code", "event")  # fmt: skip


class Bytes(NamedTuple):
    """Of a row, and of its entries in all indexes."""

    row: int
    indexes: int

    @property
    def all(self) -> int:
        """Both."""
        return self.row + self.indexes


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", required=True, help="PostgreSQL server")
    parser.add_argument("--rows", type=int, default=100_000, help="of each table")
    parser.add_argument("--sign-ins", type=int, default=40)
    options = parser.parse_args()
    found = measured(options.database, options.rows, options.sign_ins)
    print(f"{rows_table(found)}\n\n{years_table(found)}\n")
    print("\n".join(f"{name}: {value}" for name, value in cpu.machine().items()))


def measured(server: str, rows: int, sign_ins: int) -> dict[str, Bytes]:
    """The bytes of each table, filled with so many rows."""
    with tempfile.TemporaryDirectory() as folder:
        url = gateway.scratch(server, folder, DATABASE)
        environ = gateway.environment(url, PORT) | {"IDP_ENROLMENT": "optional"}
        credentials = gateway.prepare(environ)
        engine = create_engine(url)
        with engine.begin() as connection:
            # Those of the preparation are no use of the gateway.
            connection.execute(text("DELETE FROM event"))
            connection.execute(text("DELETE FROM browser_session"))
        with gateway.served(gateway.gateway_command(PORT), PORT, os.environ | environ):
            cpu.say(f"{sign_ins} sign-ins")
            for number in range(sign_ins):
                with requests.Session() as browser:
                    browser.headers["User-Agent"] = AGENT
                    person = gateway.PEOPLE[number % len(gateway.PEOPLE)]
                    use(browser, credentials.client, person)
        seal = [sys.executable, "-m", "idp.cli", "worker", "--once"]
        subprocess.run(seal, env=os.environ | environ, cwd=gateway.ROOT, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        with engine.connect() as connection:
            events = connection.scalar(select(func.count()).select_from(TABLES["event"]))
        if events != sign_ins * events_a_day():
            raise SystemExit(f"{events} events of {sign_ins} sign-ins: correct EVENTS")
        cpu.say(f"{rows} rows of each table")
        fill(engine, rows)
        found = {name: bytes_of(engine, name) for name in GROWING}
        engine.dispose()
    return found


def use(browser: requests.Session, client: str, username: str) -> None:
    """Sign in, open an application as often as there are applications, refresh, sign out."""
    send(browser, "/signin", username=username, password=gateway.PASSWORD)
    for _ in range(APPLICATIONS):
        answer = browser.get(ROOT + authorize_path(), allow_redirects=False)
        codes = parse_qs(urlsplit(answer.headers.get("Location", "")).query).get("code")
        if not codes:
            raise SystemExit(f"no code: {answer.status_code}")
        refresh = token(client, redemption(codes[0]))
        for _ in range(REFRESHES):
            form = {"grant_type": "refresh_token", "refresh_token": refresh}
            refresh = token(client, urlencode(form))
    send(browser, "/signout")


def send(browser: requests.Session, path: str, **fields: str) -> None:
    """Send the form of this page."""
    page = browser.get(ROOT + path).text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    answer = browser.post(ROOT + path, hidden | fields)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")


def token(client: str, body: str) -> str:
    """The refresh token of the answer."""
    answer = requests.post(
        f"{ROOT}/oauth2/v1/token", body, headers=FORM | {"Authorization": client}, timeout=30
    )
    if answer.status_code != 200:
        raise SystemExit(f"token: {answer.status_code} {answer.text}")
    return str(answer.json()["refresh_token"])


def events_a_day() -> int:
    """Events of a person."""
    times = (1, APPLICATIONS, APPLICATIONS * REFRESHES)
    return sum(events * each for events, each in zip(EVENTS, times, strict=True))


def fill(engine: Engine, rows: int) -> None:
    """Copy what the people left, to so many rows of each table: each refers to rows of its own."""
    with engine.begin() as connection:
        own = ACCOUNTS * rows // 100_000 or 1
        # A person and an account each.
        for copied in islice(growth.copies(connection, gateway.PERSON, 1, own), 2):
            connection.execute(copied)
        for name in FILLED:
            count = connection.scalar(select(func.count()).select_from(TABLES[name]))
            connection.execute(copies(name, rows, count or 1, own))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL ANALYZE"))


def copies(name: str, rows: int, count: int, accounts: int) -> Insert:
    """What inserts so many copies of the ``count`` rows of a table, each in turn."""
    table = TABLES[name]
    turns = func.generate_series(1, rows // count + 1).table_valued("turn").render_derived()
    numbered = (
        select(table, func.row_number().over(order_by=(turns.c.turn, table.c.id)).label("number"))
        .join(turns, true())
        .where(table.c.id < FIRST)
        .limit(rows)
        .subquery()
    )
    number = numbered.c.number
    key: ColumnElement[Any] = number + FIRST
    digest = func.md5(cast(key, Text))
    changes = {
        "id": key,
        "account_id": FIRST + 1 + number % accounts,
        # That of an event is a public id.
        "session_id": key if name == "grant" else numbered.c.get("session_id"),
        "grant_id": key,
        "seq": key,
    }

    def value(column: Any) -> Any:
        if column.name in changes:
            return changes[column.name]
        old = numbered.c[column.name]
        if column.name in DIGESTS:
            return func.left(digest.concat(func.md5(digest)), func.length(old))
        if column.name == "at" or column.name.endswith("_at"):
            return old + cast(cast(number, Text).concat(" seconds"), Interval)
        return old

    values = select(*(value(column) for column in table.columns))
    return insert(table).from_select([column.name for column in table.columns], values)


def bytes_of(engine: Engine, name: str) -> Bytes:
    """The sizes of a table and of its indexes, for each row."""
    table = TABLES[name]
    quoted = engine.dialect.identifier_preparer.quote(name)
    query = select(
        func.pg_table_size(quoted), func.pg_indexes_size(quoted),
        select(func.count()).select_from(table).scalar_subquery(),
    )  # fmt: skip
    with engine.connect() as connection:
        size, indexes, count = connection.execute(query).one()
    return Bytes(round(size / count), round(indexes / count))


def rows_table(found: Mapping[str, Bytes]) -> str:
    """Bytes of each table, as in the document."""
    lines = ["| table | row | its indexes | rows of | kept |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {found[name].row} | {found[name].indexes} | {of} | {kept} |"
        for name, (of, kept) in GROWING.items()
    ]
    return "\n".join(lines)


def years_table(found: Mapping[str, Bytes]) -> str:
    """What PEOPLE leave, as in the document."""
    lines = ["| | rows | size |", "| --- | --- | --- |"]
    lines += [f"| {what} | {rows} | {size} |" for what, rows, size in left(found)]
    return "\n".join(lines)


def left(found: Mapping[str, Bytes]) -> Iterator[tuple[str, str, str]]:
    """Rows in millions, and gigabytes."""

    def size(**rows: float) -> str:
        total = sum(number * found[name].all for name, number in rows.items()) / GIGABYTE
        return f"{total:.{0 if total >= 10 else 1 if total >= 0.1 else 2}f} GB"

    def millions(number: float) -> str:
        return f"{number / MILLION:,.1f}".removesuffix(".0")

    opened = PEOPLE * APPLICATIONS
    issued = opened * (1 + REFRESHES)
    year = PEOPLE * DAYS_A_YEAR * events_a_day()
    least, most = (year * days / 365 for days in (ARCHIVED_AFTER, ARCHIVED_AFTER + ARCHIVED_EVERY))
    yield "events of a year", f"{millions(year)} million", size(event=year)
    yield (
        "events of 10 years, without archive", f"{millions(10 * year)} million",
        size(event=10 * year),
    )  # fmt: skip
    days = f"{ARCHIVED_AFTER} to {ARCHIVED_AFTER + ARCHIVED_EVERY} days"
    yield (
        f"events of {days}, with a yearly archive",
        f"{least / MILLION:.0f} to {most / MILLION:.0f} million",
        f"{size(event=least).removesuffix(' GB')} to {size(event=most)}",
    )
    month = PEOPLE * DAYS_A_MONTH
    yield (
        f"sessions of a month, with {DAYS_A_MONTH} days of work", f"{millions(month)} million",
        size(browser_session=month),
    )  # fmt: skip
    yield "browsers, two each", f"{millions(2 * PEOPLE)} million", size(known_browser=2 * PEOPLE)
    sign_ins = PEOPLE * min(KEPT, DAYS_A_YEAR * KEPT_DAYS / 365)
    yield (f"sign-ins of {KEPT_DAYS} days", f"{millions(sign_ins)} million", size(sign_in=sign_ins))
    refresh, grants = issued * DAYS_A_MONTH, opened * DAYS_A_MONTH
    yield (
        "refresh tokens and grants of 30 days",
        f"{millions(refresh)} and {millions(grants)} million",
        f"{size(refresh_token=refresh).removesuffix(' GB')} and {size(grant=grants)}",
    )
    yield (
        "access tokens and codes of two days",
        f"{millions(2 * issued)} and {millions(2 * opened)} million",
        size(access_token=2 * issued, authorization_code=2 * opened),
    )


if __name__ == "__main__":
    main()
