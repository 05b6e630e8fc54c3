"""Response times of the pages of registration: a grid of 500 people and 40 roles, in a database of
1,000 organizations and 50,000 people.

Fills an empty database, serves it by one process, and asks for each page over one kept-alive
connection: time, CPU time of that process, and statements that the page sends to the database. The
baseline is the ``/healthz`` of the same process. No gateway runs, so reviews of access roles, which
ask it, are not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import event, text

from benchmarks import gateway
from benchmarks.load import cpu_of_session
from benchmarks.registration_data import LARGE_ID, Cast, sign_in, write
from idp.demo.crowd import FAMILY, GIVEN
from registration.app import create_app
from registration.ports import Ports
from registration.schema import upgrade
from registration.settings import Settings
from registration.transaction import Origin

PORT = 18825
HERE = f"/organizations/{LARGE_ID}"
#: The bar, in milliseconds for the 95th percentile.
BARS = {"grid: 500 people, 40 roles": 150.0}
Measured = dict[str, object]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PostgreSQL server; SQLite when left out")
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=100, help="of each page")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    if not options.json:
        heads = ("median", "p95", "slowest", "CPU ms")
        print(f"{'page':32} {' '.join(f'{one:>8}' for one in heads)} {'SQL':>5} {'bytes':>10}")
    with tempfile.TemporaryDirectory() as folder:
        url = gateway.scratch(options.database, folder)
        rows = []
        for row in measured(url, options.organizations, options.people, options.requests):
            rows.append(row)
            if not options.json:
                show(row)
    if options.json:
        print(json.dumps({"organizations": options.organizations, "people": options.people,
                          "database": url.partition(":")[0], "pages": rows}, indent=1))  # fmt: skip


def show(row: Measured) -> None:
    """A line of the table: milliseconds, statements, bytes."""
    bar = f"  bar {row['bar']:.0f}" if row["bar"] else ""
    times = " ".join(f"{row[name]:8.1f}" for name in ("median", "p95", "slowest", "cpu"))
    print(f"{row['page']:32} {times} {row['statements']:5} {row['bytes']:10,}{bar}", flush=True)


def measured(url: str, organizations: int, people: int, count: int) -> Iterator[Measured]:
    """Each page, with its times in milliseconds."""
    settings = Settings(secret_key="registration-secret-of-the-benchmark", database_url=url,
                        url=f"http://127.0.0.1:{PORT}", log_level="ERROR")  # fmt: skip
    app = create_app(settings, Ports.of(settings))
    runtime = app.extensions["runtime"]
    upgrade(runtime.engine)
    with runtime.work(Origin("bench")) as work:
        cast = write(work, organizations, people)
    if runtime.engine.dialect.name == "postgresql":
        with runtime.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("ANALYZE"))
    with runtime.work(Origin("bench")) as work:
        cookies = {
            "AppRep:": sign_in(work, cast.representative),
            "IESO:": sign_in(work, cast.outsider, (settings.operator_group,)),
            "": sign_in(work, cast.administrator),
        }
    name = settings.cookie_name("session")
    statements = counter(app, name)
    command = [sys.executable, "-m", "registration.cli", "serve", "--port", str(PORT),
               "--workers", "1"]  # fmt: skip
    with gateway.served(command, PORT, environment(settings)) as server:
        cpu = cpu_of_session(server.pid)
        connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
        for page, paths in pages(cast, random.Random(1), count).items():
            cookie = next(one for begin, one in cookies.items() if page.startswith(begin))
            ask(connection, f"{name}={cookie}", paths[:3])
            before = sum(cpu().values())
            times, size = ask(connection, f"{name}={cookie}", paths)
            spent = sum(cpu().values()) - before
            yield {
                "page": page, "median": round(median(times), 1),
                "p95": round(quantiles(times, n=20)[-1], 1), "slowest": round(max(times), 1),
                "cpu": round(spent * 1000 / len(paths), 1),
                "statements": statements(paths[0], cookie), "bytes": size, "bar": BARS.get(page),
            }  # fmt: skip
    runtime.close()


def counter(app: Flask, name: str) -> Callable[[str, str], int]:
    """How many statements a page sends to the database, for this cookie."""
    sent: list[str] = []

    @event.listens_for(app.extensions["runtime"].engine, "before_cursor_execute")
    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        sent.append(statement)

    def statements(path: str, cookie: str) -> int:
        sent.clear()
        client = app.test_client()
        client.set_cookie(name, cookie, domain="127.0.0.1")
        client.get(path, base_url=app.extensions["runtime"].settings.url)
        return len(sent)

    return statements


def pages(cast: Cast, rng: random.Random, count: int) -> dict[str, list[str]]:
    """The paths of each page."""

    def somebody(path: str) -> list[str]:
        return [HERE + path.format(rng.choice(cast.people)) for _ in range(count)]

    def search(**choices: list[str] | tuple[str, ...]) -> list[str]:
        asked = ({name: rng.choice(some) for name, some in choices.items()} for _ in range(count))
        return [f"{HERE}/persons?{urlencode(one)}" for one in asked]

    def again(path: str) -> list[str]:
        return [path] * count

    colleague = cast.people[1]
    letters = [first + second for first in "cglmps" for second in "aeiou"]
    return {
        "floor: /healthz": again("/healthz"),
        "home": again("/"),
        "Manage My Information": again("/my-information"),
        "grid: 500 people, 40 roles": again(f"{HERE}/roles"),
        "grid: those who hold a role": again(f"{HERE}/roles?role=more-39"),
        "grid: one name": [
            f"{HERE}/roles?{urlencode({'q': rng.choice(FAMILY)})}" for _ in range(count)
        ],
        "grid: a past day": again(f"{HERE}/roles?at=2026-01-15"),
        "grid: download as CSV": again(f"{HERE}/roles/export?format=csv"),
        "roles of one person": somebody("/persons/{}/roles"),
        "person": somebody("/persons/{}"),
        "search: family name": search(last_name=FAMILY),
        "search: two names": search(last_name=FAMILY, first_name=GIVEN),
        "search: two letters": search(last_name=letters),
        "search: Person ID": search(person_id=cast.people),
        "leaver": somebody("/persons/{}/leaver"),
        "copy: choice of a colleague": somebody("/persons/{}/copy"),
        "copy: roles of a colleague": somebody("/persons/{}/copy?of=" + colleague),
        "import": again(f"{HERE}/import"),
        "request access": again(f"{HERE}/request-access"),
        "representatives": again(f"{HERE}/representatives"),
        "contact roles": again(f"{HERE}/contact-roles"),
        "AppRep: contact roles by person": somebody("/persons/{}/contact-roles"),
        "sections": again(f"{HERE}/sections"),
        "machines": again(f"{HERE}/machines"),
        "machine": [f"{HERE}/machines/{rng.choice(cast.machines)}" for _ in range(count)],
        "grid of 50 machines": again(f"{HERE}/roles?kind=machine"),
        "participations": again(f"{HERE}/participations"),
        "history: newest": again(f"{HERE}/history"),
        "history: one person": somebody("/history?person={}"),
        "history: download as CSV": again(f"{HERE}/history/export?format=csv"),
        "request": again(f"/requests/{cast.request}"),
        "IESO: home": again("/"),
        "IESO: grid": again(f"{HERE}/roles"),
    }


def ask(connection: HTTPConnection, cookie: str, paths: list[str]) -> tuple[list[float], int]:
    """Milliseconds for each request, and the bytes of the last; stops on any status but 200."""
    times, size = [], 0
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        size = len(answer.read())
        times.append((time.perf_counter() - start) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}")
    return times, size


def environment(settings: Settings) -> dict[str, str]:
    """The settings for the process that is measured."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRATION_")}
    return plain | {
        "REGISTRATION_SECRET_KEY": settings.secret_key,
        "REGISTRATION_DATABASE_URL": settings.database_url,
        "REGISTRATION_URL": settings.url,
        "REGISTRATION_LOG_LEVEL": "ERROR",
    }


if __name__ == "__main__":
    main()
