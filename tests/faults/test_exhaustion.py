"""More connections than there is room for, too few files, and a longer run (R21, R22)."""

from __future__ import annotations

import os
import resource
import socket
import time
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered, patience
from tests.faults.installation import HOST_HEADER, Installation, Process, connect, status_of
from tests.faults.load import Client, load
from tests.faults.servers import HOST

CONNECTIONS = 500
#: How long the soak lasts; half an hour by hand.
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))


def asked(connection: HTTPConnection, path: str) -> int:
    """The status of a GET on an open connection."""
    connection.request("GET", path, headers={"Host": HOST_HEADER})
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.mark.parametrize("files", [0, 160])
def test_r21_five_hundred_connections(
    on_postgresql: Installation, files: int, figures: Figures
) -> None:
    """R21: idle connections take no thread; at the limit of file descriptors, new connections are
    refused or wait, and those that are open go on. When they are gone, all is well without a
    restart."""
    on_postgresql.fill(people=4)
    prefix = ("prlimit", f"--nofile={files}:{files}", "--") if files else ()
    gateway = on_postgresql.serve(workers=1, prefix=prefix)
    on_postgresql.work()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with ExitStack() as opened:
            kept = connect(gateway.port, 15)
            opened.callback(kept.close)
            assert asked(kept, "/healthz") == 200
            for _ in range(CONNECTIONS):
                with suppress(OSError):
                    opened.enter_context(socket.create_connection((HOST, gateway.port), 1))
            during = status_of(gateway.port, "/healthz", 3)
            # Who is connected is answered, also from the database.
            assert asked(kept, "/healthz") == 200
            assert asked(kept, "/readyz") in (200, 503)
            assert gateway.process.poll() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert during == 200 or files
    moment = time.time()
    while status_of(gateway.port, "/readyz") != 200:
        assert time.time() < moment + 30 * patience()
        time.sleep(0.2)
    healed = time.time() - moment
    with load(on_postgresql, [gateway.port]) as history:
        answered(history, 20)
    check(on_postgresql, history)
    assert history.counts()["unavailable"] == 0
    figures(files=files, during=during, healed=healed, **history.counts())


def test_r21_more_requests_than_there_is_room_for(
    on_postgresql: Installation, figures: Figures
) -> None:
    """R21: each connection of the pool waits for a lock; others wait or get 503, documents do not
    wait; when the lock is gone, all is well."""
    import psycopg

    on_postgresql.fill(people=4)
    gateway = on_postgresql.serve(workers=1)
    on_postgresql.work()
    url = on_postgresql.url.replace("+psycopg", "")
    with load(on_postgresql, [gateway.port], clients=40, mix=(("machine", 1),)) as history:
        answered(history, 20)
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE access_token IN ACCESS EXCLUSIVE MODE")
            end = time.time() + 12
            while time.time() < end:
                assert status_of(gateway.port, "/healthz", 3) == 200
                time.sleep(0.5)
            connection.rollback()
        back = time.time()
        answered(history, 50)
    check(on_postgresql, history)
    assert {c.status for c in history.calls if (c.status or 0) >= 500} <= {503}
    figures(longest=max(c.seconds for c in history.calls), clients=40,
            healed=min(c.ended or 0 for c in history.since(back) if c.is_success) - back,
            **history.counts())  # fmt: skip


def memory(gateway: Process) -> float:
    """Megabytes of the processes that answer, without what they share."""
    kilobytes = 0
    for pid in gateway.children():
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        kilobytes += sum(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_")
        )
    return kilobytes / 1024


def test_r22_memory_and_rows_of_a_longer_run(on_postgresql: Installation, figures: Figures) -> None:
    """R22: after the first third, memory hardly grows, no connection stays open, and ``gateway
    purge`` deletes what has expired."""
    on_postgresql.fill()
    gateway = on_postgresql.serve()
    on_postgresql.work()
    with load(on_postgresql, [gateway.port], pause=0.0) as history:
        time.sleep(SOAK_SECONDS / 3)
        first, calls = memory(gateway), len(history.calls)
        time.sleep(SOAK_SECONDS * 2 / 3)
        last, more = memory(gateway), len(history.calls) - calls
    check(on_postgresql, history)
    assert last - first < max(8.0, first * 0.15), (first, last, more)
    descriptors = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in gateway.children()]
    assert max(descriptors) < 100
    on_postgresql.change(
        "UPDATE authorization_code SET expires_at = expires_at - interval '100 days',"
        " created_at = created_at - interval '100 days'"
    )
    on_postgresql.run("purge")
    left = on_postgresql.rows("SELECT count(*) FROM authorization_code")[0][0]
    assert left == 0
    figures(seconds=SOAK_SECONDS, first=first, last=last, calls=more, files=max(descriptors),
            **history.counts())  # fmt: skip


def test_r21_a_body_that_never_ends_takes_no_thread(on_sqlite: Installation) -> None:
    """R21: a hundred requests that are never finished; others are answered."""
    on_sqlite.fill(people=1)
    gateway = on_sqlite.serve(workers=1)
    client = Client(0, [gateway.port], on_sqlite, History(on_sqlite.folder / "h"))
    head = "POST /oauth2/v1/token HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 999\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(100):
            each = opened.enter_context(socket.create_connection((HOST, gateway.port), 5))
            each.sendall(head.encode())
        assert client.new_grant()
        assert client.machine()
