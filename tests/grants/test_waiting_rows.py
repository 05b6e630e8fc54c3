"""The rows of a token are written together (docs/decisions/0095; N26, N34, A1)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from werkzeug.test import TestResponse

from idp.app import db
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.grants import access_tokens, authorization_codes, grant_lifecycle, refresh_tokens
from idp.grants.grant_lifecycle import plan_for_client
from idp.models import AccessToken, AuthorizationCode, Client, Event, Grant, RefreshToken, Revision
from idp.oidc import tokens
from idp.oidc.jwks import KeyRing
from idp.session.end_reasons import EndReason
from idp.transaction import ChangedMeanwhile, UnitOfWork
from service_base.waiting_rows import together
from tests.tables import needs_postgresql
from tests.world import Rp, World

TABLES = (Grant, AccessToken, RefreshToken, Event)
together_only = needs_postgresql("SQLite writes one row after the other")


@pytest.fixture
def rp(world: World) -> Rp:
    return world.relying_party(
        grant_types=("authorization_code", "refresh_token", "client_credentials")
    )


def counts(world: World) -> list[int]:
    """The rows of each table."""
    with world.work() as work:
        return [work.db.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]


def more(world: World, act: Callable[[], Any]) -> list[int]:
    """How many rows of each table ``act`` adds."""
    before = counts(world)
    act()
    return [now - then for now, then in zip(counts(world), before, strict=True)]


def record_token(work: UnitOfWork, handle: str, client: Client) -> Any:
    """A grant, an access token and an event, as a token by client credentials."""
    row = grant_lifecycle.add_later(work, plan_for_client(work, client, ["api"]))
    access_tokens.record(
        work, row, handle, scopes=["api"], audience="a", expires_at=work.after(seconds=60),
        dpop_jkt=None, certificate=None, act=None,
    )  # fmt: skip
    events.record(work, AuditAction.TOKEN_ISSUED, client=client)
    return row


def client_of(work: UnitOfWork, rp: Rp) -> Client:
    return work.db.scalars(select(Client).where(Client.client_id == rp.client_id)).one()


@together_only
def test_the_statements_of_a_token_are_one_transaction(world: World, rp: Rp) -> None:
    """Neither BEGIN nor COMMIT."""
    username = world.account()
    issued = world.signed_in_tokens(rp, username)
    code = world.browser().code(rp, username)
    world.post(rp, grant_type="client_credentials")
    sent: list[tuple[str, bool]] = []

    def note(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append((statement.split()[0], cursor.connection.autocommit))

    with world.app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert world.post(rp, grant_type="client_credentials").status_code == 200
        by_client = list(sent)
        sent.clear()
        assert world.refresh(rp, issued["refresh_token"]).status_code == 200
        by_refresh = list(sent)
        sent.clear()
        assert world.redeem(rp, code).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert by_client == [("WITH", True)]
    assert by_refresh == sent == [("SELECT", True), ("WITH", True)]


def test_what_is_asked_sees_the_rows_that_wait(world: World, rp: Rp) -> None:
    """By Core, and by the ORM, whose own rows come with them."""

    def act() -> None:
        with world.work() as work:
            row = record_token(work, "first", client_of(work, rp))
            found = work.run(select(AccessToken.grant_id).where(AccessToken.handle == "first"))
            key = found.scalar_one()
            assert row.returned[0] == key
            record_token(work, "second", client_of(work, rp))
            held = work.db.scalars(select(AccessToken).where(AccessToken.handle == "second")).one()
            assert held.grant_id > key
            record_token(work, "third", client_of(work, rp))
            with work.savepoint():
                assert work.db.scalar(select(func.count(AccessToken.id))) == 3
            record_token(work, "fourth", client_of(work, rp))

    assert more(world, act) == [4, 4, 0, 4]


def test_events_are_written_in_their_order(world: World, rp: Rp) -> None:
    """A1: the trail is sealed in the order of its keys."""
    with world.work() as work:
        client = client_of(work, rp)
        for number in range(9):
            events.record(work, AuditAction.TOKEN_ISSUED, client=client, number=number)
            if number % 2:
                record_token(work, f"token-{number}", client)
    assert [e.data["number"] for e in world.events("token.issued") if e.data] == [*range(9)]


def test_a_roll_back_leaves_none_of_them(world: World, rp: Rp) -> None:
    def act() -> None:
        with world.work() as work:
            record_token(work, "first", client_of(work, rp))
            work.rollback()

    assert more(world, act) == [0, 0, 0, 0]


def test_a_savepoint_that_is_rolled_back_leaves_none_of_its_rows(world: World, rp: Rp) -> None:
    """A1: the event of a change that did not happen is not there."""

    def act() -> None:
        with world.work() as work:
            client = client_of(work, rp)
            events.record(work, AuditAction.GRANT_REVOKED)
            point = work.db.begin_nested()
            record_token(work, "one", client)
            point.rollback()
            point = work.db.begin_nested()
            events.record(work, AuditAction.GRANT_REVOKED)
            point.commit()

    assert more(world, act) == [0, 0, 0, 2]


def test_rows_of_another_unit_of_work_of_the_session_are_written_first(
    world: World, rp: Rp
) -> None:
    runtime = world.app.extensions["runtime"]

    def act() -> None:
        with world.app.app_context(), runtime.one_session():
            one, other = runtime.work(), runtime.work()
            client = client_of(one, rp)
            record_token(one, "first", client)
            record_token(other, "second", client)
            other.commit()

    assert more(world, act) == [2, 2, 0, 2]


def test_a_refused_row_leaves_none_of_them(
    world: World, rp: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token id that exists already: no token, no grant, no event (A1)."""
    with world.work() as work:
        record_token(work, "the-same", client_of(work, rp))

    def act() -> None:
        with pytest.raises(Exception), world.work() as work:  # noqa: B017, PT011 - of each database
            record_token(work, "the-same", client_of(work, rp))

    assert more(world, act) == [0, 0, 0, 0]


