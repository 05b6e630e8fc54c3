"""Representatives in the pages: appointed and ended by people who are signed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registration.app import create_app
from registration.models import (
    Appointment,
    History,
    Market,
    Notice,
    Organization,
    Participation,
    Push,
    Task,
)
from registration.transaction import Runtime
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person
from tests.registration.test_pages import BASE, HERE, SENT, STRONG, Site, fields, token_of

AR, PC, DESK = "100011", "100012", "100310"
LIST = f"{HERE}/representatives"
CHOSEN = f"{LIST}/appoint/{TRADER}"
OPERATORS = ("Registration Operator",)


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """Northern Lakes with an AR, a PC and an RA, and Prairie Wind, which has applied."""
    with runtime.work() as work:
        here = participant(work)
        there = Organization(organization_id="109131", name="Prairie Wind", created_at=OLD,
                             updated_at=OLD, applied_at=OLD)  # fmt: skip
        work.db.add(there)
        work.db.flush()
        for number, name, office, at in (
            (AR, "Aline Roy", "ar", here),
            (PC, "Petra Novak", "pc", here),
            ("100013", "Wanda Pike", "pc", there),
        ):
            work.db.add(
                Appointment(person_id=person(work, number, name).id, organization_id=at.id,
                            office=office, valid_from=OLD, given_by="test")
            )  # fmt: skip
        person(work, DESK, "Dora Esk")
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def row_of(site: Site, person_id: str) -> int:
    with site.runtime.work() as work:
        rows = work.db.scalars(select(Appointment))
        return next(row.id for row in rows if row.person.person_id == person_id)


def in_office(site: Site) -> set[tuple[str, str]]:
    """(Person ID, office) of Northern Lakes."""
    with site.runtime.work() as work:
        rows = work.db.scalars(select(Appointment).where(Appointment.held_at(work.now)))
        return {(row.person.person_id, row.office) for row in rows
                if row.organization.organization_id == "109120"}  # fmt: skip


def get(browser: FlaskClient, path: str, **query: str) -> TestResponse:
    return browser.get(path, query_string=query, base_url=BASE)


def post(browser: FlaskClient, page: TestResponse, path: str, **sent: Any) -> TestResponse:
    return browser.post(path, data={"csrf_token": token_of(page), **sent}, base_url=BASE)


OFFICERS = {(AR, "ar"), (PC, "pc"), (RA, "ra")}


def test_g_a_pc_appoints_a_rights_administrator(site: Site) -> None:
    """G.01, G.02, TM-01, NT-06: search, choose, review, confirm; nothing before Confirm."""
    browser = site.browser(PC)
    assert f'href="{LIST}/appoint"' in get(browser, LIST).text
    found = get(browser, f"{LIST}/appoint", last_name="mor")
    assert f'href="{CHOSEN}"' in found.text
    form = get(browser, CHOSEN)
    assert [one in form.text for one in ('value="pc"', 'value="ra"', 'value="ar"')] == [
        True, True, False,
    ]  # fmt: skip
    review = get(browser, f"{CHOSEN}/review", office="ra", until="2026-12-31")
    assert review.status_code == 200
    assert "Ada Moreau gets an e-mail about it." in review.text
    assert in_office(site) == OFFICERS
    sent = {name: fields(review, name)[0] for name in ("office", "until")}
    done = post(browser, review, f"{CHOSEN}/confirm", **sent, why="More people")
    assert (done.status_code, done.location) == (303, LIST)
    assert in_office(site) == {*OFFICERS, (TRADER, "ra")}
    assert "Ada Moreau is now Rights Administrator." in get(browser, LIST).text
    with site.runtime.work() as work:
        row = work.db.scalars(select(Appointment).order_by(Appointment.id.desc())).first()
        assert row is not None
        assert row.valid_until is not None
        assert row.valid_until.isoformat() == "2027-01-01T05:00:00+00:00"
        assert work.db.scalars(select(History)).one().reason == "More people"
        assert work.db.scalars(select(Notice)).one().kind == "appointed"
        assert set(work.db.scalars(select(Push.state))) == {"queued"}


@pytest.mark.parametrize(
    ("person_id", "entered", "text"),
    [
        (PC, {"office": "ra"}, "You cannot appoint yourself."),
        (RA, {"office": "ra"}, "Marie Tremblay holds this role already."),
        (TRADER, {"office": "ra", "until": "2026-11-26"}, "The end must be in the future."),
        (TRADER, {"office": "ra", "until": "tomorrow"}, "Enter the day as YYYY-MM-DD."),
        (TRADER, {"office": "ar"}, "Choose a role."),
        (TRADER, {"office": "nothing"}, "Choose a role."),
        (TRADER, {}, "Choose a role."),
    ],
)
def test_what_cannot_be_appointed_is_said_at_the_field(
    site: Site, person_id: str, entered: dict[str, str], text: str
) -> None:
    """TM-01: in the review, and again when a forged form is confirmed."""
    browser, path = site.browser(PC), f"{LIST}/appoint/{person_id}"
    page = get(browser, f"{path}/review", **entered)
    assert (page.status_code, text in page.text) == (400, True)
    start = get(browser, LIST)
    form = get(browser, f"{CHOSEN}/review", office="ra")
    again = post(browser, form, f"{path}/confirm", **entered)
    assert start.status_code == 200
    assert (again.status_code, text in again.text) == (400, True)
    assert in_office(site) == OFFICERS


def test_j_the_end_of_the_last_ra_is_warned_of_and_asks_the_pc(site: Site) -> None:
    """J.01, TM-06, TM-14, NT-11: who is asked is shown before; a reason is needed."""
    browser, path = site.browser(PC), f"{LIST}/{row_of(site, RA)}/end"
    assert f'href="{path}"' in get(browser, LIST).text
    page = get(browser, path)
    assert "Nobody else is Rights Administrator." in page.text
    assert "Primary Contact of Northern Lakes: Petra Novak, +14165550100" in page.text
    version = fields(page, "version")[0]
    for sent, text in (
        ({}, "Choose a reason."),
        ({"reason": "nothing"}, "Choose a reason."),
        ({"reason": "other"}, "Say in a few words why."),
    ):
        wrong = post(browser, page, f"{path}/confirm", version=version, **sent)
        assert (wrong.status_code, text in wrong.text) == (400, True)
    assert in_office(site) == OFFICERS
    done = post(browser, page, f"{path}/confirm", version=version, reason="left", why="moved")
    assert (done.status_code, done.location) == (303, LIST)
    assert in_office(site) == OFFICERS - {(RA, "ra")}
    with site.runtime.work() as work:
        assert work.db.scalars(select(Task)).one().office == "pc"
        assert work.db.scalars(select(History)).one().reason == "left: moved"
    assert get(browser, path).status_code == 404
    assert f'href="{LIST}">Open' in get(browser, "/").text


def test_the_second_who_ends_is_told(site: Site) -> None:
    """Nothing is overwritten: the form of the second saw an earlier version."""
    browser, path = site.browser(PC), f"{LIST}/{row_of(site, RA)}/end"
    page = get(browser, path)
    stale = post(browser, page, f"{path}/confirm", version="7", reason="left")
    assert stale.location == LIST
    assert "Somebody else has changed this appointment." in get(browser, LIST).text
    assert in_office(site) == OFFICERS


def test_tm04_only_one_ar_left_is_said_and_one_may_end_oneself(site: Site) -> None:
    """TM-04, TM-05: the AR appoints a second one, then leaves."""
    browser = site.browser(AR)
    form = get(browser, f"{CHOSEN}/review", office="ar")
    post(browser, form, f"{CHOSEN}/confirm", office="ar")
    path = f"{LIST}/{row_of(site, AR)}/end"
    page = get(browser, path)
    assert "There will be only one Authorized Representative." in page.text
    assert "This is your own appointment." in page.text
    done = post(browser, page, f"{path}/confirm", version=fields(page, "version")[0],
                reason="duties_changed")  # fmt: skip
    assert done.location == "/"
    assert (TRADER, "ar") in in_office(site)
    assert (AR, "ar") not in in_office(site)


def test_tm02_the_ieso_appoints_the_first_ar_by_letter(site: Site) -> None:
    """TM-02, TM-03: the reference of the letter is asked for and kept; so it is for the end."""
    there = "/organizations/109131/representatives"
    with site.runtime.work() as work:
        # A participation that is applied for is enough (TM-08).
        market = work.db.scalars(select(Market).order_by(Market.id)).first()
        organization = work.db.scalars(
            select(Organization).where(Organization.organization_id == "109131")
        ).one()
        assert market is not None
        work.db.add(
            Participation(organization_id=organization.id, market_id=market.id, applied_at=OLD,
                          applied_by="test")
        )  # fmt: skip
    browser = site.browser(DESK, groups=OPERATORS)
    path = f"{there}/appoint/{TRADER}"
    missing = get(browser, f"{path}/review", office="ar")
    assert (missing.status_code, "Enter the reference" in missing.text) == (400, True)
    review = get(browser, f"{path}/review", office="ar", letter=" L-77 ")
    done = post(browser, review, f"{path}/confirm", office="ar",
                letter=fields(review, "letter")[0])  # fmt: skip
    assert done.location == there
    with site.runtime.work() as work:
        row = work.db.scalars(select(Appointment).order_by(Appointment.id.desc())).first()
        assert row is not None
        assert row.letter_reference == "L-77"
        number = row.id
    page = get(browser, f"{there}/{number}/end")
    assert "Reference of the signed letter" in page.text
    sent = {"version": fields(page, "version")[0], "reason": "left"}
    wrong = post(browser, page, f"{there}/{number}/end/confirm", **sent)
    assert (wrong.status_code, "Enter the reference" in wrong.text) == (400, True)
    ended = post(browser, page, f"{there}/{number}/end/confirm", **sent, letter="L-78")
    assert ended.location == there
    with site.runtime.work() as work:
        assert [one.action for one in work.db.scalars(select(History).order_by(History.id))] == [
            "appointment.made", "appointment.ended",
        ]  # fmt: skip


@pytest.mark.parametrize(("acr", "minutes"), [("urn:ieso:acr:password", 0), (STRONG, 16)])
def test_an_appointment_needs_a_fresh_second_factor(site: Site, acr: str, minutes: int) -> None:
    """Sensitive acts want mfa of the last 15 minutes, for the review and for the act."""
    browser = site.browser(PC, acr=acr, minutes=minutes)
    form = get(site.browser(PC), f"{CHOSEN}/review", office="ra")
    token = token_of(get(browser, "/my-information"))
    path = f"{LIST}/{row_of(site, RA)}/end"
    answers = [
        get(browser, f"{CHOSEN}/review", office="ra"),
        get(browser, path),
        browser.post(f"{CHOSEN}/confirm", data={"csrf_token": token, "office": "ra"},
                     base_url=BASE),
        browser.post(f"{path}/confirm",
                     data={"csrf_token": token, "version": "1", "reason": "left"}, base_url=BASE),
    ]  # fmt: skip
    assert form.status_code == 200
    for answer in answers:
        assert "Confirm your identity" in answer.text
        assert "csrf_token" not in answer.text.split("<main", 1)[1].split("</main>", 1)[0]
    assert "next=" in answers[0].text
    assert in_office(site) == OFFICERS


@pytest.mark.parametrize("actor", [RA, PC, AR, TRADER, DESK])
def test_tm07_the_appointment_of_another_organization_does_not_exist(
    site: Site, actor: str
) -> None:
    """TM-07: by its id under one's own organization, and by any id that is none."""
    groups = OPERATORS if actor == DESK else ()
    browser = site.browser(actor, groups=groups)
    token = token_of(get(browser, "/my-information"))
    for number in (row_of(site, "100013"), 10**6, 10**30):
        path = f"{HERE}/representatives/{number}/end"
        answers = [
            get(browser, path),
            browser.post(f"{path}/confirm",
                         data={"csrf_token": token, "version": "1", "reason": "left"},
                         base_url=BASE),
        ]  # fmt: skip
        for answer in answers:
            assert answer.status_code == 404
            assert "Wanda" not in answer.text
    assert get(browser, f"{HERE}/representatives/appoint/nobody").status_code in (403, 404)


