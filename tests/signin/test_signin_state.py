"""The state of a sign-in: its legal rows, what is decided from it, why no factor is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select, text, update
from werkzeug.test import TestResponse

from idp.directory import accounts
from idp.errors import ServiceError, Unstorable
from idp.mfa.prompt_reasons import NoPromptReason
from idp.models import Interaction
from idp.oidc import interaction as rules
from idp.oidc.interaction import AuthorizationRequest, decide
from idp.policy.signin_state import (
    LEGAL_STAGE,
    STAGE_COLUMNS,
    Answers,
    Authenticated,
    ChangeReason,
    ClientView,
    EnrolmentRequired,
    Evidence,
    PasswordChangeRequired,
    Progress,
    Proved,
    SecondFactorDecision,
    SecondFactorRequired,
    SessionView,
    SignInState,
    Stage,
    Started,
    is_legal,
)
from idp.session import interactions
from idp.signin import state_loader, transitions
from tests.factor_steps import code, half_signed_in, set_up_app
from tests.fakes import FakeClock
from tests.world import AUTHORIZE, Browser, World, hidden_fields

NOW = FakeClock().now()
EVIDENCE, DECISION = Evidence(("pwd",)), SecondFactorDecision(("always",))
STAGES = {
    "started": Started(),
    "password change": PasswordChangeRequired(1, ChangeReason.RENEWAL, None),
    "second factor": SecondFactorRequired(1, EVIDENCE, DECISION),
    "enrolment": EnrolmentRequired(1, EVIDENCE, DECISION),
    "proved": Proved(1, EVIDENCE, DECISION),
    "authenticated": Authenticated(1, EVIDENCE, DECISION),
}
SESSION = SessionView("subject", "personal", NOW - timedelta(hours=1), "urn:ieso:acr:password")
REQUEST = AuthorizationRequest(redirect_uri="https://rp.test/", scopes=("openid",))
CLIENT = ClientView(trusted=True, minimum_acr=None)


# What may stand in a row


def _rows() -> list[dict[str, Any]]:
    """Every combination of a stage with columns that are set or not."""
    choices: dict[str, tuple[Any, ...]] = dict.fromkeys(STAGE_COLUMNS, (None, 1))
    choices |= {
        "change_reason": (None, "temporary", "renewal"),
        "temporary_password_id": (None, 1),
        "stage": (*Stage, "nothing"),
    }
    return [dict(zip(choices, row, strict=True)) for row in product(*choices.values())]


def test_the_database_and_the_code_allow_the_same_rows(world: World) -> None:
    """N61: of all combinations of stage and columns six are legal, in both."""
    columns = [*STAGE_COLUMNS, "temporary_password_id", "stage"]
    rows = _rows()
    legal = [row for row in rows if is_legal(row["stage"], row)]
    assert len(legal) == 6
    kinds = {"stage": "TEXT", "change_reason": "TEXT"}
    shown = ", ".join(f"CAST(:{c} AS {kinds.get(c, 'INTEGER')}) AS {c}" for c in columns)
    query = text(f"SELECT {LEGAL_STAGE} FROM (SELECT {shown}) AS row")  # noqa: S608 - our names
    with world.work() as work:
        found = [row for row in rows if work.db.scalar(query, row)]
    assert found == legal


def _stored(world: World, stage: str) -> int:
    """A stored sign-in of ``holder1`` in this stage; its key."""
    with world.work() as work:
        found = interactions.begin(work, "browser")
        account = accounts.by_username(work, "holder1")
        if stage == "password_change":
            transitions.require_password_change(found, account, ChangeReason.RENEWAL, None)
        elif stage != "started":
            decision = DECISION
            if stage != "second_factor":
                decision = SecondFactorDecision(no_prompt=(NoPromptReason.LOW_RISK,))
            transitions.accept_first_factor(found, account, EVIDENCE, decision, remember=False)
        if stage == "authenticated":
            transitions.authenticate(found, work.now)
        work.db.flush()
        return found.id


@pytest.mark.parametrize("stage", Stage)
def test_the_loader_reads_what_each_transition_wrote(world: World, stage: Stage) -> None:
    """N61: what a transition writes is what the loader gives back."""
    world.account()
    key = _stored(world, stage)
    expected: dict[Stage, type[Progress]] = {
        Stage.STARTED: Started,
        Stage.PASSWORD_CHANGE: PasswordChangeRequired,
        Stage.SECOND_FACTOR: SecondFactorRequired,
        Stage.PROVED: Proved,
        Stage.AUTHENTICATED: Authenticated,
    }
    with world.work() as work:
        found = work.db.get_one(Interaction, key)
        assert found.stage == stage
        progress = state_loader.progress_of(work, found)
        assert type(progress) is expected[stage]
        if isinstance(progress, SecondFactorRequired):
            assert (progress.evidence, progress.decision) == (EVIDENCE, DECISION)


@pytest.mark.parametrize("column", [*STAGE_COLUMNS, "temporary_password_id"])
@pytest.mark.parametrize("stage", Stage)
def test_an_inconsistent_row_is_refused_and_read_as_not_started(
    world: World, stage: Stage, column: str
) -> None:
    """N61: one column more or less than the stage has: the database refuses it, and if it were
    there all the same the person would start again."""
    world.account()
    key = _stored(world, stage)
    with world.work() as work, work.db.no_autoflush:
        found = work.db.get_one(Interaction, key)
        other = {"proved": ["pwd"], "second_factor": {}, "authenticated_at": work.now}
        is_set = getattr(found, column) is not None
        spoilt = None if is_set else other.get(column, 1 if column.endswith("_id") else "renewal")
        setattr(found, column, spoilt)
        assert state_loader.progress_of(work, found) == Started()
        with pytest.raises(Unstorable):
            work.db.flush()
        work.db.rollback()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"no_prompt": ["unheard of"]},
        {"reasons": 7},
        ["no object"],
        "text",
    ],
)
def test_a_decision_that_cannot_be_read_starts_the_sign_in_again(world: World, spoilt: Any) -> None:
    """N61, N88: the page leads to the sign-in page; never a 5xx, never a way in."""
    username = world.account()
    secret, _ = set_up_app(world, username)
    browser, page = half_signed_in(world, username)
    with world.work() as work:
        rows = work.db.scalars(select(Interaction).order_by(Interaction.id.desc()))
        rows.first().second_factor = spoilt  # type: ignore[union-attr]
    answer = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert (answer.status_code, answer.request.path) == (200, "/signin")
    assert "Sign in" in browser.get("/settings").text


def test_an_inconsistent_transition_is_refused(world: World) -> None:
    """N61: nothing becomes proved that had no first factor."""
    world.account()
    key = _stored(world, "started")
    with world.work() as work:
        found = work.db.get_one(Interaction, key)
        with pytest.raises(ServiceError, match="no such state of a sign-in: proved"):
            transitions.accept_factor(found, ["otp"])
        with pytest.raises(ServiceError, match="no such state of a sign-in: authenticated"):
            transitions.authenticate(found, work.now)
        assert found.stage == Stage.STARTED


def test_n61_two_concurrent_tabs_leave_a_consistent_row(world: World) -> None:
    """N61: a transition writes every column, also those that another tab changed since."""
    world.account()
    key = _stored(world, "started")
    with world.work() as work:
        found = work.db.get_one(Interaction, key)
        account = accounts.by_username(work, "holder1")
        other_tab = {
            "stage": "proved", "account_id": account.id, "security_stamp": "x", "proved": ["pwd"],
            "second_factor": {}, "has_secret": True, "remember": True,
        }  # fmt: skip
        beside = update(Interaction).where(Interaction.id == key).values(other_tab)
        work.db.execute(beside.execution_options(synchronize_session=False))
        transitions.require_password_change(found, account, ChangeReason.RENEWAL, None)
        work.db.flush()
        work.db.refresh(found)
        assert (found.stage, found.proved, found.second_factor) == ("password_change", None, None)
        assert (found.has_secret, found.remember) == (False, False)


def test_n58_a_sign_in_ends_when_its_account_expires(world: World) -> None:
    """N58: between the two factors, at that moment; nobody has recorded the end yet."""
    username = world.account("holder1")
    keys = {stage: _stored(world, stage) for stage in ("second_factor", "proved")}
    with world.work() as work:
        accounts.by_username(work, username).ends_at = work.after(seconds=60)
    for left, expected in ((1, (SecondFactorRequired, Proved)), (0, (Started, Started))):
        world.clock.advance(seconds=59 if left else 1)
        with world.work() as work:
            rows = [work.db.get_one(Interaction, key) for key in keys.values()]
            assert tuple(type(state_loader.progress_of(work, row)) for row in rows) == expected


# What is decided


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("session", [None, SESSION], ids=["no session", "session"])
def test_n61_the_next_missing_step_is_decided(name: str, session: SessionView | None) -> None:
    """N61: with or without a session, an application or an answer."""
    first = {
        "password change": rules.ChangePassword(),
        "second factor": rules.StepUp(),
        "enrolment": rules.Enrol(),
    }
    state = SignInState(progress=STAGES[name], session=session)
    otherwise = rules.Proceed() if session else rules.SignIn()
    expected = first.get(name, otherwise)
    assert decide(state, None, NOW) == expected
    assert decide(replace(state, client=CLIENT), REQUEST, NOW) == expected
    refused = decide(replace(state, client=CLIENT, answers=Answers(denied=True)), REQUEST, NOW)
    assert refused == first.get(name, rules.Refuse("access_denied", "the person declined"))


@pytest.mark.parametrize("name", STAGES)
def test_only_a_session_started_here_is_a_fresh_sign_in(name: str) -> None:
    """N18: ``prompt=login`` is met by a session that was started in this interaction."""
    request = replace(REQUEST, prompt=("login",))
    state = SignInState(progress=STAGES[name], session=SESSION, client=CLIENT)
    is_met = decide(state, request, NOW) == rules.Proceed()
    assert is_met == (name == "authenticated")


# Whose answers and whose sign-in


def _flow(page: TestResponse, path: str) -> str:
    return hidden_fields(page.text, path)["flow"]


def _sign_in_beside(browser: Browser, username: str) -> None:
    """Another person signs in in another tab of the same browser."""
    browser.submit(browser.get("/signout"), "/signout")
    assert browser.sign_in(username).status_code == 200


def test_consent_counts_for_the_person_who_gave_it(world: World) -> None:
    """OIDC Core 3.1.2.4: another person who signs in in another tab is asked, too."""
    first, second = world.account(), world.account()
    rp = world.relying_party(trusted=False)
    browser = world.browser().signed_in(first)
    page = browser.authorize(rp)
    assert page.request.path == "/signin/consent"
    flow = _flow(page, "/signin/consent")
    # Allowed, and the browser did not come back to the dispatcher yet.
    form = hidden_fields(page.text, "/signin/consent") | {"decision": "allow"}
    sent = browser.client.post("/signin/consent", data=form, base_url=browser.base)
    assert sent.status_code == 303
    _sign_in_beside(browser, second)
    assert browser.get(f"{AUTHORIZE}/resume", flow=flow).request.path == "/signin/consent"
    _sign_in_beside(browser, first)
    assert "code=" in browser.get(f"{AUTHORIZE}/resume", flow=flow).headers["Location"]


def test_answers_of_two_people_are_not_combined(world: World) -> None:
    """OIDC Core 3.1.2.4: the answer of another person ends the earlier ones, one of the same person
    is added to them."""
    first, second = world.account(), world.account()
    with world.work() as work:
        one, other = (accounts.by_username(work, name) for name in (first, second))
        found = interactions.begin(work, "browser")
        transitions.record_consent(found, one, work.now)
        transitions.record_account_choice(found, one, work.now)
        work.db.flush()
        assert (found.consented_at, found.account_chosen_at) == (work.now, work.now)
        transitions.record_account_choice(found, other, work.now)
        work.db.flush()
        assert (found.consented_at, found.account_chosen_at) == (None, work.now)
        assert found.answered_by_id == other.id


def test_a_fresh_sign_in_counts_for_the_person_who_signed_in(world: World) -> None:
    """N18: after ``prompt=login`` another person of another tab signs in again as well."""
    first, second = world.account(), world.account()
    rp = world.relying_party(trusted=False)
    browser = world.browser()
    page = browser.sign_in(first, page=browser.authorize(rp, prompt="login"))
    assert page.request.path == "/signin/consent"
    flow = _flow(page, "/signin/consent")
    _sign_in_beside(browser, second)
    assert browser.get(f"{AUTHORIZE}/resume", flow=flow).request.path == "/signin"


def test_an_answer_replaces_those_of_another_person_in_another_tab(world: World) -> None:
    """OIDC Core 3.1.2.4: also those that were stored after this tab had read the row."""
    first, second = world.account(), world.account()
    with world.work() as work:
        one, other = (accounts.by_username(work, name) for name in (first, second))
        found = interactions.begin(work, "browser")
        work.db.flush()
        beside = {"consented_at": work.now, "answered_by_id": other.id}
        changed = update(Interaction).where(Interaction.id == found.id).values(beside)
        work.db.execute(changed.execution_options(synchronize_session=False))
        transitions.record_account_choice(found, one, work.now)
        work.db.flush()
        work.db.refresh(found)
        answers = (found.consented_at, found.denied_at, found.account_chosen_at)
        assert (answers, found.answered_by_id) == ((None, None, work.now), one.id)


# Why no second factor was asked for


def _why(world: World) -> tuple[str, list[str]]:
    data = world.events("signin.assessed")[-1].data
    return data["decision"], data["no_prompt_reasons"]


def test_mf03_the_event_says_why_no_factor_was_required(world: World) -> None:
    """MF-03: nothing set up; then asked; then a remembered browser at low risk."""
    username = world.account()
    browser = world.browser()
    browser.sign_in(username)
    assert _why(world) == ("prompt", ["no_factor_set_up"])
    secret, _ = set_up_app(world, username)
    browser = world.browser()
    page = browser.sign_in(username, remember="1")
    assert _why(world) == ("prompt", [])
    browser.submit(page, "/signin/factor", code=code(world, secret))
    browser.submit(browser.get("/signout"), "/signout")
    world.clock.advance(days=6)
    assert browser.sign_in(username).request.path == "/"
    assert _why(world) == ("no_prompt", ["low_risk", "remembered_browser"])
    rp = world.relying_party()
    browser.authorize(rp)
    assert world.events("authorize.granted")[-1].data["existing_session"] is True
    other = world.account()
    world.browser().code(rp, other)
    assert world.events("authorize.granted")[-1].data["existing_session"] is False
