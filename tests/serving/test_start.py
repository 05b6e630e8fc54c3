"""What a server loads before its processes are forked, and what they load later."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel
from jinja2 import DictLoader, nodes
from scim2_flask.extension import METHODS as METHODS_OF_LIBRARY
from scim2_flask.extension import flask_rule
from scim2_server.routing import ROUTES as ROUTES_OF_LIBRARY

from hosted_pages import template_texts, url_rules
from idp import serving
from registration_bridge.mount import METHODS, ROUTES, LateBridge
from service_base import allocator, garbage
from tests.world import World, environ_of

#: Of logs, of the worker and of the database that is not in use.
NOT_AT_START = {"holidays", "phonenumbers", "rich", "structlog", "alembic", "opentelemetry"}
#: The application as ``gateway serve`` forks it, then requests: what each loads.
PROGRAM = """
import json, os, sys
from babel import localedata
from jinja2 import environment
from werkzeug.test import Client
from idp import serving
from idp.serving.server_processes import Options
from service_base import logs
loader = serving.Loader(Options("127.0.0.1", 8000, 2, 4, 10))
loader.load()
front = loader.loaded
at_start, months = set(sys.modules), sorted(map(str, localedata._cache))
compiled, compile = [], environment.Environment.compile
environment.Environment.compile = lambda self, source, name, *rest: (
    compiled.append(name), compile(self, source, name, *rest))[1]
client = Client(front.app)
discovery = "/.well-known/openid-configuration"
for path in ("/healthz", discovery, "/oauth2/v1/keys", "/signin", "/none"):
    client.get(path, base_url=os.environ["IDP_ISSUER"])
token = client.post("/oauth2/v1/token", data={"grant_type": "client_credentials"},
                    base_url=os.environ["IDP_ISSUER"])
assert token.status_code == 401, token.status
after = set(sys.modules)
answer = client.get("/scim/v2/Users", base_url=os.environ["IDP_ISSUER"])
assert answer.status_code == 401, answer.status
assert answer.mimetype == "application/scim+json"
logs.Logger("gateway.start").warning("accepted_risk")
last = set(sys.modules) - after
print(json.dumps([*map(sorted, (at_start, after - at_start, last)), months, compiled]))
"""


def test_a_server_loads_its_pages_and_the_bridge_before_the_fork(world: World) -> None:
    """What is loaded before is shared by its processes; nobody waits for what is not used."""
    order = [sys.executable, "-c", PROGRAM]
    environ = os.environ | environ_of(world)
    done = subprocess.run(order, env=environ, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    at_start, later, last, months, compiled = map(set, found)
    assert at_start & NOT_AT_START == set()
    assert {"idp.web.console", "idp.web.login", "webauthn"} <= at_start
    assert "registration_bridge.endpoint" in at_start
    assert {"en_CA", "fr_CA"} <= months
    # Parts of some pages only.
    assert compiled & set(serving.FRAME) == set()
    dialects = {"sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql"}
    assert len(at_start & dialects) == 1
    # Neither ours nor a large one.
    assert {name.partition(".")[0] for name in later} <= {"cryptography", "encodings", "stringprep"}
    # For the first line of the log, without what it would draw on terminals with.
    assert "structlog" in last
    assert last & {"pygments", "rich", "scim2_models"} == set()


def test_the_bridge_has_the_routes_of_its_library() -> None:
    """RFC 7644 section 3.2; they are known before the library is loaded."""
    assert tuple((r.method, flask_rule(r), r.name) for r in ROUTES_OF_LIBRARY) == ROUTES
    assert list(METHODS) == METHODS_OF_LIBRARY


def test_the_bridge_is_loaded_once(world: World) -> None:
    """Also if two pushes are the first ones."""
    loads: list[str] = []
    both = threading.Barrier(2)

    class Counted(LateBridge):
        def _create(self) -> Any:
            loads.append("load")
            with suppress(threading.BrokenBarrierError):
                both.wait(0.1)
            return super()._create()

    late = Counted(world.app)
    found = _at_once(late.load)
    assert loads == ["load"]
    assert found[0] is found[1]


def test_requests_that_meet_at_a_new_template_compile_it_once() -> None:
    compiled: list[str | None] = []
    both = threading.Barrier(2)

    class Counted(template_texts.Environment):
        def _generate(
            self, source: nodes.Template, name: str | None, filename: str | None, **options: Any
        ) -> str:
            compiled.append(name)
            with suppress(threading.BrokenBarrierError):
                both.wait(0.1)
            return super()._generate(source, name, filename, **options)

    class Application(Flask):
        jinja_environment = Counted

    app = Application("texts")
    Babel(app)
    app.jinja_loader = DictLoader({"page.html": "<p>{{ 1 + 1 }}</p>"})  # type: ignore[assignment]

    def render() -> str:
        with app.test_request_context("/"):
            return app.jinja_env.get_template("page.html").render()

    assert app.jinja_env
    assert _at_once(render) == ["<p>2</p>", "<p>2</p>"]
    assert compiled == ["page.html"]


def _at_once(call: Any) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(call())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_an_address_is_compiled_when_it_is_first_built() -> None:
    """With and without parameters that the rule does not have."""

    class Application(Flask):
        url_rule_class = url_rules.Rule

    app = Application("rules", static_folder=None)
    app.add_url_rule("/people/<name>", "person", lambda name: name)
    (rule,) = app.url_map.iter_rules()
    before = rule._build
    with app.test_request_context("/"):
        assert app.url_for("person", name="é a") == "/people/%C3%A9%20a"
        assert app.url_for("person", name="a", page=2) == "/people/a?page=2"
        assert app.url_for("person", name="b", page=3) == "/people/b?page=3"
    assert rule.build({"name": "a"}, append_unknown=False) == ("", "/people/a")
    assert rule._build is not before


@pytest.mark.parametrize(
    ("chosen", "calls"), [("", [(-8, 1)]), ("4", [])], ids=["default", "chosen"]
)
def test_threads_share_one_arena_unless_the_operator_chose(
    monkeypatch: pytest.MonkeyPatch, chosen: str, calls: list[tuple[int, int]]
) -> None:
    made: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, name: int, value: int) -> None:
            made.append((name, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library())
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if chosen:
        monkeypatch.setenv("MALLOC_ARENA_MAX", chosen)
    allocator.use_one_arena()
    assert made == (calls if sys.platform == "linux" else [])
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    allocator.use_one_arena()


def test_a_server_does_not_search_what_it_loads() -> None:
    usual = gc.get_threshold()
    try:
        garbage.search_nothing()
        assert not gc.isenabled()
        garbage.search_new_objects()
        assert gc.isenabled()
        assert gc.get_threshold() == garbage.OF_SERVERS
    finally:
        gc.enable()
        gc.set_threshold(*usual)
