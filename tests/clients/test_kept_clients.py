"""Clients that each process keeps in memory: a change counts at once in all of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, literal, select, text, update

from idp import client_records
from idp.app import create_app, db
from idp.clients import client_secrets, registry
from idp.db import Base
from idp.grants import signing_keys
from idp.kept_rows import KeptRows
from idp.models.revision import KEPT_TABLES, Revision
from idp.transaction import OutdatedRevision, UnitOfWork
from tests.security.test_signed_tokens import header_of, userinfo
from tests.world import Rp, World, environ_of


@pytest.fixture
def other(world: World) -> Any:
    """Another process with the same database: it shares nothing else."""
    app = create_app(world.settings, world.app.extensions["runtime"].ports)
    yield replace(world, app=app)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def status(world: World, rp: Rp) -> int:
    return int(world.post(rp, grant_type="client_credentials").status_code)


def by_service(act: Callable[[UnitOfWork, Any], Any]) -> Callable[[World], None]:
    def run(world: World) -> None:
        with world.work() as work:
            act(work, registry.get(work, "emi"))

    return run


def by_hand(world: World) -> None:
    """As a database administrator does."""
    with world.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE client SET disabled_at = created_at"))


def by_command(world: World) -> None:
    """In a process of its own."""
    command = [sys.executable, "-m", "idp.cli", "client", "disable", "emi"]
    subprocess.run(command, env=environ_of(world), check=True, capture_output=True)


def without_grant_type(_work: UnitOfWork, client: Any) -> None:
    client.grant_types = ["authorization_code"]


WRITERS: dict[str, tuple[Callable[[World], None], int]] = {
    "disabled": (by_service(registry.disable), 401),
    "new secret": (by_service(lambda w, c: client_secrets.rotate(w, c, overlap_hours=0)), 401),
    "no grant type": (by_service(without_grant_type), 400),
    "by hand": (by_hand, 401),
    "by command": (by_command, 401),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_n18_every_process_refuses_at_once_what_one_has_taken(
    world: World, other: World, writer: str
) -> None:
    """N18: without waiting, whoever writes."""
    rp = world.relying_party(grant_types=("client_credentials",))
    act, refused = WRITERS[writer]
    for _ in range(3):
        assert (status(world, rp), status(other, rp)) == (200, 200)
    act(other)
    assert (status(world, rp), status(other, rp)) == (refused, refused)


def test_n18_a_token_of_a_disabled_client_is_refused_at_once(world: World, other: World) -> None:
    """N18: at userinfo and introspection, and for another client's question."""
    rp = world.relying_party()
    asking = world.relying_party("Asking", grant_types=("client_credentials",))
    tokens = world.signed_in_tokens(rp, world.account())
    for process in (world, other):
        assert process.introspect(rp, tokens["access_token"])["active"]
        assert status(process, asking) == 200
    by_service(registry.disable)(world)
    for process in (world, other):
        assert userinfo(process, tokens["access_token"]).status_code == 401
        assert process.introspect_status(rp, tokens["access_token"]) == 401
        assert status(process, asking) == 200


def test_n89_every_process_refuses_a_revoked_key_at_once(world: World, other: World) -> None:
    """N89: also a process that verified with it a moment ago; all of them sign with the next."""
    rp, username = world.relying_party(), world.account()
    tokens = world.signed_in_tokens(rp, username)
    for process in (world, other):
        assert userinfo(process, tokens["access_token"]).status_code == 200
    kid = header_of(tokens["access_token"])["kid"]
    with world.work() as work:
        signing_keys.revoke(work, kid)
    for process in (other, world):
        assert userinfo(process, tokens["access_token"]).status_code == 401
    fresh = other.refresh(rp, tokens["refresh_token"]).json or {}
    assert header_of(fresh["access_token"])["kid"] != kid
    for process in (other, world):
        assert userinfo(process, fresh["access_token"]).status_code == 200


def test_n89_what_a_revoked_key_signed_before_the_revision_was_read_is_signed_again(
    world: World, other: World
) -> None:
    """N89: a token by client credentials is signed before its grant reads the revision."""
    rp = world.relying_party(grant_types=("client_credentials",))

    def key(process: World) -> str:
        answer = process.post(rp, grant_type="client_credentials").json or {}
        return str(header_of(answer["access_token"])["kid"])

    former = key(other)
    with world.work() as work:
        signing_keys.revoke(work, former)
    before = len(world.events("token.issued"))
    assert key(other) != former
    assert len(world.events("token.issued")) == before + 1


@pytest.mark.parametrize("path", ["token", "introspect"])
def test_a_request_that_used_an_old_registration_is_run_again(
    world: World, other: World, path: str
) -> None:
    """A process that knows only the former secret accepts the new one, and counts no failure; what
    the first run wrote is gone."""
    rp = world.relying_party(grant_types=("client_credentials",))
    assert (status(world, rp), status(other, rp)) == (200, 200)
    with world.work() as work:
        secret = client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=0)
    renewed = replace(rp, secret=secret)
    before = len(world.events("token.issued"))
    if path == "token":
        assert status(other, renewed) == 200
    else:
        assert other.introspect_status(renewed, "unknown") == 200
    assert len(world.events("token.issued")) == before + (path == "token")
    assert world.events("client.refused") == []


