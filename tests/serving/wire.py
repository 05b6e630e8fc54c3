"""The gateway as ``gateway serve`` runs it, and clients that misbehave."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from tests.live import free_ports
from tests.world import World, environ_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240
HOST = "gateway.test"


@dataclass
class Served:
    """A running ``gateway serve``, and the connections to it, open until it has stopped."""

    process: subprocess.Popen[bytes]
    port: int
    connections: ExitStack
    host: str = HOST

    def get(self, path: str) -> HTTPResponse:
        """Status and headers of an answer on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Host": self.host, "Connection": "close"})
        with closing(connection), closing(connection.getresponse()) as answer:
            answer.read()
            return answer

    def send(self, raw: bytes) -> socket.socket:
        """A connection on which this has been sent."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.connections.enter_context(closing(opened))
        opened.sendall(raw)
        return opened

    def children(self) -> set[int]:
        """The processes that answer."""
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child) for child in listed}

    def established(self) -> int:
        """How many connections it has."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == "01" for row in rows)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait; the main process must live meanwhile."""
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert self.process.poll() is None, "the gateway ended"
            assert time.monotonic() < end, "it does not come"
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it answers yet."""
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False


@contextmanager
def serve(
    world: World, *options: str, host: str = HOST, by: int = signal.SIGTERM, code: int = 0,
    **settings: str,
) -> Iterator[Served]:  # fmt: skip
    """``gateway serve`` on the database of the test; stopped afterwards by a signal, which must
    work and end with this code."""
    port = free_ports(1)
    command = [sys.executable, "-m", "idp.cli", "serve", "--port", str(port), *options]
    process = subprocess.Popen(
        command,
        env=environ_of(world) | {"IDP_ISSUER": f"https://{host}"} | settings,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    with ExitStack() as connections:
        served = Served(process, port, connections, host)
        try:
            served.wait_until(served.answers)
            yield served
            process.send_signal(by)
            assert process.wait(PATIENCE) == code
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole request; underscores of names become hyphens."""
    fields = {"Host": HOST} | {k.replace("_", "-"): v for k, v in headers.items()}
    if body:
        fields |= {"Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def answer_on(connection: socket.socket, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    """The answer that comes on a connection, and its body."""
    with closing(HTTPResponse(connection, method=method)) as answer:
        answer.begin()
        return answer, answer.read()


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    """Those on which something has come by now."""
    return select.select(connections, [], [], 0)[0]
