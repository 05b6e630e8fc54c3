"""Refused sign-ins and recovery requests tell nobody who has an account."""

from __future__ import annotations

import re
from typing import Any

import bcrypt
import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.models import AccountState, OutboxMessage, RecoveryRequest
from idp.recovery import recovery_requests
from tests.world import PASSWORD, World

#: Every state there is, and nobody at all.
EVERYONE = (None, *AccountState)
#: What names a single answer: the request id, the nonce, signed values.
_OWN = re.compile(r'nonce[-=]"?[\w-]+"?|name="csrf_token"[^>]*value="[^"]*"|data-options="[^"]*"')
WRONG = "Wrong-Heron7-lantern"
VARYING = {"X-Request-Id", "Set-Cookie", "Date"}


def fingerprint(
    response: TestResponse, username: str
) -> tuple[int, dict[str, str], list[str], str]:
    """All that an observer can compare between two answers, without what is new in each."""
    headers = {k: _OWN.sub("", v) for k, v in response.headers if k not in VARYING}
    cookies = [re.sub(r"=[^;]*", "", c, count=1) for c in response.headers.getlist("Set-Cookie")]
    body = _OWN.sub("", response.text).replace(username, "NAME")
    return response.status_code, headers, cookies, body


def name_for(state: AccountState | None) -> str:
    """A user name of the same length for every state."""
    return f"person-{EVERYONE.index(state):02}"


@pytest.fixture
def people(world: World) -> World:
    """One account in each state; and one name that nobody has."""
    for state in AccountState:
        world.account(name_for(state), state=state)
    return world


