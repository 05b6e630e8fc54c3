"""Load by ``wrk``, and the CPU time that the servers spend on it.

CPU time per response hardly moves on a busy machine; rates and percentiles do.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS, THREADS = 16, 2
SCRIPT = Path(__file__).with_name("load.lua")
TICK = os.sysconf("SC_CLK_TCK")
#: CPU seconds of each process of a server.
Cpu = Callable[[], dict[int, float]]


@dataclass(frozen=True, kw_only=True)
class Load:
    """A request that wrk repeats. The variables of ``script`` are described in load.lua."""

    path: str
    method: str = "GET"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    script: dict[str, str] = field(default_factory=dict)
    connections: int = CONNECTIONS


@dataclass(frozen=True, kw_only=True)
class Result:
    """Of one run: milliseconds of CPU for each response, of the server and of its database."""

    answers: int
    failed: int
    rate: float
    cpu_ms: float
    database_ms: float
    p50_ms: float
    p99_ms: float


def measure(port: int, load: Load, seconds: float, server: Cpu, database: Cpu) -> Result:
    """Run the load once and return what it cost. Raises SystemExit if wrk does not run."""
    before, stored = server(), database()
    found = _run(port, load, seconds)
    here, there = spent(before, server()), spent(stored, database())
    answers = max(1, int(found["answers"]))
    return Result(
        answers=answers,
        failed=int(found["failed"]),
        rate=answers / found["seconds"],
        cpu_ms=here * 1000 / answers,
        database_ms=there * 1000 / answers,
        p50_ms=found["p50"],
        p99_ms=found["p99"],
    )


def spent(before: dict[int, float], after: dict[int, float]) -> float:
    """CPU seconds between two times. A process that has ended is not counted."""
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items())


def _run(port: int, load: Load, seconds: float) -> dict[str, float]:
    headers = "\n".join(f"{name}: {value}" for name, value in load.headers.items())
    variables = {"LOAD_METHOD": load.method, "LOAD_HEADERS": headers, **load.script}
    if load.body:
        variables["LOAD_BODY"] = load.body
    command = [
        "wrk", "--threads", str(min(THREADS, load.connections)),
        "--connections", str(load.connections), "--duration", f"{seconds:.0f}s",
        "--timeout", "20s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}{load.path}",
    ]  # fmt: skip
    run = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    for line in run.stdout.splitlines():
        if line.startswith("LOAD "):
            return dict(json.loads(line[5:]))
    raise SystemExit(f"wrk: {run.stderr or run.stdout}")


def cpu_of_session(leader: int) -> Cpu:
    """CPU seconds of all processes that a server started, by its session."""
    return lambda: {pid: cpu for pid, session, cpu in _processes() if session == leader}


def cpu_of_backends(database: str) -> Cpu:
    """CPU seconds of the PostgreSQL processes that serve a database on this machine."""
    return lambda: {pid: cpu for pid, _, cpu in _processes() if f" {database} " in _command(pid)}


def proportional_memory(leader: int) -> dict[int, float]:
    """Megabytes of each process of a server: private memory, and a share of what its processes have
    in common."""
    found = {}
    for pid, session, _ in _processes():
        if session == leader:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            found[pid] = next(int(x.split()[1]) for x in rollup.splitlines() if x[:4] == "Pss:")
    return {pid: kilobytes / 1024 for pid, kilobytes in found.items()}


def _processes() -> Iterator[tuple[int, int, float]]:
    """The id, session and CPU seconds of each process of this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        except OSError:
            continue
        yield int(folder.name), int(fields[3]), (int(fields[11]) + int(fields[12])) / TICK


def _command(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode("latin-1") if raw.startswith(b"postgres:") else ""
