"""Activation, enrolment, forgotten passwords and the problems of mailed links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import select, update
from werkzeug.test import TestResponse

from idp.credentials import links
from idp.credentials.links import Problem, Purpose
from idp.directory import accounts
from idp.factors import security_question
from idp.models import AccountState, Link
from tests.factor_steps import code, last_code, secret_on
from tests.gallery.studio import Studio, View
from tests.world import NEW_PASSWORD, Browser

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
WEAK = {"password": "short", "again": "shorter"}
#: The page behind each kind of link.
PAGES = {
    Purpose.ACTIVATE: "/activate",
    Purpose.RESET: "/recover/open",
    Purpose.UNLOCK: "/recover/unlock/open",
    Purpose.DISOWN: "/recover/not-me",
    Purpose.CALL: "/call",
}
ANSWER = "Somewhere in Kapuskasing"
#: The first parts of the names of these views.
AREAS = frozenset({"activate", "enrol", "recover", "call", "link"})


def views(studio: Studio) -> Iterator[View]:
    """All of them."""
    yield from _activation(studio)
    yield from _set_up_at_sign_in(studio)
    yield from _requests(studio)
    yield from _links(studio)
    yield from _link_problems(studio)


def token(studio: Studio, username: str, purpose: Purpose) -> str:
    """A link's token, as a mail would bring it."""
    with studio.world.work() as work:
        account = accounts.by_username(work, username)
        return links.issue(work, account, purpose, work.after(seconds=3600))


def opened(studio: Studio, username: str, purpose: Purpose) -> tuple[Browser, TestResponse]:
    """A browser that followed a link."""
    browser = studio.browser()
    return browser, browser.get(PAGES[purpose], token=token(studio, username, purpose))


def _activation(studio: Studio) -> Iterator[View]:
    studio.person("new", "Émile Bélanger", factors=False, state=AccountState.PENDING)
    username = studio.username("new")
    browser, page = opened(studio, username, Purpose.ACTIVATE)
    yield View("activate/password", page)
    yield View("activate/password-broken", browser.submit(page, "/activate", **WEAK))
    page = browser.submit(page, "/activate", **CHOICE)
    yield from _enrolment(studio, browser, page, username)


def _enrolment(
    studio: Studio, browser: Browser, page: TestResponse, username: str
) -> Iterator[View]:
    """Each step, with what can go wrong in it."""

    def send(**fields: str) -> TestResponse:
        return browser.submit(page, "/enrol", **fields)

    yield View("enrol/phone", page)
    number = {"country": "CA", "number": "416 967 1111 ext 5", "do": "send"}
    yield View("enrol/phone-wrong", send(**number))
    page = send(**(number | {"number": "416 967 1111"}))
    yield View("enrol/phone-sent", page)
    yield View("enrol/phone-wrong-code", send(do="confirm", code="000000"))
    page = send(do="skip")
    yield View("enrol/factor", page)
    flow = hidden_link(page, "totp")
    yield from set_up_views(studio, browser, flow, "enrol")
    page = browser.get(flow.replace("/enrol/totp", "/enrol"))
    yield View("enrol/factor-enough", page)
    page = send()
    yield View("enrol/question", page)
    with studio.world.work() as work:
        account = accounts.by_username(work, username)
        question = security_question.short_list(work, account)[0]
    yield View("enrol/question-wrong", send(question=question, answer="x"))
    page = send(question=question, answer=ANSWER)
    yield View("enrol/codes", page)
    yield View("enrol/codes-shown", send(do="show"))
    page = send(do="kept")
    yield View("enrol/finish", page)
    yield View("enrol/done", send())


def hidden_link(page: TestResponse, kind: str) -> str:
    """The address where a factor is set up."""
    return re.findall(rf'href="(/[a-z/]+/{kind}[^"]*)"', page.text)[0]


def set_up_views(studio: Studio, browser: Browser, address: str, where: str) -> Iterator[View]:
    """The pages that set up each kind of factor, in enrolment or in settings; the app is set up."""
    for kind in ("passkey", "sms", "email", "totp"):
        here = address.replace("totp", kind)
        path = here.partition("?")[0]
        page = browser.get(here)
        yield View(f"{where}/{kind}", page)
        if kind == "passkey":
            yield View(f"{where}/passkey-wrong", browser.submit(page, path, credential="{}"))
            continue
        fields = {"country": "CA", "number": "416 967 1111"} if kind == "sms" else {}
        if kind == "sms":
            answer = browser.submit(page, path, do="begin", country="CA", number="12")
            yield View(f"{where}/sms-wrong-number", answer)
        page = browser.submit(page, path, do="begin", **fields)
        yield View(f"{where}/{kind}-code", page)
        yield View(f"{where}/{kind}-wrong", browser.submit(page, path, code="000000"))
        if kind == "totp":
            browser.submit(page, path, code=code(studio.world, secret_on(page)))