def test_an_outdated_revision_writes_nothing(world: World, rp: Rp) -> None:
    """What another process changed since is seen: the request is run again, and writes once."""
    assert world.post(rp, grant_type="client_credentials").status_code == 200
    with world.work() as work:
        work.db.execute(text("UPDATE revision SET value = 'changed'"))
    answers: list[TestResponse] = []
    added = more(world, lambda: answers.append(world.post(rp, grant_type="client_credentials")))
    assert (answers[0].status_code, added) == (200, [1, 1, 0, 1])
    # Without a revision, nothing is kept.
    with world.work() as work:
        work.db.query(Revision).delete()
    added = more(world, lambda: answers.append(world.post(rp, grant_type="client_credentials")))
    assert (answers[1].status_code, added) == (200, [1, 1, 0, 1])


def test_n34_a_refresh_token_that_is_spent_meanwhile_is_not_spent_again(
    world: World, rp: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N34, RFC 9700 section 4.14.2: another request spends it after this one has read it. Both get
    the one successor, and only the first one writes it."""
    issued = world.signed_in_tokens(rp, world.account())
    find, answers = refresh_tokens.find, []

    def overtaken(work: UnitOfWork, token: str) -> Any:
        found = find(work, token)
        monkeypatch.setattr(refresh_tokens, "find", find)
        # A request in this thread would share the unit of work.
        with ThreadPoolExecutor(1) as other:
            answers.append(other.submit(world.refresh, rp, issued["refresh_token"]).result())
        return found

    monkeypatch.setattr(refresh_tokens, "find", overtaken)
    added = more(world, lambda: answers.append(world.refresh(rp, issued["refresh_token"])))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert added == [0, 2, 1, 2]


@together_only
def test_a_code_that_is_spent_meanwhile_is_reused(
    world: World, rp: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6749 section 4.1.2: another request spends it after this one has read it. This one gets
    nothing, and ends what the first one gave."""
    code = world.browser().code(rp, world.account())
    spend, answers = authorization_codes.spend, []

    def overtaken(work: UnitOfWork, presented: str) -> Any:
        found = spend(work, presented)
        monkeypatch.setattr(authorization_codes, "spend", spend)
        # A request in this thread would share the unit of work.
        with ThreadPoolExecutor(1) as other:
            answers.append(other.submit(world.redeem, rp, code).result())
        return found

    monkeypatch.setattr(authorization_codes, "spend", overtaken)
    answers.append(world.redeem(rp, code))
    assert [answer.status_code for answer in answers] == [200, 400]
    with world.work() as work:
        grant = work.db.scalars(select(Grant).order_by(Grant.id.desc())).first()
        assert grant is not None
        assert grant.revoke_reason == EndReason.CODE_REUSED
    assert world.refresh(rp, answers[0].json["refresh_token"]).status_code == 400


def test_a_code_that_is_refused_is_spent(world: World, rp: Rp) -> None:
    """Presenting a code uses it up, whatever is wrong with the request."""
    code = world.browser().code(rp, world.account())
    assert world.redeem(rp, code, code_verifier="x" * 43).status_code == 400
    with world.work() as work:
        row = work.db.scalars(
            select(AuthorizationCode).order_by(AuthorizationCode.id.desc())
        ).first()
        assert row is not None
        assert row.consumed_at is not None


def test_a_failed_signature_leaves_the_code_unspent(
    world: World, rp: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = world.browser().code(rp, world.account())

    def fail(*_about: Any, **_more: Any) -> None:
        raise RuntimeError("no key")

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "sign", fail)
        assert world.redeem(rp, code).status_code == 500
    assert world.redeem(rp, code).status_code == 200


def test_n34_a_grant_that_ends_meanwhile_gives_no_tokens(
    world: World, rp: Rp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N34: it is revoked after the refresh token was read; the refusal is recorded as before."""
    issued = world.signed_in_tokens(rp, world.account())
    find = refresh_tokens.find

    def ended(work: UnitOfWork, token: str) -> Any:
        found = find(work, token)
        monkeypatch.setattr(refresh_tokens, "find", find)
        with world.work() as other:
            other.db.query(Grant).update({"revoked_at": other.now})
        return found

    monkeypatch.setattr(refresh_tokens, "find", ended)
    answers: list[TestResponse] = []
    added = more(world, lambda: answers.append(world.refresh(rp, issued["refresh_token"])))
    assert (answers[0].status_code, answers[0].json["error"]) == (400, "invalid_grant")
    assert added[:3] == [0, 0, 0]
    assert not world.events("token.issued")[1:]


@together_only
def test_an_update_that_waits_is_made_before_the_rows(world: World, rp: Rp) -> None:
    """If something else is asked first, too; without the row, nothing is written."""
    world.signed_in_tokens(rp, world.account())
    runtime = world.app.extensions["runtime"]
    with world.work() as work:
        (key,) = work.db.scalars(select(RefreshToken.id))
    spent = {"now": world.clock.now(), "sealed": None, "successor": None, "scope": ""}

    def act(*, asks: bool, key: int) -> None:
        with world.app.app_context(), runtime.one_session():
            work = runtime.work(may_presume=True)
            client = client_of(work, rp)
            try:
                assert work.spend(refresh_tokens._SPEND, spent | {"key": key})
                record_token(work, f"token-{asks}", client)
                if asks:
                    work.run(select(1))
                work.commit()
            except BaseException:
                work.rollback()
                raise

    def refused(*, asks: bool) -> None:
        with pytest.raises(ChangedMeanwhile):
            act(asks=asks, key=key)

    assert more(world, lambda: act(asks=True, key=key)) == [1, 1, 0, 1]
    for asks in (True, False):
        assert more(world, lambda: refused(asks=asks)) == [0, 0, 0, 0]  # noqa: B023
    with world.work() as work:
        assert not work.spend(refresh_tokens._SPEND, spent | {"key": key})


@together_only
def test_a_statement_for_the_same_kinds_of_rows_is_built_once(world: World, rp: Rp) -> None:
    built = []
    with world.work() as work:
        client = client_of(work, rp)
        for handle in ("first", "second"):
            record_token(work, handle, client)
            rows, _ = work._take_waiting()
            built.append(together(rows, None, None, None))
    assert built[0][0] is built[1][0]
    assert built[0][1].keys() == built[1][1].keys()


@together_only
def test_n26_a_row_that_waits_is_not_written_while_the_keys_are_locked(world: World) -> None:
    """N26: a request whose code is in use elsewhere waits for that transaction, which may read the
    keys meanwhile."""
    rp, username = world.relying_party(), world.account()
    code = world.browser().code(rp, username)
    # As after a start: nobody has read the keys.
    ring = KeyRing()
    watching = text(
        "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))"
    )
    ended: list[str] = []

    def second() -> None:
        with world.app.app_context():
            work = world.app.extensions["runtime"].work(may_presume=True)
            authorization_codes.spend(work, code)
            try:
                ring.snapshot(work)
            except ChangedMeanwhile:
                ended.append("changed")
            finally:
                work.rollback()

    with world.work() as first:
        assert authorization_codes.spend(first, code)[1]
        pid = first.connection.scalar(text("SELECT pg_backend_pid()"))
        thread = threading.Thread(target=second)
        thread.start()
        end = time.monotonic() + 20
        with db.engine.connect() as watch:
            while not watch.scalar(watching, {"pid": pid}) and time.monotonic() < end:
                time.sleep(0.01)
        assert ring.snapshot(first).signing
        # It still waits: nobody had to give up.
        assert thread.is_alive()
        assert not ended
    thread.join(20)
    assert ended == ["changed"]
