"""Redis that is killed, emptied or slow (R11, R12; I8)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.faults.checker import check
from tests.faults.conftest import Figures
from tests.faults.history import History, answered, longest, patience
from tests.faults.installation import Installation
from tests.faults.load import MIX, Client, load
from tests.faults.servers import (
    OwnRedis,
    own_cluster,
    own_redis,
    own_sentinels,
    proxy,
    replicate,
    wait_for,
)
from tests.world import hidden_fields

WITH_DENIALS = (*MIX, ("suspend", 1))
LIMIT = 40


@pytest.fixture
def redis() -> Iterator[OwnRedis]:
    with own_redis() as server:
        yield server


def attempts(client: Client, number: int) -> Counter[int]:
    """The answers to so many wrong passwords."""
    found: Counter[int] = Counter()
    for turn in range(number):
        client.cookies.clear()
        fields = hidden_fields(client.browse("GET", "/signin").text, "/signin")
        form = urlencode(fields | {"username": f"nobody{turn}", "password": "wrong Heron7"})
        cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
        found[client.send("POST", "/signin", form, {"Cookie": cookie}).status] += 1
    return found


def test_r11_limits_become_stricter_when_redis_is_killed(
    on_sqlite: Installation, redis: OwnRedis, figures: Figures
) -> None:
    """R11, I8: with Redis a network has the limit; without it, a share in each process, which is
    less in all."""
    url = f"redis://127.0.0.1:{redis.port}/0"
    on_sqlite.fill(people=1)
    gateway = on_sqlite.serve(
        IDP_REDIS_URL=url, IDP_SIGNIN_LIMIT=f"{LIMIT} per hour", IDP_LOG_LEVEL="WARNING"
    )
    history = History(on_sqlite.folder / "history.jsonl")
    client = Client(0, [gateway.port], on_sqlite, history)
    before = attempts(client, LIMIT + 4)
    assert set(before) == {400, 429}
    redis.kill()
    without = attempts(client, LIMIT)
    assert set(without) == {400, 429}
    assert before[400] == LIMIT
    assert without[400] <= LIMIT // 2
    figures(with_redis=before[400], without=without[400])


def test_r11_r12_load_while_redis_is_killed_emptied_and_slow(
    on_postgresql: Installation, redis: OwnRedis, figures: Figures
) -> None:
    """R11, R12, I1 to I7: no request fails, nothing revoked revives, and a slow Redis costs each
    process little: it counts alone until Redis answers in time again."""
    on_postgresql.fill(victims=6)
    with proxy(redis.port) as between:
        url = f"redis://127.0.0.1:{between.port}/0"
        gateway = on_postgresql.serve(IDP_REDIS_URL=url)
        on_postgresql.work()
        with load(on_postgresql, [gateway.port], mix=WITH_DENIALS) as history:
            answered(history, 20)
            redis.kill()
            answered(history, 20)
            redis.start()
            answered(history, 20)
            # Empty again.
            redis.kill()
            redis.start()
            answered(history, 20)
            between.delay, moment = 3.0, time.time()
            answered(history, 40)
            slow = longest(history.since(moment))
            between.delay = 0.0
            between.cut()
            answered(history, 20)
    check(on_postgresql, history)
    counts = history.counts()
    assert (counts["unavailable"], counts["lost"]) == (0, 0)
    figures(longest_while_slow=slow, **counts)


def test_r11_sentinels_replace_redis(
    on_sqlite: Installation, redis: OwnRedis, figures: Figures
) -> None:
    """R11: the primary is killed. Until its replica takes over, each process counts alone; then all
    go on with the counts of before. No request fails."""
    with (
        own_redis(primary=redis) as replica,
        own_sentinels(on_sqlite.folder, redis) as ports,
        Redis(port=replica.port) as copy,
        Redis(port=ports[0], decode_responses=True) as sentinel,
    ):
        ask = sentinel.sentinel_master
        wait_for(lambda: ask("gateway")["num-other-sentinels"] == 2, 60, "the Sentinels")
        wait_for(lambda: ask("gateway")["num-slaves"] == 1, 60, "the replica")
        servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        on_sqlite.settings |= {
            "IDP_REDIS_URL": f"redis+sentinel://{servers}/gateway",
            "IDP_SIGNIN_LIMIT": f"{LIMIT} per hour",
        }
        on_sqlite.fill(people=1)
        gateway = on_sqlite.serve()
        client = Client(0, [gateway.port], on_sqlite, History(on_sqlite.folder / "h"))
        found = attempts(client, 10)
        assert "answers" in on_sqlite.run("doctor", "--only", "redis")

        def counted() -> int:
            """The largest count that the replica has."""
            return max((int(copy.get(key) or 0) for key in copy.keys("*")), default=0)

        wait_for(lambda: counted() == 10, 20, "the copy")
        redis.kill()
        began = time.time()
        while counted() <= 10 and time.time() < began + 90 * patience():
            found += attempts(client, 1)
        healed = time.time() - began
        assert counted() > 10
        # The other process may count alone for some seconds more.
        began = time.time()
        while counted() < LIMIT and time.time() < began + 60 * patience():
            found += attempts(client, 5)
        assert counted() >= LIMIT
        assert "answers" in on_sqlite.run("doctor", "--only", "redis")
    assert set(found) == {400, 429}
    # What two processes allowed alone comes on top.
    assert found[400] <= LIMIT + 2 * LIMIT // 4
    figures(healed=healed, allowed=found[400])


def counted(servers: list[OwnRedis]) -> tuple[int, OwnRedis | None]:
    """The largest count that these servers have, and the one that has it."""
    found: tuple[int, OwnRedis | None] = (0, None)
    for server in servers:
        with suppress(RedisError), Redis(port=server.port, single_connection_client=True) as asked:
            # A replica answers too.
            asked.readonly()
            for key in asked.keys("*"):
                found = max(found, (int(asked.get(key) or 0), server), key=lambda pair: pair[0])
    return found


def test_r11_a_cluster_loses_servers(on_sqlite: Installation, figures: Figures) -> None:
    """R11, I8: a primary of three is killed, and its replica takes over with its counts; then one
    without a replica, so that the cluster answers no more and each process counts alone. No request
    fails, and a gateway starts without the cluster."""
    with own_cluster(on_sqlite.folder) as servers:
        primaries, spare = servers[:3], servers[3]
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in primaries)
        on_sqlite.settings |= {
            "IDP_REDIS_URL": url, "IDP_SIGNIN_LIMIT": f"{LIMIT} per hour",
        }  # fmt: skip
        on_sqlite.fill(people=1)
        gateway = on_sqlite.serve()
        history = History(on_sqlite.folder / "h")
        client = Client(0, [gateway.port], on_sqlite, history)
        found = attempts(client, 10)
        assert "answers" in on_sqlite.run("doctor", "--only", "redis")
        count, holder = counted(primaries)
        assert count == 10
        assert holder is not None
        replicate(spare, holder)
        wait_for(lambda: counted([spare])[0] == 10, 30, "the copy")
        holder.kill()
        began, slowest = time.time(), 0.0
        while counted([spare])[0] <= 10 and time.time() < began + 90 * patience():
            asked = time.time()
            found += attempts(client, 1)
            slowest = max(slowest, time.time() - asked)
        healed = time.time() - began
        # The other process may count alone for some seconds more.
        while counted([spare])[0] < LIMIT and time.time() < began + 150 * patience():
            found += attempts(client, 5)
        assert counted([spare])[0] >= LIMIT
        assert set(found) == {400, 429}
        # What two processes allowed alone comes on top.
        assert found[400] <= LIMIT + 2 * LIMIT // 4
        assert "answers" in on_sqlite.run("doctor", "--only", "redis")

        next(one for one in primaries if one is not holder).kill()
        alone = on_sqlite.serve()
        without = attempts(Client(1, [alone.port], on_sqlite, history), LIMIT)
        assert set(without) == {400, 429}
        assert without[400] <= LIMIT // 2
    figures(healed=healed, allowed=found[400], without=without[400], slowest=slowest)
