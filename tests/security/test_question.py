"""The security question (MF-05, MF-06, MF-09, Z-02): chosen, hashed, asked beside a reset."""

from __future__ import annotations

import re

import pytest

from idp.directory import accounts
from idp.factors import security_question
from idp.mfa import question_pool as rules
from idp.mfa.question_pool import POOL, SHORT_LIST, Fault
from idp.models import AccountState
from idp.web import questions as web_questions
from tests.console.desk import Desk
from tests.factor_steps import verify
from tests.world import NEW_PASSWORD, PASSWORD, Browser, World

PATH = "/settings/question"
ANSWER = "Montréal  Métro"
CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}


@pytest.fixture
def holder(world: World) -> str:
    """An account with a question."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = verify(browser, PATH, current=PASSWORD)
    name = re.findall(r'<option value="(\w+)"', page.text)[0]
    page = browser.submit(page, PATH, question=name, answer=ANSWER)
    assert "Your security question is saved" in page.text
    return username


def reset_page(world: World, username: str) -> tuple[Browser, object]:
    """The page behind the link of "Forgot password"."""
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=username)
    world.run_worker()
    link = world.mails("password_reset_link")[-1].links[0].removeprefix(world.settings.issuer)
    return browser, browser.get(link)


def test_mf05_a_short_list_is_chosen_from_forty_questions(world: World) -> None:
    """MF-05: two people's lists differ, and tomorrow's; asking again gives the same."""
    assert len(set(POOL)) == len(POOL) >= 40
    with world.app.test_request_context():
        assert len({web_questions.words(name) for name in POOL}) == len(POOL)
    one, two = world.account(), world.account()
    with world.work() as work:
        first = security_question.short_list(work, accounts.by_username(work, one))
        assert security_question.short_list(work, accounts.by_username(work, one)) == first
        assert len(set(first)) == SHORT_LIST
        assert security_question.short_list(work, accounts.by_username(work, two)) != first
    world.clock.advance(days=1)
    with world.work() as work:
        assert security_question.short_list(work, accounts.by_username(work, one)) != first


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("Blue", "bLUE"),
        ("Montréal", "MONTREAL"),
        ("  two   words ", "Two Words"),
        ("\uff22lue", "blue"),
        ("O'Brien", "o\u2019brien"),
    ],
)
def test_mf06_answers_are_compared_in_one_form(typed: str, same: str) -> None:
    """MF-06: "Blue" is "bLUE"; accents, spaces and full-width letters do not matter."""
    assert rules.normalised(typed) == rules.normalised(same)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("abc", Fault.TOO_SHORT),
        ("   a   ", Fault.TOO_SHORT),
        ("x" * 101, Fault.TOO_LONG),
        ("東京タワー", Fault.NOT_ASCII),
        ("a\x00bcd", Fault.NOT_ASCII),
        ("first pet", Fault.IN_QUESTION),
        ("moreaua", Fault.USER_NAME),
        ("MOREAUA rules", Fault.USER_NAME),
        ("Rex!#$%&'()*+,-./:;<=>?@[]^_`{|}~", None),
        ("Rex the dog", None),
    ],
)
def test_mf06_an_answer_may_contain_any_ascii_characters(
    answer: str, expected: Fault | None
) -> None:
    """MF-06: at least four, no part of question or user name."""
    words = "What was the name of your first pet?"
    assert rules.fault(answer, question=words, username="moreaua") == expected


def test_the_answer_may_not_be_the_password_and_the_question_must_be_offered(world: World) -> None:
    """Not the password; only a question that was offered."""
    username = world.account()
    browser = world.browser().signed_in(username)
    page = verify(browser, PATH, current=PASSWORD)
    shown = re.findall(r'<option value="(\w+)"', page.text)
    assert len(shown) == SHORT_LIST
    hidden = next(name for name in POOL if name not in shown)
    for name, answer in ((shown[0], PASSWORD), (hidden, ANSWER), ("x", ANSWER), ("", "")):
        assert browser.submit(page, PATH, question=name, answer=answer).status_code == 400
    with world.work() as work:
        assert security_question.find(work, accounts.by_username(work, username)) is None


def test_z02_a_self_service_reset_asks_the_question(world: World, holder: str) -> None:
    """Z-02, MF-09: the link alone is not enough, nor is the answer; a wrong one spends nothing."""
    browser, page = reset_page(world, holder)
    with world.work() as work:
        row = security_question.find(work, accounts.by_username(work, holder))
        assert row is not None
        name = row.question
        assert "montreal" not in row.answer_hash
    with world.app.test_request_context():
        assert web_questions.words(name) in page.text  # type: ignore[attr-defined]
    for wrong in ("", "Toronto", "montreal"):
        refused = browser.submit(page, "/recover/open", answer=wrong, **CHOICE)  # type: ignore[arg-type]
        assert refused.status_code == 400
        assert "security question is incorrect" in refused.text
    done = browser.submit(page, "/recover/open", answer="MONTREAL metro", **CHOICE)  # type: ignore[arg-type]
    assert "Password changed successfully" in done.text
    assert world.events("question.answered")[-1].reason is None


def test_wrong_answers_count_for_the_account(world: World, holder: str) -> None:
    """Five in an hour over all links; then the right one is refused too."""
    for _ in range(5):
        browser, page = reset_page(world, holder)
        browser.submit(page, "/recover/open", answer="Toronto", **CHOICE)  # type: ignore[arg-type]
        world.clock.advance(minutes=11)
    browser, page = reset_page(world, holder)
    refused = browser.submit(page, "/recover/open", answer=ANSWER, **CHOICE)  # type: ignore[arg-type]
    assert refused.status_code == 400
    world.clock.advance(hours=1)
    browser, page = reset_page(world, holder)
    done = browser.submit(page, "/recover/open", answer=ANSWER, **CHOICE)  # type: ignore[arg-type]
    assert done.status_code == 200


def test_a_reset_by_customer_relations_does_not_ask_the_question(world: World, holder: str) -> None:
    """The caller was verified: neither the agent's link nor a temporary password asks it."""
    desk = Desk.of(world)
    desk.verify(holder)
    desk.act("reset-mail", holder)
    link = world.mails("password_reset_by_agent")[-1].links[0]
    browser = world.browser()
    page = browser.get(link.removeprefix(world.settings.issuer))
    assert 'name="answer"' not in page.text
    done = browser.submit(page, "/recover/open", **CHOICE)
    assert "Password changed successfully" in done.text


