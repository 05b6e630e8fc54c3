"""Rate limits per network, and of pushes per client, counted in Redis; with Redis down each process
counts for itself, and allows a part only.

The address is the one that ``idp.browser`` vouches for, never a header that anybody can send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, g, request
from flask_limiter import Limiter
from limits import parse_many

from idp import browser
from idp.policy.addresses import network_of
from idp.settings import Settings

#: How many processes may count alone without allowing more than one count for all.
PROCESSES = 4


def install(app: Flask, settings: Settings) -> None:
    """Limit the endpoints where passwords and names can be tried."""
    limiter = Limiter(
        key_func=_network,
        app=app,
        storage_uri=settings.redis_url or "memory://",
        # Counting alone is stricter than not counting: never swallow errors (F4).
        in_memory_fallback_enabled=bool(settings.redis_url),
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1}
        if settings.redis_url
        else {},
        headers_enabled=False,
        key_prefix=f"gateway-{settings.environment}",
    )
    posts: dict[str, Any] = {"exempt_when": lambda: request.method != "POST"}
    # What is refused is counted apart: guessing is dear, signing in many people is not.
    refusals = posts | {"deduct_when": lambda response: response.status_code == 400}
    refused: dict[str, Any] = {"deduct_when": lambda response: response.status_code == 401}
    for endpoint, limit, how in (
        ("login.signin", settings.signin_limit, posts),
        ("login.signin", settings.signin_failure_limit, refusals),
        ("login.change_password", settings.signin_failure_limit, refusals),
        ("login.factor", settings.signin_failure_limit, refusals),
        ("login.passkey", settings.signin_limit, posts),
        ("login.passkey", settings.signin_failure_limit, refusals),
        ("login.enrol", settings.signin_failure_limit, refusals),
        ("profile.verify", settings.signin_failure_limit, refusals),
        ("oidc.token", settings.signin_failure_limit, refused),
        ("forward.verify", settings.signin_failure_limit, refused),
        ("recover.start", settings.recovery_limit, posts),
        ("recover.unlock", settings.recovery_limit, posts),
        ("recover.reset_code", settings.recovery_limit, posts),
        ("recover.unlock_code", settings.recovery_limit, posts),
    ):
        limited: Any = limiter.limit(_provider(limiter, limit), **how)(app.view_functions[endpoint])
        app.view_functions[endpoint] = limited
    counted: Any = limiter.shared_limit(
        _provider(limiter, settings.push_limit),
        scope="push",
        key_func=lambda: g.counted_client,
        cost=lambda: g.counted_operations,
    )
    app.extensions["count_push"] = counted(lambda: None)


def count_push(client_id: str, operations: int) -> None:
    """Count what a client pushes; raises RateLimitExceeded (429)."""
    g.counted_client, g.counted_operations = client_id, operations
    current_app.extensions["count_push"]()


def _provider(limiter: Limiter, shared: str) -> Callable[[], str]:
    """The limit, or a part of it while each process counts alone: together they allow no more
    than before, up to ``PROCESSES`` of them (R11)."""
    alone = ";".join(
        f"{max(1, item.amount // PROCESSES)} per {item.multiples} {item.GRANULARITY.name}"
        for item in parse_many(shared)
    )

    def limit() -> str:
        return shared if limiter.limiter.storage is limiter.storage else alone

    return limit


def _network() -> str:
    return network_of(browser.origin().ip)
