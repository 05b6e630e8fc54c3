"""Rate limits per network: shared through Redis, stricter without it, never open (F4, R11)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask_limiter import Limiter

from idp.app import create_app, db
from idp.settings import Settings
from tests.live import free_ports
from tests.world import World

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")


@contextmanager
def gateway(world: World, settings: Settings) -> Iterator[World]:
    """Another process of the same installation."""
    app = create_app(settings, world.app.extensions["runtime"].ports)
    yield World(app, settings, world.clock, world.mailer)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def statuses(world: World, count: int, address: str = "192.0.2.1") -> list[int]:
    """Status of each of ``count`` recovery requests from one address."""
    found = []
    for _ in range(count):
        browser = world.browser()
        browser.client.environ_base["REMOTE_ADDR"] = address
        page = browser.get("/recover")
        found.append(browser.submit(page, "/recover", username="nobody").status_code)
    return found


@pytest.fixture
def with_redis(settings: Settings) -> Settings:
    """Settings with a Redis that answers; in CI there must be one."""
    try:
        url = settings.redis_url or REDIS
        connection = redis.Redis.from_url(url)
        connection.flushdb()
        connection.close()
    except redis.ConnectionError:
        if os.environ.get("CI"):
            raise
        pytest.skip("no Redis")
    return replace(settings, redis_url=url, recovery_limit="3 per hour")


def test_processes_share_their_counts(world: World, with_redis: Settings) -> None:
    """Three from one network, whichever process they reach; another network is not touched."""
    with gateway(world, with_redis) as one, gateway(world, with_redis) as two:
        assert statuses(one, 2) + statuses(two, 2) + statuses(one, 1) == [200, 200, 200, 429, 429]
        assert statuses(two, 1, "192.0.2.2") == [200]


@pytest.mark.parametrize(
    "url", ["redis://{}/0", "redis+sentinel://{}/gateway", "redis+cluster://{}"]
)
def test_f4_r11_without_redis_each_process_allows_a_share(
    world: World, settings: Settings, url: str
) -> None:
    """F4, R11: Redis refuses connections; never a 500, never open, and stricter."""
    dead = url.format(f"127.0.0.1:{free_ports(1)}")
    with gateway(world, replace(settings, redis_url=dead, recovery_limit="12 per hour")) as lone:
        assert statuses(lone, 5) == [200, 200, 200, 429, 429]
    with gateway(world, replace(settings, redis_url=dead, recovery_limit="2 per hour")) as lone:
        assert statuses(lone, 3) == [200, 429, 429]


def test_without_configured_redis_the_full_limit_applies(world: World, settings: Settings) -> None:
    """One process that was meant to count alone."""
    alone = replace(settings, redis_url="", recovery_limit="4 per hour")
    with gateway(world, alone) as lone:
        assert statuses(lone, 5) == [200, 200, 200, 200, 429]


def test_a_sign_in_counts_once(world: World, settings: Settings) -> None:
    """R11: as many attempts as the setting says, though refused ones have a limit of their own."""
    with gateway(world, replace(settings, redis_url="", signin_limit="3 per hour")) as lone:
        found = []
        for _ in range(4):
            browser = lone.browser()
            page = browser.get("/signin")
            entered = {"username": "nobody", "password": "wrong"}
            found.append(browser.submit(page, "/signin", **entered).status_code)
        assert found == [400, 400, 400, 429]


def test_n52_a_header_does_not_reset_the_count(world: World, settings: Settings) -> None:
    """F2, N52: X-Forwarded-For of a peer that is no trusted proxy changes nothing."""
    with gateway(world, replace(settings, recovery_limit="2 per hour")) as lone:
        found = []
        for n in range(4):
            browser = lone.browser()
            page = browser.get("/recover")
            browser.client.environ_base["HTTP_X_FORWARDED_FOR"] = f"203.0.113.{n}"
            found.append(browser.submit(page, "/recover", username="nobody").status_code)
        assert found == [200, 200, 429, 429]


def test_the_too_many_requests_page_gives_the_wait(world: World, settings: Settings) -> None:
    """Who is throttled is told what to do."""
    with gateway(world, replace(settings, recovery_limit="1 per hour")) as lone:
        browser = lone.browser()
        page = browser.get("/recover")
        browser.submit(page, "/recover", username="x")
        assert "Wait a minute" in browser.submit(page, "/recover", username="x").text


def test_r11_requests_at_once_when_redis_fails_are_all_answered(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R11: Redis is lost under a request while another one has noticed it."""
    dead = f"redis://127.0.0.1:{free_ports(1)}/0"
    with gateway(world, replace(settings, redis_url=dead, recovery_limit="40 per hour")) as lone:
        (limiter,) = lone.app.extensions["limiter"]
        check = Limiter._check_request_limit
        failed: list[None] = []

        def lost(self: Limiter, *rest: Any) -> None:
            if not failed:
                failed.append(None)
                limiter._storage_dead = True
                raise ConnectionError
            check(self, *rest)

        monkeypatch.setattr(Limiter, "_check_request_limit", lost)
        assert statuses(lone, 1) == [200]
        assert failed
