"""The gateway and other providers in one run: CPU time, rate and tail of the same requests.

``providers`` starts them. What is not installed is named, and the run goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks import bar_chart
from benchmarks.cpu import machine, say
from benchmarks.load import Result, cpu_of_session, measure
from benchmarks.provider import NotInstalled, Server
from benchmarks.providers import OURS, PEERS_OF_RUN

PORT = 18820
Table = dict[str, dict[str, Result]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=5, help="of each request")
    parser.add_argument("--port", type=int, default=PORT, help="the first of two")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--svg", type=Path, help="a file for a chart of CPU time")
    options = parser.parse_args()
    found: Table = {}
    versions: dict[str, str] = {}
    for peer in PEERS_OF_RUN:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            try:
                server, version = stack.enter_context(peer(folder, options.port))
            except NotInstalled as absent:
                say(f"{absent} is not installed")
                continue
            except SystemExit as failed:
                if not found:
                    raise
                say(f"{peer.__name__} does not start: {failed}")
                continue
            found[server.name] = dict(_measured(server, options.seconds))
            versions[server.name] = version
    if options.svg:
        milliseconds = {
            name: {request: row.cpu_ms for request, row in rows.items()}
            for name, rows in found.items()
        }
        chart = bar_chart.svg("CPU time of the server for one response", milliseconds)
        options.svg.write_text(chart, encoding="utf-8")
    if options.json:
        rows = {name: {k: asdict(v) for k, v in row.items()} for name, row in found.items()}
        print(json.dumps({"machine": machine() | versions, "results": rows}, indent=2))
    else:
        show(found)
        print("\n".join(f"{name}: {value}" for name, value in (machine() | versions).items()))


def _measured(server: Server, seconds: float) -> Iterator[tuple[str, Result]]:
    cpu = cpu_of_session(server.leader)
    for name, load in server.loads():
        say(f"{server.name}: {name}")
        if not load.script:
            measure(server.port, load, 1, cpu, dict)
        result = measure(server.port, load, seconds, cpu, dict)
        if not result.failed:
            yield name, result
            continue
        failed = f"{server.name}, {name}: {result.failed} of {result.answers} failed"
        if server.name.startswith(OURS):
            raise SystemExit(failed)
        say(failed)


def show(found: Table) -> None:
    """The table for people."""
    print(f"{'request':28}{'provider':24}{'CPU ms':>8}{'/s':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for request in next(iter(found.values())):
        for name, rows in found.items():
            if (row := rows.get(request)) is None:
                print(f"{request:28}{name:24}{'fails':>8}")
                continue
            print(
                f"{request:28}{name:24}{row.cpu_ms:8.2f}{row.rate:8.0f}{row.p50_ms:8.1f}"
                f"{row.p99_ms:8.1f}"
            )


if __name__ == "__main__":
    main()
