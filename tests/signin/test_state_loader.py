"""What the browser's session and earlier answers mean for a sign-in in progress."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from idp.clients import registry
from idp.directory import accounts
from idp.mfa.decision import NoPromptReason
from idp.models import BrowserSession, Interaction
from idp.policy.scopes import ACR_MFA, ACR_PASSWORD
from idp.policy.signin_state import (
    Answers,
    Authenticated,
    ChangeReason,
    Evidence,
    PasswordChangeRequired,
    Proved,
    SecondFactorDecision,
    SecondFactorRequired,
    Started,
)
from idp.session import interactions, sessions
from idp.signin import state_loader, transitions
from idp.transaction import UnitOfWork
from tests.world import World

EVIDENCE, ASKED = Evidence(("pwd",)), SecondFactorDecision(("always",))
NOT_ASKED = SecondFactorDecision(no_prompt=(NoPromptReason.LOW_RISK,))


def in_progress(work: UnitOfWork, stage: str, username: str) -> Interaction:
    """A sign-in of this account that has come so far."""
    found = interactions.begin(work, "browser")
    account = accounts.by_username(work, username)
    if stage == "password change":
        transitions.require_password_change(found, account, ChangeReason.RENEWAL, None)
    else:
        decision = ASKED if stage == "second factor" else NOT_ASKED
        transitions.accept_first_factor(found, account, EVIDENCE, decision, remember=False)
    if stage == "authenticated":
        transitions.authenticate(found, work.now)
    work.db.flush()
    return found


def session_of(work: UnitOfWork, username: str) -> BrowserSession:
    account = accounts.by_username(work, username)
    return sessions.start(work, account, methods=("pwd",), own=None)[0]


@pytest.mark.parametrize(
    ("stage", "whose", "age", "expected"),
    [
        # The same person has signed in in another tab since, or at the same moment.
        ("second factor", "own", 0, Started),
        ("second factor", "own", -1, Started),
        ("proved", "own", 0, Started),
        # The session is older than this sign-in: a higher level or a fresh proof is asked for.
        ("second factor", "own", 1, SecondFactorRequired),
        ("proved", "own", 1, Proved),
        # Another person: the one who signs in here goes on.
        ("second factor", "other", 0, SecondFactorRequired),
        ("proved", "other", 0, Proved),
        # What is fresh is so for the person who signed in.
        ("authenticated", "own", 0, Authenticated),
        ("authenticated", "own", 1, Authenticated),
        ("authenticated", "other", 0, Started),
        ("authenticated", "none", 0, Authenticated),
        ("second factor", "none", 0, SecondFactorRequired),
        # A new password is due whoever is signed in.
        ("password change", "own", 0, PasswordChangeRequired),
        ("password change", "other", 0, PasswordChangeRequired),
    ],
)
def test_n61_a_sign_in_finished_in_another_tab_counts(
    world: World, stage: str, whose: str, age: int, expected: type
) -> None:
    """N61, N18: a sign-in that was finished in another tab lets this one go on."""
    names = {"own": world.account(), "other": world.account()}
    with world.work() as work:
        found = in_progress(work, stage, names["own"])
        session = session_of(work, names[whose]) if whose in names else None
        if session is not None:
            session.auth_time = found.created_at - timedelta(seconds=age)
        assert type(state_loader.load(work, found, session).progress) is expected


def test_without_an_interaction_the_sign_in_has_not_started(world: World) -> None:
    """The state of a browser that has a session and asks for something else."""
    username = world.account()
    with world.work() as work:
        session = session_of(work, username)
        state = state_loader.load(work, None, session)
        assert (state.progress, state.client) == (Started(), None)
        assert state.session is not None
        assert state.session.reachable_acr is None
        assert state_loader.load(work, None, None).session is None
        assert state_loader.account_in_progress(work, None) is None


def test_n14_the_reachable_level_is_loaded_only_if_a_level_is_required(world: World) -> None:
    """N14: by the client or by the request; without a session there is nothing that could rise."""
    username = world.account()
    world.relying_party("Plain")
    world.relying_party("Strict", minimum_acr=ACR_MFA)
    with world.work() as work:
        session = session_of(work, username)
        plain, strict = registry.get(work, "plain"), registry.get(work, "strict")
        for client, demands, expected in (
            (plain, False, None),
            (plain, True, ACR_PASSWORD),
            (strict, False, ACR_PASSWORD),
        ):
            for own, reachable in ((session, expected), (None, None)):
                state = state_loader.load(work, None, own, client, demands_level=demands)
                assert (state.session is None) is (own is None)
                assert (state.session.reachable_acr if state.session else None) == reachable
                assert state.client is not None
                assert state.client.minimum_acr == client.minimum_acr


def test_n61_only_an_inconsistent_row_is_logged_as_an_error(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """N61: a sign-in that has just begun is none."""
    username = world.account()
    with world.work() as work:
        started, spoilt = interactions.begin(work, "a"), in_progress(work, "proved", username)
        with work.db.no_autoflush, caplog.at_level("ERROR", "gateway.signin"):
            assert state_loader.progress_of(work, started) == Started()
            assert caplog.records == []
            before, spoilt.proved = spoilt.proved, None
            assert state_loader.progress_of(work, spoilt) == Started()
            spoilt.proved = before
        (record,) = caplog.records
        line: Any = record.msg
        assert (line["event"], record.levelname) == ("illegal_sign_in_state", "ERROR")
        assert (line["interaction"], line["error"]) == (spoilt.id, "ValueError")


def test_the_account_of_the_sign_in_in_progress(world: World) -> None:
    """After the first factor and before the session."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        for stage, expected in (
            ("password change", account),
            ("second factor", account),
            ("proved", account),
            ("authenticated", None),
        ):
            found = in_progress(work, stage, username)
            assert state_loader.account_in_progress(work, found) is expected, stage
        started = interactions.begin(work, "browser")
        work.db.flush()
        assert state_loader.account_in_progress(work, started) is None


