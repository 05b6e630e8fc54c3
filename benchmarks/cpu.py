"""CPU time of a request, compared in one run with the floor on the same database.

The floor is a bare Flask application on the same server that signs one ES256 token and commits one
row. Gateway and floor have two processes each, and wrk sends over 16 connections.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version

from sqlalchemy import create_engine, text

from benchmarks import gateway
from benchmarks.beside import beside_sign_ins
from benchmarks.cases import BARE, BY_CODE, FLOOR, Bar, Case, Visitor, cases
from benchmarks.load import Cpu, Result, cpu_of_backends, cpu_of_session, measure
from benchmarks.load import proportional_memory as memory
from benchmarks.whole_sign_in import whole_sign_in

PACKAGES = ("Flask", "uvicorn", "granian", "SQLAlchemy", "psycopg", "joserfc")
PORT, FLOOR_PORT = 18800, 18801
Rows = dict[str, Result]
#: The bar of each case that was measured.
BARS: dict[str, Bar | None] = {}

#: A sign-in takes long, so a tail beside it needs some time.
SIGN_IN_SECONDS = 15
#: Start, memory, and the tail beside sign-ins on each database.
PROCESSES: dict[str, str] = {}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--database", action="append", default=[],
        help="PostgreSQL server, or 'sqlite' (default); can be repeated",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=5, help="of each request")
    parser.add_argument("--only", default="", help="requests whose name contains this")
    parser.add_argument("--port", type=int, default=PORT, help="the first of two")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    options = parser.parse_args()
    found = {}
    for server in options.database or ["sqlite"]:
        name, rows = run(options, "" if server == "sqlite" else server)
        found[name] = rows
        if not options.json:
            show(name, rows)
    if options.json:
        tables = {name: {k: asdict(v) for k, v in rows.items()} for name, rows in found.items()}
        print(json.dumps({"machine": machine(), "results": tables}, indent=2))
    else:
        print("\n".join(f"{name}: {value}" for name, value in machine().items()))


def run(options: argparse.Namespace, server: str) -> tuple[str, Rows]:
    """Prepare a database, start gateway and floor, measure, stop."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        say(f"preparing {server or 'SQLite'}")
        url = gateway.scratch(server, folder)
        port, floor_port = options.port, options.port + 1
        environ = gateway.environment(url, port)
        credentials = gateway.prepare(environ)
        gateway.compile_modules()
        name = database_name(url)
        commands = (
            (gateway.gateway_command(port), port, environ, "/healthz"),
            (gateway.floor_command(floor_port), floor_port, {"FLOOR_DATABASE": url}, "/read"),
        )
        servers, starts = [], []
        for command, at, more, path in commands:
            begun = time.perf_counter()
            servers.append(
                stack.enter_context(gateway.served(command, at, os.environ | more, path))
            )
            starts.append(time.perf_counter() - begun)
        ours, floor = servers
        backends = cpu_of_backends(gateway.DATABASE) if server else dict
        visitor = Visitor(port, credentials, folder)
        rows: Rows = {}
        for case in (FLOOR, BARE, *_chosen(visitor, options.only)):
            at = floor_port if case.is_floor else port
            process = floor if case.is_floor else ours
            BARS[case.name] = case.bar
            if server:
                gateway.analyze(url)
            rows[case.name] = one(case, at, options.seconds, cpu_of_session(process.pid), backends)
        if not options.only:
            say("token beside 4 people who sign in")
            seconds = max(options.seconds, SIGN_IN_SECONDS)
            note(name, beside_sign_ins(port, credentials.client, seconds))
        held = memory(ours.pid)
        first = held.pop(ours.pid)
        figures = {
            "start of gateway, seconds": f"{starts[0]:.1f}",
            "memory of the processes that answer, MB": f"{sum(held.values()):.0f}",
            "memory of the one that starts them, MB": f"{first:.0f}",
            "gateway client list, seconds": f"{command_seconds(environ):.1f}",
        }
        note(name, figures)
    if not options.only:
        say("whole sign-in")
        with tempfile.TemporaryDirectory() as folder:
            note(name, whole_sign_in(server, folder, options.port))
    return name, rows


def note(database: str, figures: dict[str, str]) -> None:
    """Keep figures of a run for the end."""
    PROCESSES.update({f"{database}: {name}": value for name, value in figures.items()})


def command_seconds(environ: dict[str, str]) -> float:
    """The time of a command that reads the database."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "idp.cli", "client", "list"]
    subprocess.run(
        command, env=os.environ | environ, cwd=gateway.ROOT, check=True, capture_output=True
    )
    return time.perf_counter() - begun


def _chosen(visitor: Visitor, only: str) -> Iterator[Case]:
    wanted = only.lower()
    for case in cases(visitor):
        # A redemption needs codes.
        makes_codes = "LOAD_KEEP" in case.load.script and wanted in BY_CODE
        if wanted in case.name.lower() or makes_codes:
            yield case


def one(case: Case, port: int, seconds: float, server: Cpu, database: Cpu) -> Result:
    """Measure a request, after some of the same load if that uses nothing up."""
    say(case.name)
    if not case.is_spent:
        measure(port, case.load, case.warm_up, server, database)
    found = measure(port, case.load, seconds, server, database)
    if found.failed > found.answers // 100:
        say(f"{case.name}: {found.failed} of {found.answers} responses were errors")
    return found


def show(name: str, rows: Rows) -> None:
    """The table for people. ``bar`` is what the request may cost."""
    print(f"\n{name}")
    print(f"{'request':42}{'ms':>7}{'(db)':>7}{'floors':>8}{'bar':>9}{'/s':>8}{'p50':>8}{'p99':>8}")
    floor, answer = rows[FLOOR.name].cpu_ms, rows[BARE.name].cpu_ms
    for label, row in rows.items():
        bar, base = BARS.get(label), answer
        if "token" in label or "sign and" in label:
            base = floor
        limit = f"{bar.must:g} {'ms' if not bar.of else 'x'}" if bar else ""
        print(
            f"{label:42}{row.cpu_ms:7.2f}{row.database_ms:7.2f}{row.cpu_ms / base:8.1f}"
            f"{limit:>9}{row.rate:8.0f}{row.p50_ms:8.1f}{row.p99_ms:8.1f}"
            + (f"  {row.failed} errors" if row.failed else ""),
            flush=True,
        )


def database_name(url: str) -> str:
    """The name and version of the database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return f"SQLite {connection.scalar(text('SELECT sqlite_version()'))}, FULL"
        number = str(connection.scalar(text("SHOW server_version"))).split()[0]
        durable = connection.scalar(text("SHOW fsync")) == "on"
        return f"PostgreSQL {number}" + ("" if durable else ", fsync off")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": f"{os.cpu_count()} cores, {model}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "wrk": wrk.split()[1] if wrk else "",
        **{name: version(name) for name in PACKAGES},
        **PROCESSES,
    }


def say(line: str) -> None:
    """Progress, apart from the results."""
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