@pytest.mark.parametrize("change", ["disabled", "redirect_uris"])
def test_n18_an_authorization_request_counts_what_another_process_changed_at_once(
    world: World, other: World, change: str
) -> None:
    """N18, N25: it presumes what the process keeps; no answer rests on that."""
    rp, username = world.relying_party(), world.account()
    browser = world.browser()
    browser.code(rp, username)
    granted = len(world.events("authorize.granted"))
    with other.work() as work:
        client = registry.get(work, rp.client_id)
        if change == "disabled":
            registry.disable(work, client)
        else:
            client.redirect_uris = ["https://new.rp.test/callback"]
    answer = browser.authorize(rp)
    assert answer.status_code == 400
    assert len(world.events("authorize.granted")) == granted
    code = "disabled_client" if change == "disabled" else "unregistered_redirect_uri"
    assert [row.reason for row in world.events("authorize.refused")] == [code]


def test_only_a_request_that_can_be_run_again_presumes_the_revision(world: World) -> None:
    """What was presumed is compared before the commit at the latest. A transaction that is not a
    request, or has committed, reads the revision first."""
    world.relying_party()
    with world.app.app_context():
        runtime = world.app.extensions["runtime"]
        first = runtime.work(may_presume=True)
        known = first.kept()
        assert runtime.work(may_presume=True).presumed() is known
        assert not runtime.work().is_presuming
        by_hand(world)
        plain = runtime.work()
        assert plain.presumed() is not known
        late = runtime.work(may_presume=True)
        late.presumed()
        by_hand(world)
        with pytest.raises(OutdatedRevision):
            late.commit()
        late.rollback()
        late.start_again(OutdatedRevision())
        late.presumed()
        assert not late.is_presuming
        late.commit()


def test_what_was_rolled_back_is_never_kept(world: World) -> None:
    """A transaction that reads its own change keeps it under a revision that nobody else sees."""
    world.relying_party()
    with world.app.app_context():
        work = world.app.extensions["runtime"].work()
        registry.get(work, "emi").audience = "https://never.test"
        kept = registry.find_record(work, "emi")
        assert kept is not None
        assert kept.audience == "https://never.test"
        work.rollback()
        after = registry.find_record(work, "emi")
        assert after is not None
        assert after.audience == ""


def test_nothing_is_kept_of_another_revision() -> None:
    """Revisions are compared for equality: an old backup has one that was never seen before."""
    rows = KeptRows()
    rows.of("a")["id", 1] = "first"
    assert rows.of("a") == {("id", 1): "first"}
    assert rows.of("b") == {}
    assert rows.of("a") == {}
    rows.of(None)["id", 1] = "lost"
    assert rows.of(None) == {}


def test_unknown_clients_are_not_kept(world: World) -> None:
    """Anybody can ask for them."""
    world.relying_party()
    with world.work() as work:
        before = set(work.kept())
        assert registry.find_record(work, "nobody") is None
        assert registry.find_record(work, "nul\0") is None
        assert set(work.kept()) == before


def revision(connection: Connection) -> str:
    return str(connection.scalar(select(Revision.value)))


@pytest.mark.parametrize("table", KEPT_TABLES)
@pytest.mark.parametrize("change", ["insert", "update", "delete"])
def test_every_write_of_a_kept_table_changes_the_revision(
    world: World, table: str, change: str
) -> None:
    """By triggers, so that no writer can forget it."""
    world.relying_party()
    rows = Base.metadata.tables[table]
    copy = {"id": rows.c.id + 1000, "client_id": "copy", "kid": "copy", "state": "retired"}
    copied = [
        (copy[c.name] if c.name == "id" else literal(copy[c.name])).label(c.name)
        if c.name in copy
        else c
        for c in rows.c
    ]
    with world.app.app_context(), db.engine.connect() as connection:
        one = rows.c.id == connection.scalar(select(func.min(rows.c.id)))
        statement = {
            "insert": insert(rows).from_select(
                [c.name for c in rows.c], select(*copied).where(one)
            ),
            "update": update(rows).where(one).values(id=rows.c.id),
            "delete": delete(rows).where(one),
        }[change]
        before = revision(connection)
        assert revision(connection) == before
        connection.execute(statement)
        assert revision(connection) != before
        assert connection.scalar(select(func.count()).select_from(Revision)) == 1
        connection.rollback()
        assert revision(connection) == before


def test_only_tables_with_triggers_are_kept() -> None:
    """What is kept comes from ``KEPT_TABLES``."""
    kept = [client_records.BY_ID, client_records.BY_CLIENT_ID, client_records.ORIGINS]
    found = {table.name for query in kept for table in query.get_final_froms()}
    assert found <= set(KEPT_TABLES)
