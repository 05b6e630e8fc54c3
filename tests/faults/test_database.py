"""A database that is cut off, away, slow, restarted or locked (R06 to R10; I1 to I7)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered, longest, patience, recovered_after
from tests.faults.installation import Installation, settings_of, status_of
from tests.faults.load import MIX, Client, load
from tests.faults.servers import OwnPostgreSQL, Proxy, own_postgresql, proxy

WITH_DENIALS = (*MIX, ("suspend", 1))
#: What is answered without the database.
DOCUMENTS = ("/healthz", "/oauth2/v1/keys", "/.well-known/openid-configuration")
#: Seconds until requests succeed again (R06), on a machine that does other things too.
HEALED = 10.0


@pytest.fixture
def behind(on_postgresql: Installation, postgresql: OwnPostgreSQL) -> Iterator[Proxy]:
    """A proxy before the database of the gateway; the checker goes past it."""
    with proxy(postgresql.port) as made:
        yield made


def through(installation: Installation, made: Proxy) -> dict[str, str]:
    """The setting with which a process reaches the database by the proxy."""
    return {"IDP_DATABASE_URL": installation.url.replace(f":{made.target}/", f":{made.port}/")}


def test_r06_connections_cut_under_load(
    on_postgresql: Installation, postgresql: OwnPostgreSQL, behind: Proxy, figures: Figures
) -> None:
    """R06, I1 to I7: by the network, in the middle of a message, and by the server. At most one
    request fails for each connection, and nothing is half done."""
    on_postgresql.fill(victims=15)
    gateway = on_postgresql.serve(**through(on_postgresql, behind))
    on_postgresql.work()
    cut, moments = 0, []
    with load(on_postgresql, [gateway.port], mix=WITH_DENIALS) as history:
        answered(history, 10)
        for turn in range(15):
            moments.append(time.time())
            if turn % 3 == 0:
                cut += behind.cut()
            elif turn % 3 == 1:
                cut += postgresql.terminate(on_postgresql.url.rsplit("/", 1)[1])
            else:
                # The next connections break off after so many bytes of statements.
                behind.after = 700 * turn
                cut += behind.cut()
                time.sleep(1)
                behind.after = None
                cut += behind.cut()
            answered(history, 8)
    check(on_postgresql, history)
    healed = max(recovered_after(history, moment) for moment in moments)
    assert healed < HEALED * patience()
    assert {c.status for c in history.calls if (c.status or 0) >= 500} <= {503}
    figures(cuts=len(moments), connections=cut, healed=healed, **history.counts())


def test_r07_the_database_is_away(
    on_postgresql: Installation, behind: Proxy, figures: Figures
) -> None:
    """R07: for a minute. Health and documents are answered, everything else is 503 with Retry-After
    or has no answer; then all is well without a restart."""
    seconds = 60.0
    on_postgresql.fill(victims=5)
    gateway = on_postgresql.serve(**through(on_postgresql, behind))
    quiet = on_postgresql.serve(**through(on_postgresql, behind))
    on_postgresql.work()
    with load(on_postgresql, [gateway.port], mix=WITH_DENIALS) as history:
        answered(history, 10)
        behind.refuses = True
        behind.cut()
        began = time.time()
        time.sleep(1)
        while time.time() < began + seconds:
            assert [status_of(gateway.port, path) for path in DOCUMENTS] == [200] * 3
            # Nobody had asked this one for its keys.
            assert status_of(quiet.port, "/oauth2/v1/keys") == 200
            assert status_of(gateway.port, "/readyz", 20) == 503
            time.sleep(5)
        back = time.time()
        behind.refuses = False
        answered(history, 20)
    during = [c for c in history.since(began + 1, back) if c.ended and c.ended < back]
    assert {c.status for c in during if c.name != "keys"} <= {503, None}
    assert {c.status for c in during if c.name == "keys"} <= {200}
    check(on_postgresql, history)
    figures(seconds=seconds, during=len(during), longest=longest(during),
            healed=recovered_after(history, back), **history.counts())  # fmt: skip


def test_r07_a_refusal_says_when_to_come_back(on_postgresql: Installation, behind: Proxy) -> None:
    """R07: Retry-After, and no word about the database."""
    on_postgresql.fill(people=1)
    gateway = on_postgresql.serve(workers=1, **through(on_postgresql, behind))
    behind.refuses = True
    behind.cut()
    client = Client(0, [gateway.port], on_postgresql, History(on_postgresql.folder / "h"))
    for path in ("/signin", "/oauth2/v1/userinfo", "/scim/v2/Users"):
        answer = client.send("GET", path, headers={"Authorization": "Bearer x.y.z"})
        if answer.status != 401:
            assert (answer.status, answer.headers.getheader("Retry-After")) in (
                (503, "5"), (200, None)
            )  # fmt: skip
            assert "postgres" not in answer.text


def test_r08_a_slow_database(
    on_postgresql: Installation, postgresql: OwnPostgreSQL, behind: Proxy, figures: Figures
) -> None:
    """R08: a lock held for five seconds, then each message delayed by a second. Documents are
    answered at once, other requests late or with 503; no thread is lost."""
    on_postgresql.fill(victims=5)
    gateway = on_postgresql.serve(**through(on_postgresql, behind))
    on_postgresql.work()
    slowest = dict.fromkeys(DOCUMENTS, 0.0)

    def documents(until: float) -> None:
        while time.time() < until:
            for path in DOCUMENTS:
                began = time.monotonic()
                # The one request that reads the keys anew waits for the database.
                assert status_of(gateway.port, path, 20) == 200
                slowest[path] = max(slowest[path], time.monotonic() - began)
            time.sleep(0.2)

    with load(on_postgresql, [gateway.port], mix=WITH_DENIALS, clients=8) as history:
        answered(history, 10)
        url = on_postgresql.url.replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE access_token, event IN ACCESS EXCLUSIVE MODE")
            documents(time.time() + 5)
            connection.rollback()
        answered(history, 10)
        behind.delay = 1.0
        documents(time.time() + 10)
        behind.delay = 0.0
        back = time.time()
        answered(history, 30)
    check(on_postgresql, history)
    assert {c.status for c in history.calls if (c.status or 0) >= 500} <= {503}
    figures(**slowest, longest=longest(history.calls),
            healed=recovered_after(history, back), **history.counts())  # fmt: skip


def test_r09_the_server_of_the_database_is_killed_and_restarted(
    tmp_path_factory: pytest.TempPathFactory, figures: Figures
) -> None:
    """R09, I1 to I7: a shutdown, a crash, and SIGKILL of the postmaster, each under load, with
    fsync; what was acknowledged is there."""
    with own_postgresql() as server:
        server.execute("CREATE DATABASE gateway")
        folder = tmp_path_factory.mktemp("r09")
        made = Installation(folder, settings_of(server.url("gateway")))
        made.run("db", "upgrade")
        made.fill(victims=9)
        try:
            gateway = made.serve()
            made.work()
            healed = []
            with load(made, [gateway.port], mix=WITH_DENIALS) as history:
                ways: list[Callable[[], None]] = [
                    lambda: server.stop("fast"), lambda: server.stop("immediate"), server.kill
                ]  # fmt: skip
                for stop in ways * 2:
                    answered(history, 12)
                    stop()
                    server.start()
                    moment = time.time()
                    answered(history, 5)
                    healed.append(recovered_after(history, moment))
                answered(history, 10)
            check(made, history)
            assert max(healed) < HEALED * patience()
            figures(stops=len(healed), healed=max(healed), **history.counts())
        finally:
            made.stop()


def test_r10_sqlite_locked_by_another_program(on_sqlite: Installation, figures: Figures) -> None:
    """R10: a writer waits its turn; after ten seconds it is told 503, nothing is half done, and
    readers do not wait."""
    on_sqlite.fill(people=3)
    gateway = on_sqlite.serve(workers=1)
    on_sqlite.work()
    history = History(on_sqlite.folder / "history.jsonl")
    client = Client(0, [gateway.port], on_sqlite, history)
    reader = replace(client, number=1)
    assert client.new_grant()
    reader.access_token = client.access_token
    file = sqlite3.connect(on_sqlite.url.removeprefix("sqlite:///"), isolation_level=None)
    with closing(file):
        file.execute("BEGIN IMMEDIATE")
        assert not client.machine()
        refused = history.calls[-1]
        assert refused.status == 503
        assert 8 < refused.seconds < 16 * patience()
        assert reader.userinfo()
        assert history.calls[-1].seconds < 5 * patience()
        file.execute("ROLLBACK")
    assert client.machine()
    assert client.refresh()
    check(on_sqlite, history)
    figures(waited=refused.seconds)
