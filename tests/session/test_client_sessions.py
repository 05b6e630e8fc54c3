"""What relying parties know of a session, and what of it ends with a role group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.clients import registry
from idp.directory import accounts, role_groups
from idp.grants import authorization_codes, grant_lifecycle
from idp.grants.grant_lifecycle import Authorization
from idp.models import (
    AuthorizationCode,
    BrowserSession,
    Client,
    ClientSession,
    Grant,
    MessageChannel,
    OutboxMessage,
)
from idp.session import logout_recipients, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from tests.world import World


@dataclass
class SignOn:
    """A grant that outlives its session, with a code that was not redeemed yet."""

    session: BrowserSession
    grant: Grant
    code: AuthorizationCode

    @classmethod
    def of(cls, work: UnitOfWork, username: str, client: Client, *more: str) -> SignOn:
        account = accounts.by_username(work, username)
        session, _ = sessions.start(work, account, methods=("pwd",), own=None)
        authorization = Authorization(
            session=session, client=client, scopes=["openid", *more], claims={}, nonce=None
        )
        created = grant_lifecycle.create_for_person(work, authorization)
        grant = work.db.get_one(Grant, created.id)
        code = authorization_codes.issue(work, grant, redirect_uri="x", code_challenge=None)
        work.db.flush()
        spent, _ = authorization_codes.spend(work, code)
        assert spent is not None
        row = work.db.get_one(AuthorizationCode, spent.id)
        work.db.refresh(row)
        row.consumed_at = None
        work.db.flush()
        return cls(session, grant, row)

    def refresh(self, work: UnitOfWork) -> None:
        work.db.flush()
        for row in (self.session, self.grant, self.code):
            work.db.refresh(row)


def test_n57_a_revoked_role_group_ends_only_the_client_sessions_of_its_holder(world: World) -> None:
    """N57: where it is seen; other persons and relying parties go on as before."""
    world.relying_party(backchannel_logout_uri="https://emi.rp.test/logout")
    world.relying_party("Other", backchannel_logout_uri="https://other.rp.test/logout")
    world.role_group("Trader", "emi")
    names = world.account(), world.account()
    with world.work() as work:
        emi, other = registry.get(work, "emi"), registry.get(work, "other")
        offline = SignOn.of(work, names[0], emi, "offline_access")
        plain = SignOn.of(work, names[0], emi)
        elsewhere = SignOn.of(work, names[0], other)
        theirs = SignOn.of(work, names[1], emi)
        redeemed = SignOn.of(work, names[0], emi, "offline_access")
        redeemed.code.consumed_at = work.now
        before, sid = theirs.code.expires_at, offline.grant.sid
        holder = accounts.by_username(work, names[0])
        sessions.end_client_sessions(work, holder, role_groups.by_name(work, "Trader"))
        for one in (offline, plain, elsewhere, theirs):
            one.refresh(work)
            assert one.session.ended_at is None
        assert (offline.grant.revoked_at, offline.grant.sid) == (None, None)
        assert offline.code.expires_at == work.now
        assert plain.grant.revoked_at == work.now
        redeemed.refresh(work)
        assert (redeemed.grant.sid, redeemed.code.expires_at) == (None, before)
        assert sessions.sid_for(work, offline.session, emi) != sid
        for one in (elsewhere, theirs):
            assert (one.grant.revoked_at, one.code.expires_at) == (None, before)
            assert one.grant.sid is not None
            assert sessions.sid_for(work, one.session, one.grant.client) == one.grant.sid
    world.run_worker()
    assert world.logouts.tried == ["https://emi.rp.test/logout"] * 3


def test_n57_what_one_relying_party_knows_of_a_session_ends_alone(world: World) -> None:
    """N57: by its ``sid``; the session and other relying parties go on."""
    username = world.account()
    world.relying_party()
    world.relying_party("Other")
    with world.work() as work:
        emi, other = (
            SignOn.of(work, username, registry.get(work, name)) for name in ("emi", "other")
        )
        assert emi.grant.sid is not None
        sessions.end_by_sid(work, emi.grant.sid)
        for one in (emi, other):
            one.refresh(work)
            assert one.session.ended_at is None
        assert (emi.grant.revoked_at, emi.grant.revoke_reason) == (work.now, "signed_out")
        assert other.grant.revoked_at is None


def test_the_applications_of_each_session_are_listed(world: World) -> None:
    """Those that were opened in it, by name; none of another session."""
    names = world.account(), world.account()
    for name in ("Zulu", "Alpha", "Never"):
        world.relying_party(name)
    with world.work() as work:
        zulu, alpha = registry.get(work, "zulu"), registry.get(work, "alpha")
        mine, theirs = SignOn.of(work, names[0], zulu), SignOn.of(work, names[1], alpha)
        unused, _ = sessions.start(
            work, accounts.by_username(work, names[0]), methods=("pwd",), own=None
        )
        sessions.sid_for(work, mine.session, alpha)
        found = sessions.applications(work, [mine.session, unused])
        assert found == {mine.session.id: [alpha, zulu], unused.id: []}
        assert theirs.session.id not in found


def logouts(work: UnitOfWork) -> list[str]:
    """The clients that a back-channel logout is queued for."""
    query = select(OutboxMessage.recipient).where(OutboxMessage.channel == MessageChannel.LOGOUT)
    return sorted(work.db.scalars(query))


def test_n57_only_relying_parties_that_take_logouts_are_notified(world: World) -> None:
    """N57: nothing is queued for a client without ``backchannel_logout_uri`` or a disabled one.
    What they know of the session goes on after a role group is revoked."""
    username = world.account()
    for name in ("EMI", "Stopped"):
        world.relying_party(name, backchannel_logout_uri=f"https://{name.lower()}.rp.test/logout")
    world.relying_party("Deaf")
    world.role_group("Trader", "emi", "deaf", "stopped")
    with world.work() as work:
        emi, deaf, stopped = (registry.get(work, name) for name in ("emi", "deaf", "stopped"))
        first = SignOn.of(work, username, emi)
        sids = [sessions.sid_for(work, first.session, client) for client in (emi, deaf, stopped)]
        stopped.disabled_at = work.now
        work.db.flush()
        holder = accounts.by_username(work, username)
        sessions.end_client_sessions(work, holder, role_groups.by_name(work, "Trader"))
        work.db.flush()
        assert logouts(work) == ["emi"]
        kept = [sessions.sid_for(work, first.session, client) for client in (deaf, stopped)]
        assert kept == sids[1:]
        assert sessions.sid_for(work, first.session, emi) != sids[0]
        sessions.end(work, first.session, EndReason.SIGNED_OUT)
        work.db.flush()
        assert logouts(work) == ["emi", "emi"]


def test_n57_a_session_that_ended_is_not_notified_again(world: World) -> None:
    """N57: when a role group is revoked later, only sessions that go on are told of."""
    username = world.account()
    world.relying_party(backchannel_logout_uri="https://emi.rp.test/logout")
    world.role_group("Trader", "emi")
    with world.work() as work:
        emi = registry.get(work, "emi")
        ended, open_ = SignOn.of(work, username, emi), SignOn.of(work, username, emi)
        sessions.end(work, ended.session, EndReason.SIGNED_OUT)
        work.db.flush()
        assert logouts(work) == ["emi"]
        holder, trader = accounts.by_username(work, username), role_groups.by_name(work, "Trader")
        found = logout_recipients.client_sessions_seeing(work, holder, trader)
        assert [row.session_id for row, _ in found] == [open_.session.id]
        sessions.end_client_sessions(work, holder, trader)
        work.db.flush()
        assert logouts(work) == ["emi", "emi"]


def test_the_first_of_two_tabs_decides_the_sid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OIDC Back-Channel Logout 2.1: both tabs open the application for the first time, and it knows
    the session under one sid."""
    rp, username = world.relying_party(), world.account()
    insert = sessions.insert_if_missing

    def second(db: Session, model: type[ClientSession], **values: Any) -> bool:
        insert(db, model, **values | {"sid": "of-the-first-tab"})
        return insert(db, model, **values)

    monkeypatch.setattr(sessions, "insert_if_missing", second)
    with world.work() as work:
        account = accounts.by_username(work, username)
        session, _ = sessions.start(work, account, methods=("pwd",), own=None)
        client = registry.get(work, rp.client_id)
        assert sessions.sid_for(work, session, client) == "of-the-first-tab"
        assert sessions.sid_for(work, session, client) == "of-the-first-tab"