def _set_up_at_sign_in(studio: Studio) -> Iterator[View]:
    """A person who has a password, and has to set up the rest."""
    studio.person("late", "Uma Thibault", factors=False)
    browser = studio.browser()
    page = browser.sign_in(studio.username("late"))
    yield View("enrol/proof", page)
    page = browser.submit(page, "/enrol", do="send")
    yield View("enrol/proof-sent", page)
    yield View("enrol/proof-wrong", browser.submit(page, "/enrol", do="confirm", code="000000"))


def _requests(studio: Studio) -> Iterator[View]:
    """What is asked of somebody who cannot sign in."""
    for name, path in (("reset", "/recover"), ("unlock", "/recover/unlock")):
        browser = studio.browser()
        page = browser.get(path)
        yield View(f"recover/{name}", page)
        empty = browser.submit(page, path, username=" ", channel="mail")
        yield View(f"recover/{name}-empty", empty)
        sent = browser.submit(page, path, username=f"nobody-{name}", channel="mail")
        yield View(f"recover/{name}-sent", sent)
        page = browser.submit(page, path, username="tremblam", channel="sms")
        yield View(f"recover/{name}-code", page)
        wrong = browser.submit(page, f"{path}/code", code="000000")
        yield View(f"recover/{name}-code-wrong", wrong)
        if name == "unlock":
            studio.world.run_worker()
            page = browser.submit(page, f"{path}/code", code=last_code(studio.world, "sms"))
            yield View("recover/unlocked", page)
        yield View(f"recover/{name}-code-elsewhere", studio.browser().get(f"{path}/code"))


def _links(studio: Studio) -> Iterator[View]:
    """The pages of links that can be used."""
    studio.person("forgot", "Nadia Papadakis")
    username = studio.username("forgot")
    browser, page = opened(studio, username, Purpose.RESET)
    yield View("recover/password", page)
    yield View("recover/password-broken", browser.submit(page, "/recover/open", **WEAK))
    with studio.world.work() as work:
        account = accounts.by_username(work, username)
        hasher = studio.world.app.extensions["hasher"]
        question = security_question.short_list(work, account)[0]
        security_question.set_answer(work, hasher, account, question, ANSWER, words="")
        mine = (Link.account_id == account.id) & (Link.purpose == Purpose.RESET)
        work.db.execute(update(Link).where(mine).values(asks_question=True))
    page = browser.get("/recover/open")
    yield View("recover/password-question", page)
    wrong = browser.submit(page, "/recover/open", answer="Somewhere else", **CHOICE)
    yield View("recover/password-question-wrong", wrong)
    proof = browser.submit(page, "/recover/open", answer=ANSWER, **CHOICE)
    yield View("recover/changed-and-proof", proof)
    studio.person("weak", "Noah Sandhu", factors=False)
    browser, page = opened(studio, studio.username("weak"), Purpose.RESET)
    yield View("recover/changed", browser.submit(page, "/recover/open", **CHOICE))
    yield View("recover/unlock-link", opened(studio, username, Purpose.UNLOCK)[1])
    browser, page = opened(studio, username, Purpose.DISOWN)
    yield View("recover/not-me", page)
    yield View("recover/not-me-done", browser.submit(page, "/recover/not-me"))
    yield View("call/nobody", opened(studio, username, Purpose.CALL)[1])
    agent = studio.enter("customer_relations")
    subject = studio.subject(username)
    studio.form(agent, f"/console/accounts/{subject}/code", channel="mail", ticket="CR-8")
    browser, page = opened(studio, username, Purpose.CALL)
    yield View("call/agent", page)
    yield View("call/reported", browser.submit(page, "/call"))


def _link_problems(studio: Studio) -> Iterator[View]:
    """What is wrong with a link, for each kind of link."""
    for purpose, path in PAGES.items():
        state = AccountState.PENDING if purpose is Purpose.ACTIVATE else AccountState.ACTIVE
        role = f"link-{purpose}"
        studio.person(role, f"{str(purpose).title()} Linkholder", state=state)
        for problem in Problem:
            browser = studio.browser()
            if problem is Problem.ELSEWHERE:
                answer = browser.get(path)
            elif problem is Problem.UNKNOWN:
                answer = browser.get(path, token="nothing")
            else:
                value = token(studio, studio.username(role), purpose)
                _spoil(studio, problem)
                answer = browser.get(path, token=value)
            yield View(f"link/{purpose}-{problem}", answer)


def _spoil(studio: Studio, problem: Problem) -> None:
    """Make the last link one with this problem."""
    with studio.world.work() as work:
        row = work.db.scalars(select(Link).order_by(Link.id.desc()).limit(1)).one()
        if problem is Problem.EXPIRED:
            row.expires_at = work.now
        elif problem is Problem.USED:
            row.used_at = work.now
        else:
            row.superseded_at = work.now