def test_the_reset_after_this_was_not_me_asks_the_question(world: World, holder: str) -> None:
    """A mailbox alone must not lead past the question."""
    link = world.mails("question_changed", to=holder)[-1].links[0]
    browser = world.browser()
    page = browser.get(link.removeprefix(world.settings.issuer))
    page = browser.submit(page, "/recover/not-me")
    assert 'name="answer"' in page.text
    assert world.account_row(holder).state == AccountState.RESET_REQUIRED
    assert browser.submit(page, "/recover/open", **CHOICE).status_code == 400
    done = browser.submit(page, "/recover/open", answer=ANSWER, **CHOICE)
    assert "Password changed successfully" in done.text


def test_a_reset_by_text_message_asks_the_question(world: World, holder: str) -> None:
    """Z-02: by either channel."""
    with world.work() as work:
        accounts.by_username(work, holder).recovery_phone = "+14169671111"
    browser = world.browser()
    browser.submit(browser.get("/recover"), "/recover", username=holder, channel="sms")
    world.run_worker()
    digits = re.findall(r"\b\d{6}\b", world.sms.sent[-1][1])[0]
    page = browser.submit(browser.get("/recover/code"), "/recover/code", code=digits)
    assert 'name="answer"' in page.text
    done = browser.submit(page, "/recover/open", answer=ANSWER, **CHOICE)
    assert "Password changed successfully" in done.text
