"""Count requests for the rate limits in Redis. If Redis is down, each process counts alone and
allows a share of the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial, wraps
from typing import Any

from flask import Flask, Response, current_app, g
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many

from idp import metrics
from idp.limits import budgets
from idp.limits.process_counts import SCHEME
from idp.limits.rules import PUSH, RULES, Rule
from idp.settings import Settings
from service_base import redis_url

#: What is counted of the registration bridge.
PUSHES = "push"
#: The number of processes among which the limit is divided without Redis.
PROCESSES = 4


class SharedLimiter(Limiter):
    """When Redis fails under several requests at once, the library checks the first of them again
    without it and lets the others fail. They are checked again too."""

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        try:
            super()._check_request_limit(callable_name, in_middleware)
        except RateLimitExceeded:
            raise
        except Exception:
            if not self._storage_dead:
                raise
            super()._check_request_limit(callable_name, in_middleware)


def install(app: Flask, settings: Settings) -> None:
    """Apply the rules to their endpoints."""
    limiter = _limiter(app, settings)
    for rule in RULES:
        limit = _provider(limiter, getattr(settings, rule.setting))
        for endpoint in rule.endpoints:
            app.view_functions[endpoint] = _limited(app, limiter, rule, limit, endpoint)
    counted: Any = limiter.shared_limit(
        _provider(limiter, getattr(settings, PUSH)),
        scope=PUSHES,
        key_func=lambda: g.counted_client,
        cost=lambda: g.counted_operations,
    )
    app.extensions["count_push"] = partial(
        _count_push, limiter, parse_many(getattr(settings, PUSH)), counted(lambda: None)
    )
    app.extensions["seconds_left"] = partial(_seconds_left, limiter)


def _limiter(app: Flask, settings: Settings) -> Limiter:
    limiter = SharedLimiter(
        key_func=budgets.by_network,
        storage_uri=settings.redis_url or f"{SCHEME}://",
        # Per-process limits are stricter than none: never swallow errors (F4).
        in_memory_fallback_enabled=bool(settings.redis_url),
        storage_options=redis_url.options(settings.redis_url, 1) if settings.redis_url else {},
        headers_enabled=False,
        key_prefix=f"gateway-{settings.environment}",
    )
    # Its hooks serve limits of the whole application and headers. There are none, and the views
    # with limits check them, so no other request pays for them.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    return limiter


def _limited(
    app: Flask, limiter: Limiter, rule: Rule, limit: Callable[[], str], endpoint: str
) -> Any:
    """The view of the endpoint, limited by the rule."""
    view: Any = app.view_functions[endpoint]
    is_exempt = partial(_is_exempt, rule)
    if rule.refusal is None:
        limited = limiter.limit(limit, key_func=rule.budget, exempt_when=is_exempt)(view)
        return _unless(is_exempt, limited, view)
    budget = partial(
        limiter.shared_limit, limit, scope=f"refused-{endpoint}", key_func=partial(_budget, rule)
    )
    # The outer limit only looks whether the budget is empty, and counts nothing.
    judged = _limit_refusals(app, rule, view, budget())
    looking = budget(exempt_when=is_exempt, deduct_when=lambda _: False)(judged)
    return _unless(is_exempt, looking, judged)


def _unless(is_exempt: Callable[[], bool], limited: Any, view: Any) -> Any:
    """The view without its limit for exempt requests: the limiter would reach the same result, at
    a higher cost."""

    @wraps(view)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        return (view if is_exempt() else limited)(*args, **kwargs)

    return chosen


def count_push(client_id: str, operations: int) -> None:
    """Count SCIM operations of a client; raises RateLimitExceeded (429)."""
    current_app.extensions["count_push"](client_id, operations)


def _count_push(
    limiter: Limiter,
    limits: Sequence[RateLimitItem],
    counted: Callable[[], None],
    client_id: str,
    operations: int,
) -> None:
    """Count as the library does, without what it needs for limits of other kinds. It decides itself
    when a limit is exceeded, and when the storage does not answer."""
    if limiter.limiter.storage is limiter.storage:
        key = (limiter._key_prefix, client_id, PUSHES)
        with suppress(Exception):
            if all(limiter.limiter.hit(limit, *key, cost=operations) for limit in limits):
                return
    g.counted_client, g.counted_operations = client_id, operations
    counted()


def retry_after_seconds() -> int:
    """Seconds until the exceeded limit allows another request."""
    return int(current_app.extensions["seconds_left"]())


def _seconds_left(limiter: Limiter) -> int:
    exceeded = limiter.current_limit
    return max(1, exceeded.reset_at - int(time.time())) if exceeded else 1


def _limit_refusals(app: Flask, rule: Rule, view: Any, counting: Any) -> Callable[..., Response]:
    """The view, whose refusals count when they are made. Once the budget is empty, they are 429,
    also those of concurrent requests. What was written stays, since nothing is raised."""

    def nothing() -> None:
        """The limiter tells limits apart by the names of what they are on."""

    nothing.__qualname__ = f"refused-{view.__module__}.{view.__qualname__}"
    count = counting(nothing)

    @wraps(view)
    def judged(*args: Any, **kwargs: Any) -> Response:
        counts = rule.applies()
        if counts:
            # Before the view, which may change whose budget it is, such as by a new session.
            _budget(rule)
        response = app.make_response(view(*args, **kwargs))
        if counts and response.status_code == rule.refusal:
            try:
                count()
            except RateLimitExceeded as error:
                return app.make_response(app.handle_user_exception(error))
        return response

    # Not the name of the view: its other limits would be counted here and again inside.
    judged.__qualname__ = f"judged-{view.__qualname__}"
    return judged


def _budget(rule: Rule) -> str:
    """The key that the request counts under, determined once."""
    if "budget" not in g:
        g.budget = rule.budget()
    return str(g.budget)


def _is_exempt(rule: Rule) -> bool:
    """Whether the request passes regardless of earlier counts. It does if it is not counted, or has
    possibly valid credentials of an account or client with its own budget."""
    if not rule.applies():
        return True
    return rule.allows_valid_credentials and _budget(rule) != budgets.by_network()


def _provider(limiter: Limiter, shared: str) -> Callable[[], str]:
    """The limit, or a share of it while each process counts alone: up to ``PROCESSES`` processes
    together allow no more than the limit (R11)."""
    alone = ";".join(
        f"{max(1, item.amount // PROCESSES)} per {item.multiples} {item.GRANULARITY.name}"
        for item in parse_many(shared)
    )

    def limit() -> str:
        if limiter.limiter.storage is limiter.storage:
            return shared
        metrics.WITHOUT_REDIS.add()
        return alone

    return limit