def test_oidc_answers_count_for_the_person_who_gave_them(world: World) -> None:
    """OIDC Core 3.1.2.4: a denial in any case; what was agreed to before, of this person and this
    client alone."""
    own, other = world.account(), world.account()
    world.relying_party("Foreign", trusted=False)
    world.relying_party("Second", trusted=False)
    nothing = Answers()
    with world.work() as work:
        client = registry.get(work, "foreign")
        mine, theirs = session_of(work, own), session_of(work, other)

        def answers(found: Interaction | None, session: BrowserSession | None) -> Answers:
            return state_loader.load(work, found, session, client).answers

        found = in_progress(work, "authenticated", own)
        assert answers(None, None) == answers(found, None) == answers(found, mine) == nothing
        transitions.record_account_choice(found, mine.account, work.now)
        assert answers(found, mine) == Answers(account_chosen=True)
        transitions.record_consent(found, mine.account, work.now)
        assert answers(found, mine) == Answers(account_chosen=True, consented=True)
        assert answers(found, theirs) == answers(found, None) == nothing
        denied = in_progress(work, "authenticated", own)
        transitions.record_consent(denied, mine.account, work.now)
        assert answers(denied, mine) == Answers(consented=True)
        transitions.record_denial(denied, mine.account, work.now)
        assert answers(denied, mine) == Answers(consented=True, denied=True)
        assert answers(denied, theirs) == answers(denied, None) == Answers(denied=True)
        interactions.remember_consent(work, mine.account, client, ["openid"])
        interactions.remember_consent(work, mine.account, registry.get(work, "second"), ["email"])
        work.db.flush()
        before = Answers(remembered_scopes=frozenset({"openid"}))
        assert answers(None, mine) == answers(in_progress(work, "proved", own), mine) == before
        assert answers(None, theirs) == nothing
        client.trusted = True
        assert answers(None, mine) == nothing
