"""What every gateway of a test process compiles alike is compiled once.

Each test has a gateway and a database of its own, and so an empty cache of templates, SQL
statements, URL rules and RSA keys: half of the suite's time. The results are those of the
libraries; only the caches are shared. SQLite does not wait for the disk, and connections to
PostgreSQL, slow to open and slow at first, go from test to test.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

from jinja2 import Environment
from joserfc._rfc7518.rsa_key import RSABinding
from psycopg import OperationalError
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from service_base import database
from service_base.postgresql import ConfirmedConnection

_statements: LRUCache[Any, Any] = LRUCache(5000)
_templates: dict[Any, CodeType] = {}
_rules: dict[Any, Any] = {}
_private_keys: dict[Any, Any] = {}
#: A server has few connections for many test processes, and a test seldom needs more at once.
MOST_KEPT = 8
#: Open connections to PostgreSQL that nobody uses, by what they were opened with.
_connections: dict[str, list[Any]] = {}


def install() -> None:
    """Share the caches of this process."""
    _share_templates()
    _share_statements()
    _share_rules()
    _share_private_keys()
    _do_not_wait_for_the_disk()
    _keep_connections()


def _share_templates() -> None:
    compile_template = Environment.compile

    def compiled(
        self: Environment,
        source: Any,
        name: Any = None,
        filename: Any = None,
        *rest: Any,
        **named: Any,
    ) -> Any:
        if rest or named or not isinstance(source, str) or filename is None:
            return compile_template(self, source, name, filename, *rest, **named)
        # What the code depends on besides the text: the syntax, escaping, what is known by name,
        # and the language of its texts.
        key = (
            source,
            name,
            filename,
            _escaping(self),
            tuple(self.extensions),
            frozenset(self.filters),
            frozenset(self.tests),
            getattr(self, "language", None),
        )
        if key not in _templates:
            _templates[key] = compile_template(self, source, name, filename)
        return _templates[key]

    Environment.compile = compiled  # type: ignore[method-assign]


def _escaping(environment: Environment) -> Any:
    """The rule of escaping without the application that it is a method of."""
    return getattr(environment.autoescape, "__func__", environment.autoescape)


def _share_statements() -> None:
    """One cache for all engines; a statement is found by the kind of its dialect, not by which one.
    All databases of one kind in a test process are of one server and driver."""

    @event.listens_for(Engine, "engine_connect")
    def shared(connection: Any) -> None:
        connection.engine._compiled_cache = _statements

    DefaultDialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]


def _share_rules() -> None:
    """What a rule is compiled to depends on its text and its defaults; all maps of a test process
    have the same converters."""
    compile_rule = Rule.compile

    def compiled(self: Rule) -> None:
        key = (self.rule, self.subdomain, self.host, self.merge_slashes, repr(self.defaults))
        if key not in _rules:
            compile_rule(self)
            build, build_unknown = self._build.__func__, self._build_unknown.__func__
            _rules[key] = (self._parts, self._trace, self._converters, build, build_unknown)
            return
        self._parts, self._trace, self._converters, build, build_unknown = _rules[key]
        self.arguments.update(self._converters)
        self._build, self._build_unknown = build.__get__(self), build_unknown.__get__(self)

    Rule.compile = compiled  # type: ignore[method-assign]


def _share_private_keys() -> None:
    """OpenSSL verifies the prime factors of an RSA key when it is loaded, for longer than a request
    takes. Every gateway of a test process signs with the same keys."""
    import_private_key = RSABinding.import_private_key

    def imported(key: Any) -> Any:
        values = tuple(sorted(key.items()))
        if values not in _private_keys:
            _private_keys[values] = import_private_key(key)
        return _private_keys[values]

    RSABinding.import_private_key = imported  # type: ignore[method-assign,assignment]


def _do_not_wait_for_the_disk() -> None:
    prepare_sqlite = database._prepare_sqlite

    def prepared(engine: Engine) -> None:
        prepare_sqlite(engine)
        event.listen(engine, "connect", _switch_off)

    database._prepare_sqlite = prepared


def _switch_off(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _keep_connections() -> None:
    @event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, parameters: Any) -> Any:
        if not isinstance(dialect, PGDialect_psycopg):
            return None
        # The types of each engine's driver are an object of its own, and all alike.
        named = {name: value for name, value in parameters.items() if name != "context"}
        opened_with = repr((arguments, named))
        kept = _connections.setdefault(opened_with, [])
        while kept:
            connection = kept.pop()
            if _is_idle(connection) and _works(connection):
                return connection
            connection.close()
        connection = ConfirmedConnection.connect(*arguments, **parameters)
        connection.opened_with = opened_with
        return connection

    def do_close(_dialect: Any, connection: Any) -> None:
        if not release(connection):
            connection.close()

    PGDialect_psycopg.do_close = do_close  # type: ignore[method-assign]


def release(connection: Any) -> bool:
    """Keep a connection for the next test, in the state in which it was opened. Returns whether it
    is kept; it is not while a transaction or statement runs, or if enough are kept."""
    if not _is_idle(connection):
        return False
    kept = _connections[connection.opened_with]
    if connection not in kept:
        if len(kept) >= MOST_KEPT or not _works(connection):
            return False
        connection.execute("RESET ALL")
        connection.execute("SELECT pg_advisory_unlock_all()")
        connection.rollback()
        connection.autocommit = False
        kept.append(connection)
    return True


def close_connections() -> None:
    """Close what is kept, at the end of the test process."""
    for kept in _connections.values():
        while kept:
            kept.pop().close()


def _is_idle(connection: Any) -> bool:
    return bool(connection.info.transaction_status == TransactionStatus.IDLE)


def _works(connection: Any) -> bool:
    """Whether the server still has it: a test may have dropped its database."""
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except OperationalError:
        return False
    return True
