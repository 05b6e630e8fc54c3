"""Whether a second factor is asked for, and what the end of a sign-in stores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from idp.directory import accounts
from idp.mfa.decision import Decision, NoPrompt, NoPromptReason, Prompt
from idp.mfa.prompt_reasons import PromptReason
from idp.mfa.second_factor_rule import Rule
from idp.models import Interaction, KnownBrowser, SignIn
from idp.policy.signin_state import Authenticated, Evidence, Proved, SecondFactorDecision
from idp.session import interactions
from idp.signin import completion, risk_assessment, second_factor, state_loader, transitions
from idp.transaction import Origin, UnitOfWork
from tests.world import World

PASSWORD_ALONE, PASSKEY = Evidence(("pwd",)), Evidence(("hwk", "user"))
CALM = NoPrompt((NoPromptReason.LOW_RISK,))
ASKED, STRONG = Prompt(("always",)), Prompt(("new_country",), needs_strong=True)
NO_FACTOR = (NoPromptReason.NO_FACTOR_SET_UP,)
ENROLMENT = str(PromptReason.ENROLMENT)


def decide(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
    evidence: Evidence = PASSWORD_ALONE,
    *,
    owed: bool = False,
    factors: tuple[Any, ...] = ("app",),
    hits: tuple[str, ...] | None = (),
) -> SecondFactorDecision:
    """The decision about an account with these factors, where enrolment is owed or not."""
    risk = SimpleNamespace(hits=hits) if hits is not None else None
    found = SimpleNamespace(decision=decision, risk=risk, rule=Rule.RISK)
    recorded: list[Any] = []
    monkeypatch.setattr(risk_assessment, "evaluate", lambda *_, **__: found)
    monkeypatch.setattr(risk_assessment, "record", lambda *given: recorded.append(given[-1]))
    monkeypatch.setattr(second_factor.enrolment, "is_incomplete", lambda *_: owed)
    monkeypatch.setattr(second_factor.authenticators, "has_usable", lambda *_: bool(factors))
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        made = second_factor.decide(work, account, evidence, client=None, cookie="")
    assert recorded == [made.no_prompt]
    return made


@pytest.mark.parametrize(
    ("decision", "evidence", "owed", "factors", "expected"),
    [
        (CALM, PASSWORD_ALONE, False, ("app",), ((), False, CALM.reasons)),
        (CALM, PASSWORD_ALONE, False, (), ((), False, CALM.reasons)),
        (ASKED, PASSWORD_ALONE, False, ("app",), (("always",), False, ())),
        (STRONG, PASSWORD_ALONE, False, ("app",), (("new_country",), True, ())),
        # Nothing can be asked for; the reasons stay known.
        (STRONG, PASSWORD_ALONE, False, (), (("new_country",), True, NO_FACTOR)),
        # Factors that exist are proved before others are set up, but after a passkey they are.
        (CALM, PASSWORD_ALONE, True, ("app",), ((ENROLMENT,), False, ())),
        (CALM, PASSWORD_ALONE, True, (), ((ENROLMENT,), False, NO_FACTOR)),
        (CALM, PASSKEY, True, ("key",), ((ENROLMENT,), False, CALM.reasons)),
        (ASKED, PASSKEY, True, ("key",), ((ENROLMENT, "always"), False, ())),
    ],
)
def test_mf03_the_outcome_of_each_assessment(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
    evidence: Evidence,
    owed: bool,
    factors: tuple[str, ...],
    expected: tuple[tuple[str, ...], bool, tuple[str, ...]],
) -> None:
    """MF-03, Z-13."""
    made = decide(world, monkeypatch, decision, evidence, owed=owed, factors=factors)
    assert (made.reasons, made.needs_strong, made.no_prompt) == expected
    assert made.is_required is (expected[2] == ())
    assert world.mails("browser_suspect") == []


@pytest.mark.parametrize(
    ("hits", "mails"), [((PromptReason.STOLEN_DEVICE,), 1), (("new_device",), 0), (None, 0)]
)
def test_mf03_the_account_holder_is_notified_of_a_stolen_cookie(
    world: World, monkeypatch: pytest.MonkeyPatch, hits: tuple[str, ...] | None, mails: int
) -> None:
    """MF-03: also when nothing can be asked for."""
    decide(world, monkeypatch, ASKED, factors=(), hits=hits)
    assert len(world.mails("browser_suspect")) == mails


def test_a_failed_second_factor_is_notified_once_an_hour(world: World) -> None:
    """The password was right: somebody knows it, at this address."""
    username = world.account()
    for minutes, mails in ((0, 1), (59, 1), (1, 2)):
        world.clock.advance(minutes=minutes)
        with world.work() as work:
            work.origin = Origin(ip="203.0.113.9")
            second_factor.notify_of_failure(work, accounts.by_username(work, username))
        told = world.mails("factor_failed", to=username)
        assert len(told) == mails
        assert all("Network address 203.0.113.9" in mail.text for mail in told)


# The end


def begun(work: UnitOfWork, username: str, decision: SecondFactorDecision) -> Interaction:
    found = interactions.begin(work, "browser")
    account = accounts.by_username(work, username)
    transitions.accept_first_factor(found, account, PASSWORD_ALONE, decision, remember=True)
    work.db.flush()
    return found


def test_n61_no_session_starts_before_all_factors_are_proved(world: World) -> None:
    """N61: no session, no history, no event."""
    username = world.account()
    with world.work() as work:
        waiting = begun(work, username, SecondFactorDecision(("always",)))
        assert completion.complete(work, waiting, cookie="", previous=None) is None
        assert completion.complete(
            work, interactions.begin(work, "browser"), cookie="", previous=None
        ) is None  # fmt: skip
        assert work.db.scalars(select(SignIn)).all() == []
    assert world.events("signin.succeeded") == []


@pytest.mark.parametrize("with_factor", [True, False])
def test_the_completion_of_a_sign_in_is_stored_at_once(world: World, with_factor: bool) -> None:
    """MF-03, N53: session, browser, history and event; once."""
    username = world.account()
    with world.work() as work:
        found = begun(work, username, SecondFactorDecision(no_prompt=CALM.reasons))
        if with_factor:
            transitions.accept_factor(found, ["otp"])
        assert isinstance(state_loader.progress_of(work, found), Proved)
        done = completion.complete(work, found, cookie="", previous=None)
        assert done is not None
        assert isinstance(state_loader.progress_of(work, found), Authenticated)
        assert found.authenticated_at == work.now
        assert completion.complete(work, found, cookie="", previous=None) is None
        (browser,) = work.db.scalars(select(KnownBrowser)).all()
        assert browser.proved_at == (work.now if with_factor else None)
        assert browser.remembered_until is not None
        assert len(work.db.scalars(select(SignIn)).all()) == 1
    (event,) = world.events("signin.succeeded")
    assert event.data["new_browser"] is False
    assert event.data["amr"] == (["pwd", "otp", "mfa"] if with_factor else ["pwd"])
    assert world.mails("signin_from_new_browser") == []


def test_the_account_holder_is_notified_of_a_new_browser(world: World) -> None:
    """From another network; the first browser of all is no other one."""
    username = world.account()
    for ip, mails in (("192.0.2.1", 0), ("192.0.2.1", 0), ("203.0.113.9", 1)):
        with world.work() as work:
            work.origin = type(work.origin)(ip=ip, user_agent="curl/8.5.0")
            found = begun(work, username, SecondFactorDecision(no_prompt=CALM.reasons))
            completion.complete(work, found, cookie="", previous=None)
        told = world.mails("signin_from_new_browser", to=username)
        assert len(told) == mails
        assert all(ip in mail.text for mail in told)
        assert world.events("signin.succeeded")[-1].data["new_browser"] is bool(mails)
