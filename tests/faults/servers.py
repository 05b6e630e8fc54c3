"""PostgreSQL, Redis and a mail server of a test's own, and a proxy that breaks connections."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

from tests.faults.history import patience
from tests.live import free_ports

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Host:
    """Where a process runs: its address, and the command in front of that of the process."""

    address: str
    prefix: tuple[str, ...] = ()


#: This machine, in the network of this process.
LOCAL = Host(HOST)


def missing(reason: str) -> None:
    """Skip the test; in CI that is a failure."""
    if os.environ.get("CI"):
        raise AssertionError(reason)
    pytest.skip(reason)


def wait_for(ready: Callable[[], object], seconds: float, what: str) -> float:
    """Wait until ``ready`` returns something true without an error; returns how long it took."""
    began = time.monotonic()
    while time.monotonic() < began + seconds * patience():
        with suppress(OSError, psycopg.Error):
            if ready():
                return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


@cache
def _postgresql_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, the newest release."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return folders[-1] if folders else None


class OwnPostgreSQL:
    """A cluster that can be killed, as durable as in production (``fsync`` is on)."""

    def __init__(
        self, folder: Path, host: Host = LOCAL, primary: OwnPostgreSQL | None = None
    ) -> None:
        programs = _postgresql_programs()
        if programs is None:
            missing("PostgreSQL is not installed")
        assert programs is not None
        self._programs, self.folder, self.port = programs, folder, free_ports(1)
        self.host = host
        #: It does not run as root.
        runner = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
        self._user = [*host.prefix, *runner]
        if runner:
            shutil.chown(folder, "postgres")
        self.data = folder / "data"
        if primary is not None:
            self._copy(primary)
            return
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
        self._configure(
            f"listen_addresses = '{host.address}'\nmax_connections = 150\n"
            "unix_socket_directories = ''\nfsync = on\nsynchronous_commit = on\n"
        )
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host all,replication all samenet trust\n")

    def _configure(self, lines: str) -> None:
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\n{lines}")

    def _copy(self, primary: OwnPostgreSQL) -> None:
        """A streaming standby, as docs/operations.md sets it up."""
        source = (
            f"host={primary.host.address} port={primary.port} user=postgres"
            " application_name=standby"
        )
        self._run(
            "pg_basebackup", "--write-recovery-conf", "--create-slot", "--slot=standby",
            "--checkpoint=fast", f"--dbname={source}",
        )  # fmt: skip
        self._configure(f"listen_addresses = '{self.host.address}'\n")

    def promote(self) -> None:
        """Make a standby the primary."""
        self._run("pg_ctl", "-w", "-t", "60", "promote")

    @property
    def address(self) -> str:
        return f"{self.host.address}:{self.port}"

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [*self._user, self._programs / program, "-D", self.data, *arguments]
        with (self.folder / "log").open("ab") if os.geteuid() else open(os.devnull, "ab") as log:
            subprocess.run(command, check=check, stdout=log, stderr=log, timeout=120, cwd="/")

    def program(self, name: str) -> Path:
        """A program that asks it, such as pg_dump, of the same release if there is one."""
        beside = self._programs / name
        found = beside if beside.exists() else shutil.which(name)
        if not found:
            missing(f"{name} is not installed")
        return Path(str(found))

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self.folder / "server.log"), "start")
        wait_for(self._answers, 60, "PostgreSQL")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-w", "-m", mode, "stop", check=False)

    def kill(self) -> None:
        """SIGKILL for the postmaster, as by the kernel when memory is short."""
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        # Its children notice that it is gone; a new one starts when they have.
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)

    def _answers(self) -> bool:
        self.execute("SELECT 1")
        return True

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """One statement on a connection of its own."""
        url = f"postgresql://postgres@{self.host.address}:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def terminate(self, database: str) -> int:
        """End all connections to a database; returns how many there were."""
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        return len(self.execute(f"{ended}'{database}'"))

    def url(self, database: str, port: int | None = None) -> str:
        """The address of a database for the gateway."""
        return f"postgresql+psycopg://postgres@{self.host.address}:{port or self.port}/{database}"


@contextmanager
def own_postgresql(
    host: Host = LOCAL, primary: OwnPostgreSQL | None = None
) -> Iterator[OwnPostgreSQL]:
    """A cluster, or the standby of one, for the duration of the block."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-faults-"))
    server = OwnPostgreSQL(folder, host, primary)
    try:
        server.start()
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


class OwnRedis:
    """A Redis that keeps nothing on the disk, or the replica of one."""

    def __init__(
        self, host: Host = LOCAL, primary: OwnRedis | None = None, options: Sequence[str] = ()
    ) -> None:
        if not shutil.which("redis-server"):
            missing("Redis is not installed")
        self.host, self.port = host, free_ports(1)
        self.options = [*options]
        self._of: list[str] = []
        if primary:
            # It loads what it gets without a file.
            self._of = ["--replicaof", primary.host.address, str(primary.port),
                        "--repl-diskless-load", "swapdb"]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [*self.host.prefix, "redis-server", "--port", str(self.port), "--bind",
                   self.host.address, "--protected-mode", "no", "--save", "", "--appendonly",
                   "no", *self.options, *self._of]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        address = (self.host.address, self.port)
        wait_for(lambda: socket.create_connection(address, 1).close() or True, 20, "Redis")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None