@pytest.fixture
def bcrypt_work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every bcrypt computation, as name and cost."""
    done: list[str] = []
    check, make = bcrypt.checkpw, bcrypt.hashpw

    def checkpw(password: bytes, digest: bytes) -> bool:
        done.append(f"check {digest[4:6].decode()}")
        return check(password, digest)

    def hashpw(password: bytes, salt: bytes) -> bytes:
        done.append(f"hash {salt[4:6].decode()}")
        return make(password, salt)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    return done


#: Who knows the password of these is told of the state, and what helps (RS-08, K.04).
TOLD = (AccountState.LOCKED, AccountState.SUSPENDED)


def refusals() -> list[tuple[AccountState | None, str]]:
    """Every state with the right and a wrong password, but for the one that signs in."""
    return [
        (state, password)
        for state in EVERYONE
        for password in (PASSWORD, WRONG, "")
        if password != PASSWORD or state not in (AccountState.ACTIVE, *TOLD)
    ]


def test_n47_every_refused_sign_in_gets_the_same_answer(people: World) -> None:
    """N47: unknown, wrong password and every state cannot be told apart without the password."""
    seen: dict[Any, list[Any]] = {}
    for state, password in refusals():
        name = name_for(state)
        answer = people.browser().sign_in(name, password)
        status, headers, cookies, body = fingerprint(answer, name)
        assert status == 400
        key = (status, tuple(sorted(headers.items())), tuple(cookies), body)
        seen.setdefault(key, []).append((state, password))
    assert len(seen) == 1, list(seen.values())


def test_n47_every_refused_sign_in_computes_one_hash(people: World, bcrypt_work: list[str]) -> None:
    """N47: the same work in every case, so that there is no difference to measure."""
    for state, password in refusals():
        page = people.browser()
        form = page.get("/signin")
        bcrypt_work.clear()
        assert page.sign_in(name_for(state), password, form).status_code == 400
        assert bcrypt_work == ["check 04"], state


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (AccountState.LOCKED, "Your account is locked. Only Customer Relations can unlock it."),
        (AccountState.SUSPENDED, "Your account is suspended. Call Customer Relations."),
    ],
)
def test_n47_only_the_correct_password_reveals_that_the_account_is_locked(
    people: World, bcrypt_work: list[str], state: AccountState, said: str
) -> None:
    """N47: a stranger learns nothing, at the same cost; the holder learns what helps."""
    right, wrong = people.browser(), people.browser()
    forms = right.get("/signin"), wrong.get("/signin")
    bcrypt_work.clear()
    told = right.sign_in(name_for(state), PASSWORD, forms[0])
    assert (told.status_code, said in told.text) == (400, True)
    assert bcrypt_work == ["check 04"]
    refused = wrong.sign_in(name_for(state), WRONG, forms[1])
    assert "Incorrect user name or password." in refused.text
    assert people.events("signin.refused")[-2].reason == f"account_{state}"


@pytest.mark.parametrize("state", EVERYONE)
def test_n47_the_event_has_the_reason(people: World, state: AccountState | None) -> None:
    """N47: the page hides what the trail records."""
    people.browser().sign_in(name_for(state), "Wrong-Heron7-lantern")
    expected = {
        None: "unknown_account",
        AccountState.PENDING: "no_password",
        AccountState.RESET_REQUIRED: "account_reset_required",
    }
    row = people.events("signin.refused")[-1]
    assert row.reason == expected.get(state, "wrong_password")
    people.browser().sign_in(name_for(state), PASSWORD)
    if state not in (None, AccountState.PENDING, AccountState.ACTIVE):
        assert people.events("signin.refused")[-1].reason == f"account_{state}"


def test_n47_the_refusal_of_a_sign_in_for_an_application_is_the_same(people: World) -> None:
    """N47: also within an authorization request, whose page names the application."""
    rp = people.relying_party()
    bodies = set()
    for state in EVERYONE:
        browser = people.browser()
        page = browser.authorize(rp)
        password = WRONG if state in (AccountState.ACTIVE, *TOLD) else PASSWORD
        answer = browser.sign_in(name_for(state), password, page)
        body = fingerprint(answer, name_for(state))[3]
        bodies.add((answer.status_code, re.sub(r'name="flow"[^>]*|flow=[\w-]+', "", body)))
    assert len(bodies) == 1
    assert next(iter(bodies))[0] == 400


def test_n48_recovery_answers_the_same_for_every_name(
    people: World, bcrypt_work: list[str]
) -> None:
    """N48: one page for every state, for a stranger and for a mail address."""
    bcrypt_work.clear()
    seen = []
    for typed in (*map(name_for, EVERYONE), "person-02@participant.example", "x@y", "' OR 1=1"):
        browser = people.browser()
        answer = browser.submit(browser.get("/recover"), "/recover", username=typed)
        assert answer.status_code == 200
        seen.append(fingerprint(answer, typed))
    assert all(one == seen[0] for one in seen)
    assert bcrypt_work == []


@pytest.mark.parametrize("state", EVERYONE)
def test_n48_mail_is_sent_from_the_outbox_only(people: World, state: AccountState | None) -> None:
    """N48, RS-07: the request itself sends nothing, and only who may act on it gets a mail."""
    with people.work() as work:
        before = len(work.db.scalars(select(OutboxMessage)).all())
    browser = people.browser()
    browser.submit(browser.get("/recover"), "/recover", username=name_for(state))
    with people.work() as work:
        assert len(work.db.scalars(select(OutboxMessage)).all()) == before
        recovery_requests.process_next(work)
    with people.work() as work:
        queued = work.db.scalars(select(OutboxMessage).order_by(OutboxMessage.id)).all()[before:]
        found = [(row.kind, row.state) for row in queued]
    kinds = {
        AccountState.ACTIVE: "password_reset_link",
        AccountState.RESET_REQUIRED: "password_reset_link",
        AccountState.PENDING: "not_activated",
        AccountState.LOCKED: "recovery_not_possible",
        AccountState.SUSPENDED: "recovery_not_possible",
    }
    assert found == ([(kinds[state], "queued")] if state in kinds else [])
    assert people.mailer.sent == []


def test_n48_an_empty_name_is_asked_for_again(people: World) -> None:
    """N48: the only other answer depends on what was typed alone."""
    browser = people.browser()
    answer = browser.submit(browser.get("/recover"), "/recover", username="  ")
    assert answer.status_code == 400
    with people.work() as work:
        assert work.db.scalars(select(RecoveryRequest)).all() == []
