"""What an account costs in the first load of an installation, by ``gateway import``.

Fills an empty database from a file, once, and measures the whole command: the time on the clock,
the CPU time of the command, and that of PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import cpu, gateway
from benchmarks.load import cpu_of_backends
from idp.demo.crowd import FAMILY, GIVEN

PORT = 18803
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
EXTENSION = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
PARTICIPANT = "109120"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="PostgreSQL server; SQLite when left out")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--grants", type=int, default=1, help="role groups of each, up to 10")
    parser.add_argument("--profile", help="write a profile of the command to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = gateway.scratch(options.database, folder)
        environ = gateway.environment(url, PORT)
        gateway.prepare(environ)
        file = Path(folder) / "users.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            for one in users(options.accounts, options.grants):
                lines.write(json.dumps(one) + "\n")
        profiled = ["-m", "cProfile", "-o", options.profile] if options.profile else []
        command = [sys.executable, *profiled, "-m", "idp.cli", "import", str(file)]
        for label in ("created", "run again"):
            show(label, options.accounts, *run([*command, "--client-id", "pusher"], environ))
    print("\n".join(f"{name}: {value}" for name, value in cpu.machine().items()))


def users(count: int, grants: int) -> Iterator[dict[str, Any]]:
    """The lines of the file."""
    for number in range(count):
        given, family = GIVEN[number % len(GIVEN)], FAMILY[number // len(GIVEN) % len(FAMILY)]
        yield {
            "schemas": [CORE, EXTENSION],
            "userName": f"load{number}",
            "externalId": f"load-{number}",
            "name": {"givenName": given, "familyName": family},
            "emails": [{"value": f"load{number}@participant.example", "primary": True}],
            "phoneNumbers": [{"value": f"tel:+1416{2_000_000 + number}", "type": "work"}],
            "active": True,
            EXTENSION: {
                "personId": f"L{number}",
                "grants": [
                    {"roleGroup": f"Group {place}", "participantId": PARTICIPANT}
                    for place in range(grants)
                ],
            },
        }


def run(command: list[str], environ: dict[str, str]) -> tuple[float, float, float]:
    """Seconds on the clock, of the command's CPU, and of PostgreSQL's."""
    backends = cpu_of_backends(gateway.DATABASE)
    begun, used = time.monotonic(), os.times()
    process = subprocess.Popen(command, env=os.environ | environ, cwd=gateway.ROOT)
    before: dict[int, float] = backends()
    seen: dict[int, float] = {}
    while process.poll() is None:
        # A process of PostgreSQL ends with its connection.
        seen |= backends()
        time.sleep(0.05)
    seconds, after = time.monotonic() - begun, os.times()
    if process.returncode:
        raise SystemExit(process.returncode)
    own = after.children_user + after.children_system - used.children_user - used.children_system
    database = sum(spent - before.get(pid, 0) for pid, spent in seen.items())
    return seconds, own, database


def show(label: str, accounts: int, seconds: float, own: float, database: float) -> None:
    """Milliseconds of an account."""
    clock, here, there = (1000 * value / accounts for value in (seconds, own, database))
    print(
        f"{label}: {accounts} accounts in {seconds:.1f} s; of each, {clock:.2f} ms on the clock, "
        f"{here:.2f} ms of CPU and {there:.2f} ms of PostgreSQL's",
        flush=True,
    )


if __name__ == "__main__":
    main()