@contextmanager
def own_redis(host: Host = LOCAL, primary: OwnRedis | None = None) -> Iterator[OwnRedis]:
    """A running Redis for the duration of the block."""
    server = OwnRedis(host, primary)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def own_sentinels(folder: Path, primary: OwnRedis) -> Iterator[list[int]]:
    """Three Sentinels that replace ``primary``, which they call ``gateway``, when two of them miss
    it for a second; yields their ports."""
    ports, running = [], []
    try:
        for _ in range(3):
            ports.append(free_ports(1))
            config = folder / f"sentinel{ports[-1]}.conf"
            config.write_text(
                f"port {ports[-1]}\nbind {HOST}\ndir {folder}\n"
                f"sentinel monitor gateway {primary.host.address} {primary.port} 2\n"
                "sentinel down-after-milliseconds gateway 1000\n"
                "sentinel failover-timeout gateway 5000\n"
            )
            command = ["redis-server", str(config), "--sentinel"]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        yield ports
    finally:
        for each in running:
            each.kill()
            each.wait(20)


#: The keys of a cluster of Redis have so many slots.
SLOTS = 16384


@contextmanager
def own_cluster(folder: Path) -> Iterator[list[OwnRedis]]:
    """Three primaries that miss each other after a second, and a server that has no keys yet."""
    servers = []
    try:
        for number in range(4):
            options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                       "--cluster-port", str(free_ports(1)), "--dir", str(folder),
                       "--cluster-config-file", f"nodes{number}.conf"]  # fmt: skip
            servers.append(OwnRedis(options=options))
            servers[-1].start()
        for number, server in enumerate(servers):
            with Redis(port=server.port, decode_responses=True) as asked:
                for other in servers[:number]:
                    _meet(asked, other)
                if number < 3:
                    ends = [SLOTS * edge // 3 for edge in (number, number + 1)]
                    asked.execute_command("CLUSTER ADDSLOTSRANGE", ends[0], ends[1] - 1)
        wait_for(lambda: all(_is_whole(server, 4) for server in servers), 60, "the cluster")
        yield servers
    finally:
        for server in servers:
            server.kill()


def _meet(asked: Redis, other: OwnRedis) -> None:
    bus = other.options[other.options.index("--cluster-port") + 1]
    asked.execute_command("CLUSTER MEET", other.host.address, other.port, bus)


def _is_whole(server: OwnRedis, size: int) -> bool:
    with Redis(port=server.port, decode_responses=True) as asked:
        found = asked.execute_command("CLUSTER INFO")
    return (found["cluster_state"], found["cluster_known_nodes"]) == ("ok", str(size))


def replicate(replica: OwnRedis, primary: OwnRedis) -> None:
    """Make a server of a cluster the replica of another one."""
    with Redis(port=primary.port, decode_responses=True) as asked:
        known = asked.execute_command("CLUSTER MYID")
    with Redis(port=replica.port, decode_responses=True) as asked:
        asked.execute_command("CLUSTER REPLICATE", known)
        wait_for(lambda: asked.info("replication")["master_link_status"] == "up", 30, "the replica")


@dataclass
class Proxy:
    """Passes TCP connections on to ``target``, and breaks them.

    ``refuses``: new connections are closed at once. ``delay``: each piece waits so many seconds, in
    both directions. ``after``: each new connection is closed after so many bytes from the client,
    in the middle of what is sent."""

    target: int
    port: int = field(default_factory=lambda: free_ports(1))
    refuses: bool = False
    delay: float = 0.0
    after: int | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cut(self) -> int:
        """Close all open connections without a word; returns how many there were."""
        with self._lock:
            found = list(self._open)
        for each in found:
            _reset(each)
        return len(found) // 2

    def accept(self, listener: socket.socket) -> None:
        """Take connections until the listener is shut down."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.refuses:
                _reset(client)
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection((HOST, self.target), 10)
            except OSError:
                _reset(client)
                return
            with server:
                server.settimeout(None)
                with self._lock:
                    self._open |= {client, server}
                back = threading.Thread(target=self._pass, args=(server, client, None), daemon=True)
                back.start()
                self._pass(client, server, self.after)
                back.join()
                with self._lock:
                    self._open -= {client, server}

    def _pass(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        """Pass on until one side ends or ``left`` bytes have passed; then end both."""
        with suppress(OSError):
            while piece := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(piece if left is None else piece[:left])
                if left is not None:
                    left -= len(piece)
                    if left <= 0:
                        break
        for each in (source, sink):
            _reset(each)


def _reset(connection: socket.socket) -> None:
    """End a connection in both directions, so that whoever waits for it stops waiting."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A running proxy for the duration of the block."""
    made = Proxy(target)
    with socket.create_server((HOST, made.port), backlog=256) as listener:
        thread = threading.Thread(target=made.accept, args=(listener,))
        thread.start()
        try:
            yield made
        finally:
            made.cut()
            _reset(listener)
            thread.join(10)