@pytest.mark.parametrize("path", SENT[1:])
def test_tm07_nobody_posts_to_another_organization(site: Site, path: str) -> None:
    """TM-07."""
    with site.runtime.work() as work:
        number = row_of(site, "100013")
        assert work.db.get(Appointment, number)
    for actor, there in ((PC, "109131"), ("100013", "109120"), (PC, "nothing")):
        browser = site.browser(actor)
        token = token_of(get(browser, "/my-information"))
        data = {"csrf_token": token, "office": "ra", "version": "1", "reason": "left"}
        target = path.replace("/1/", f"/{number}/")
        answer = browser.post(f"/organizations/{there}/{target}", data=data, base_url=BASE)
        assert answer.status_code == 404
    assert in_office(site) == OFFICERS


@pytest.mark.parametrize(
    ("actor", "appoints", "ends"),
    [(AR, True, {AR, PC}), (PC, True, {PC, RA}), (RA, True, set()), (DESK, False, {AR})],
)
def test_tm01_the_list_offers_only_what_the_reader_may(
    site: Site, actor: str, appoints: bool, ends: set[str]
) -> None:
    """TM-01, RG-11: and what it does not offer is refused with the names of those who can."""
    browser = site.browser(actor, groups=OPERATORS if actor == DESK else ())
    page = get(browser, LIST).text
    assert (f'href="{LIST}/appoint"' in page) is appoints
    for one in (AR, PC, RA):
        path = f"{LIST}/{row_of(site, one)}/end"
        assert (f'href="{path}"' in page) is (one in ends)
        answer = get(browser, path)
        assert answer.status_code == (200 if one in ends else 403)
    past = get(browser, LIST, at="2026-11-01").text
    assert "/appoint" not in past
    assert "/end" not in past


def test_who_can_appoint_nobody_is_told_who_can(site: Site) -> None:
    """TM-01: an Applicant Representative."""
    with site.runtime.work() as work:
        row = work.db.scalars(select(Appointment).where(Appointment.office == "ra")).one()
        row.office = "apprep"
    answer = get(site.browser(RA), f"{LIST}/appoint")
    assert answer.status_code == 403
    assert "Authorized Representative of Northern Lakes: Aline Roy" in answer.text
