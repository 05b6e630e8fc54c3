"""The pages of registration, by people who are signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from registration import browser_sessions, persons, tasks
from registration.app import create_app
from registration.delegation_facts import Actor
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    Organization,
    Person,
    Push,
    Session,
)
from registration.transaction import Origin, Runtime
from service_base.refusals import Collision
from tests.fakes import FakeClock
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, OLD, RA, TRADER, participant, person

BASE = "http://localhost:8005"
#: The required fields that the people of the tests lack.
COMPLETE = {"main_phone": "+17055550142", "address_1": "1 Main St", "city": "Barrie",
            "province": "Ontario", "postal_code": "L4M 1A1", "country": "Canada"}  # fmt: skip
HERE = "/organizations/109120"
STRONG = "urn:ieso:acr:mfa"


@dataclass
class Site:
    """The application, a participant in its database, and browsers."""

    app: Flask
    runtime: Runtime
    bridge: FakeBridge

    def browser(self, person_id: str = "", *, acr: str = STRONG, minutes: int = 0,
                groups: tuple[str, ...] = ()) -> FlaskClient:  # fmt: skip
        """A browser in which this person signed in so long ago; nobody without one."""
        client = self.app.test_client()
        if person_id:
            claims = {
                browser_sessions.PERSON_ID: person_id, "sid": f"sid-{person_id}", "sub": person_id,
                "acr": acr, "groups": groups,
                "auth_time": int((NOW - timedelta(minutes=minutes)).timestamp()),
            }  # fmt: skip
            with self.runtime.work() as work:
                token = browser_sessions.start(work, claims, "id-token")
            assert token is not None
            client.set_cookie(self.runtime.settings.cookie_name("session"), token)
        return client

    def held(self) -> set[str]:
        """The roles that the trader holds."""
        with self.runtime.work() as work:
            rows = work.db.scalars(
                select(AccessAssignment).where(AccessAssignment.held_at(work.now))
            )
            return {row.access_role.code for row in rows}


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """Northern Lakes and another organization, of which nobody here is."""
    with runtime.work() as work:
        participant(work)
        work.db.add(
            Organization(organization_id="109131", name="Prairie Wind", created_at=NOW,
                         updated_at=NOW)
        )  # fmt: skip
        person(work, "100009", "Olga Ivanov")
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def fields(page: TestResponse, name: str) -> list[str]:
    return [unescape(one) for one in re.findall(rf'name="{name}" value="([^"]*)"', page.text)]


def ticked(page: TestResponse) -> list[str]:
    return [unescape(one) for one in
            re.findall(r'name="cell" value="([^"]*)"[^>]* checked', page.text)]  # fmt: skip


def reviewed(browser: FlaskClient, *cells: str, **more: Any) -> TestResponse:
    """The list, with these ticks more, sent for review."""
    page = browser.get(f"{HERE}/roles", base_url=BASE)
    data = {"csrf_token": token_of(page), "seen": fields(page, "seen"),
            "cell": [*ticked(page), *cells], **more}  # fmt: skip
    return browser.post(f"{HERE}/roles/review", data=data, base_url=BASE)


def confirmed(browser: FlaskClient, review: TestResponse, **more: Any) -> TestResponse:
    data = {"csrf_token": token_of(review), "change": fields(review, "change"), **more}
    return browser.post(f"{HERE}/roles/confirm", data=data, base_url=BASE)


BIDS = f"person|{TRADER}|bids"


def test_ar01_to_ar09_a_role_is_ticked_reviewed_and_confirmed(site: Site) -> None:
    """AR-01 to AR-09, B.03: nothing before Confirm; then the request, and a push of it."""
    browser = site.browser(RA)
    review = reviewed(browser, BIDS)
    assert review.status_code == 200
    assert "Ada Moreau" in review.text
    assert "1 session ends." in review.text
    assert site.held() == set()
    done = confirmed(browser, review, why="New desk")
    assert (done.status_code, done.location) == (303, "/requests/R0000001")
    assert site.held() == {"bids"}
    page = browser.get(done.location, base_url=BASE)
    assert page.status_code == 200
    assert "Ada Moreau" in page.text
    with site.runtime.work() as work:
        assert work.db.scalars(select(Push)).one().state == "queued"
    listed = browser.get(f"{HERE}/roles", base_url=BASE)
    assert ticked(listed) == [BIDS]
    history = browser.get(f"{HERE}/history", base_url=BASE).text
    assert "Access role granted" in history
    assert "<td>Bids</td>" in history
    assert "New desk" in history


def test_ar04_revoke_all_takes_every_role_here(site: Site) -> None:
    """AR-04: from the page of one person."""
    browser = site.browser(RA)
    confirmed(browser, reviewed(browser, BIDS, f"person|{TRADER}|view"))
    page = browser.get(f"{HERE}/persons/{TRADER}/roles", base_url=BASE)
    data = {"csrf_token": token_of(page), "seen": fields(page, "seen"), "cell": [BIDS],
            "revoke_all": "1"}  # fmt: skip
    review = browser.post(f"{HERE}/roles/review", data=data, base_url=BASE)
    assert review.text.count(">Revoke</span>") == 2
    confirmed(browser, review)
    assert site.held() == set()


def test_two_administrators_the_second_sees_what_changed(site: Site) -> None:
    """Nothing is overwritten: the review says what somebody else did."""
    first, second = site.browser(RA), site.browser(RA)
    late = reviewed(second, BIDS)
    confirmed(first, reviewed(first, BIDS))
    answer = confirmed(second, late)
    assert answer.status_code == 409
    assert "Somebody else has granted this role." in answer.text
    assert "This cannot be confirmed" in answer.text


@pytest.mark.parametrize(("acr", "minutes"), [("urn:ieso:acr:password", 0), (STRONG, 16)])
def test_a_change_needs_a_fresh_second_factor(site: Site, acr: str, minutes: int) -> None:
    """Sensitive acts want mfa of the last 15 minutes; the changes come back after it."""
    browser = site.browser(RA, acr=acr, minutes=minutes)
    review = reviewed(browser, BIDS)
    assert "Confirm your identity" in review.text
    assert fields(review, "change") == []
    where = re.search(r'href="(/signin\?[^"]+)"', review.text)
    assert where
    fresh = site.browser(RA)
    back = fresh.get(f"{HERE}/roles/review", base_url=BASE,
                     query_string={"change": f"+{BIDS}=0"})  # fmt: skip
    assert fields(back, "change") == [f"+{BIDS}=0"]
    data = {"csrf_token": token_of(browser.get(f"{HERE}/roles", base_url=BASE)),
            "change": f"+{BIDS}=0"}  # fmt: skip
    assert (
        "Confirm your identity"
        in browser.post(f"{HERE}/roles/confirm", data=data, base_url=BASE).text
    )
    assert site.held() == set()


def test_rg04_a_person_of_nowhere_is_found_and_given_a_role(site: Site) -> None:
    """RG-04, AR-02."""
    browser = site.browser(RA)
    found = browser.get(f"{HERE}/grant?last_name=ivan", base_url=BASE)
    assert f'href="{HERE}/persons/100009/roles"' in found.text
    nothing = browser.get(f"{HERE}/grant?last_name=i", base_url=BASE)
    assert "at least two letters" in nothing.text
    assert "Ivanov" not in nothing.text
    review = reviewed(browser, "person|100009|bids")
    assert confirmed(browser, review).status_code == 303


PATHS = ("roles", "roles/export", "representatives", "contact-roles", "contact-roles/find",
         "contact-roles/review", "machines", "history",
         "history/export", "grant", f"persons/{TRADER}/roles", "roles/review",
         "persons", "new-person", f"persons/{TRADER}", f"persons/{TRADER}/information",
         "representatives/appoint", f"representatives/appoint/{TRADER}",
         f"representatives/appoint/{TRADER}/review", "representatives/1/end")  # fmt: skip
#: Forms that are sent.
SENT = (
    "contact-roles/review",
    "contact-roles/confirm",
    "new-person/review",
    "new-person/confirm",
    f"persons/{TRADER}/information/review",
    f"persons/{TRADER}/information/confirm",
    "roles/confirm",
    f"representatives/appoint/{TRADER}/confirm",
    "representatives/1/end/confirm",
)


@pytest.mark.parametrize("path", PATHS)
def test_tm07_another_organization_does_not_exist(site: Site, path: str) -> None:
    """TM-07: by id; for a stranger ours does not exist either. test_route_matrix has all routes."""
    for browser, number in ((site.browser(RA), "109131"), (site.browser(RA), "nothing"),
                            (site.browser("100009"), "109120")):  # fmt: skip
        answer = browser.get(f"/organizations/{number}/{path}", base_url=BASE)
        assert answer.status_code == 404
        assert "Lakes" not in answer.text
        assert "Prairie" not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_tm01_an_account_holder_is_told_who_can(site: Site, path: str) -> None:
    """TM-01: his own organization, but no office there: nothing of it is shown."""
    admin = site.browser(RA)
    confirmed(admin, reviewed(admin, BIDS))
    answer = site.browser(TRADER).get(f"{HERE}/{path}", base_url=BASE)
    assert answer.status_code == 403
    assert "Rights Administrator of Northern Lakes: Marie Tremblay" in answer.text
    assert "checkbox" not in answer.text


@pytest.mark.parametrize("path", ["/", *(f"{HERE}/{one}" for one in PATHS), "/requests/R0000001"])
def test_nobody_sees_a_page_without_a_session(site: Site, path: str) -> None:
    """Everybody else is led to the gateway, and back to the page."""
    for browser in (site.browser(), site.browser(RA)):
        with site.runtime.work() as work:
            work.db.execute(update(Session).values(ended_at=NOW))
        answer = browser.get(path, base_url=BASE)
        assert answer.status_code == 303
        assert answer.location.startswith("/signin?next=")


def test_home_shows_organizations_access_and_who_gave_it(site: Site) -> None:
    """Home: of the person himself only; in French too."""
    admin = site.browser(RA)
    confirmed(admin, reviewed(admin, BIDS))
    text = site.browser(TRADER).get("/", base_url=BASE).text
    assert "Marie Tremblay" in text
    assert "Northern Lakes" in text
    assert f'href="{HERE}/roles"' not in text
    french = site.browser(TRADER).get("/", base_url=BASE, headers={"Accept-Language": "fr"}).text
    assert '<html lang="fr">' in french
    assert "Mes accès" in french


def test_downloads_hold_no_formulas(site: Site) -> None:
    """CSV and JSON of the list; a name that begins like a formula is text."""
    admin = site.browser(RA)
    confirmed(admin, reviewed(admin, BIDS))
    table = admin.get(f"{HERE}/roles/export?format=csv", base_url=BASE)
    assert table.mimetype == "text/csv"
    assert "100002,person" in table.text
    rows = admin.get(f"{HERE}/roles/export?format=json", base_url=BASE).json
    assert [row["role"] for row in rows or []] == ["bids"]


@pytest.mark.parametrize(
    "data",
    [
        {"cell": "nothing"}, {"seen": "person|1|x=y"}, {"cell": "robot|1|bids"}, {"cell": "||"},
        {"cell": "person|no body|\u0000"},
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_opened_again(site: Site, data: dict[str, str]) -> None:
    """Bad input leads back, never to a fault."""
    browser = site.browser(RA)
    page = browser.get(f"{HERE}/roles", base_url=BASE)
    answer = browser.post(
        f"{HERE}/roles/review", data={"csrf_token": token_of(page), **data}, base_url=BASE
    )
    assert answer.status_code in (303, 409)


def test_forms_without_token_and_other_hosts_are_refused(site: Site) -> None:
    """CSRF, and a forged Host header."""
    browser = site.browser(RA)
    for path in ("roles/review", *SENT):
        answer = browser.post(f"{HERE}/{path}", data={}, base_url=BASE)
        assert answer.status_code == 400
    assert browser.get("/", base_url="http://evil.example").status_code == 400


def test_every_answer_has_the_headers_of_the_hosted_pages(site: Site) -> None:
    """The same policy as at the gateway; nothing is cached but static files."""
    browser = site.browser(RA)
    for path in ("/", f"{HERE}/roles", "/nothing", "/healthz", "/readyz", "/static/style.css"):
        answer = browser.get(path, base_url=BASE)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert answer.headers["X-Frame-Options"] == "DENY"
        is_static = path.startswith("/static/")
        assert (answer.headers.get("Cache-Control") == "no-store") is not is_static
        answer.close()


@pytest.mark.parametrize(
    ("target", "path"),
    [("/x?y=1", "/x?y=1"), ("//evil.example", "/"), ("/\\evil", "/"), ("https://evil.example", "/"),
     ("x", "/"), ("", "/"), ("/\n/evil", "/"), (None, "/")],
)  # fmt: skip
def test_a_way_back_stays_here(target: str | None, path: str) -> None:
    """No open redirect."""
    from registration.pages.sign_in_pages import local_path

    assert local_path(target) == path


FIELDS = {
    "first_name": "Ada", "last_name": "Moreau", "main_phone": "416-967-1111",
    "main_email": "ada@lakes.example", "address_1": "1 Main Street", "city": "Toronto",
    "province": "Ontario", "postal_code": "M5V 2T6", "country": "Canada", "language": "en",
}  # fmt: skip


def test_rg07_people_change_their_own_information(site: Site) -> None:
    """RG-07, C.01: enter, confirm, done; all accounts get the change; nobody else's is changed."""
    browser = site.browser(TRADER)
    page = browser.get("/my-information", base_url=BASE)
    assert 'value="Moreau"' in page.text
    sent = {**FIELDS, "csrf_token": token_of(page), "version": fields(page, "version")[0],
            "person_id": RA}  # fmt: skip
    wrong = browser.post("/my-information/review", data=sent | {"city": ""}, base_url=BASE)
    assert "Fill in this field." in wrong.text
    review = browser.post("/my-information/review", data=sent, base_url=BASE)
    assert "ada@lakes.example" in review.text
    with site.runtime.work() as work:
        assert list(work.db.scalars(select(Push))) == []
    done = browser.post("/my-information/confirm", data=sent, base_url=BASE)
    assert (done.status_code, done.location) == (303, "/")
    with site.runtime.work() as work:
        people = {row.person_id: row for row in work.db.scalars(select(Person))}
        assert people[TRADER].main_email == "ada@lakes.example"
        assert people[RA].last_name == "Tremblay"
        push = work.db.scalars(select(Push)).one()
        assert push.body["emails"][0]["value"] == "ada@lakes.example"
    stale = browser.post("/my-information/confirm", data=sent | {"city": "Ottawa"}, base_url=BASE)
    assert stale.location == "/my-information"
    assert "was changed elsewhere" in browser.get("/my-information", base_url=BASE).text


def test_pr07_differences_are_tasks_of_the_desk_and_of_the_rights_administrators(
    site: Site,
) -> None:
    """In their words; an RA sees those of the role groups at his organization only."""
    data = {
        "account": "moreaua", "organization": "109120", "only_gateway": ["MIM"],
        "other_times": ["EMI", "Viewer"],
    }  # fmt: skip
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization.id).order_by(Organization.id)).first()
        tasks.create(work, "drift.role_groups", organization_id=here, office="ra", data=data)
        tasks.create(work, "drift.values", data={"account": "levin", "values": ["name", "phone"]})
        tasks.create(work, "drift.more", data={"count": 7})
    role_groups = (
        "The access of moreaua at 109120 differs at the gateway. Only at the gateway: MIM. "
        "Another start or end at the gateway: EMI, Viewer."
    )
    values = "The account levin differs at the gateway: name, phone number."
    more = "The gateway has 7 more differences."
    operator = site.browser(TRADER, groups=(site.runtime.settings.operator_group,))
    for browser, seen in ((site.browser(RA), [role_groups]), (operator, [values, more])):
        page = browser.get("/", base_url=BASE).text
        assert [text for text in (role_groups, values, more) if text in page] == seen


@pytest.mark.parametrize("sign", ["+", "-"])
def test_a_change_for_somebody_who_is_not_registered_is_refused(site: Site, sign: str) -> None:
    """By a form that names a Person ID that nobody has: nothing is ordered."""
    browser = site.browser(RA)
    change = f"{sign}person|999999|bids=0"
    page = browser.get(f"{HERE}/roles/review", query_string={"change": change}, base_url=BASE)
    assert page.status_code == 409
    with site.runtime.work() as work:
        assert work.db.scalars(select(Push)).all() == []


def test_lists_write_days_and_markets_in_the_language(site: Site) -> None:
    """Of a past day in words; in French with a no-break space before the colon."""
    admin = site.browser(RA)
    shown = admin.get(f"{HERE}/roles?at=2026-11-01", base_url=BASE).text
    assert "at the end of 1 November 2026" in shown
    admin.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr-CA"
    shown = admin.get(f"{HERE}/roles", base_url=BASE).text
    assert "Énergie\N{NO-BREAK SPACE}: " in shown


@pytest.mark.parametrize("attested", [True, False])
def test_tm09_the_attestation_is_stored_with_the_grant(site: Site, attested: bool) -> None:
    """TM-09, TM-13: an optional tick on the review, which says how long records are kept."""
    browser = site.browser(RA)
    review = reviewed(browser, BIDS)
    assert 'name="attested"' in review.text
    assert "Keep the records of your identity checks for seven years." in review.text
    assert confirmed(browser, review, **({"attested": "1"} if attested else {})).status_code == 303
    with site.runtime.work() as work:
        assert work.db.scalars(select(AccessAssignment)).one().is_attested is attested


@pytest.mark.parametrize(
    ("changes", "reminds"),
    [
        ({"main_phone": "+17055550199"}, True),
        ({"last_name": "Tremblay"}, True),
        ({"main_email": "new@lakes-generation.example"}, True),
        ({"position": "Analyst"}, False),
    ],
)
def test_tm10_a_significant_change_reminds_who_grants_next(
    site: Site, changes: dict[str, str], reminds: bool
) -> None:
    """TM-10: at the next grant after it, and not at a revocation or at the first grant."""
    reminder = "identity again"
    browser = site.browser(RA)
    first = reviewed(browser, BIDS)
    assert reminder not in first.text
    confirmed(browser, first)
    clock = cast(FakeClock, site.runtime.ports.clock)
    clock.moment += timedelta(minutes=1)
    with site.runtime.work(Origin(TRADER)) as work:
        row = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
        for name, value in COMPLETE.items():
            setattr(row, name, value)
        work.db.flush()
        entered = replace(persons.fields_of(row), **changes)
        persons.update(work, Actor(TRADER), row, entered, row.version)
    second = reviewed(browser, f"person|{TRADER}|view")
    assert (reminder in second.text) is reminds
    assert confirmed(browser, second).status_code == 303
    page = browser.get(f"{HERE}/roles", base_url=BASE)
    revocation = {"csrf_token": token_of(page), "seen": fields(page, "seen"), "revoke_all": "1"}
    ended = browser.post(f"{HERE}/roles/review", data=revocation, base_url=BASE)
    assert reminder not in ended.text


def test_ar08_a_missing_role_names_whom_to_ask(site: Site) -> None:
    """AR-08, AR-03, RG-13: roles of approved participations, and who helps with others."""
    page = site.browser(RA).get(f"{HERE}/persons/{TRADER}/roles", base_url=BASE)
    assert "its participation may not be approved. Contact Customer Relations." in page.text
    assert f'value="{BIDS}"' in page.text
    assert "auction" not in page.text


def test_rg14_an_administrator_of_several_organizations_chooses_one(site: Site) -> None:
    """RG-14: a tile for each; the pages beside it are those of the chosen ones, and of no other."""
    other = "/organizations/109131"
    first = site.browser(RA).get("/", base_url=BASE)
    assert (f'href="{HERE}' in first.text, f'href="{other}' in first.text) == (True, False)
    with site.runtime.work() as work:
        wind = work.db.scalars(
            select(Organization).where(Organization.organization_id == "109131")
        ).one()
        known = work.db.scalars(select(Person).where(Person.person_id == RA)).one()
        work.db.add(Appointment(person_id=known.id, organization_id=wind.id, office="ra",
                                valid_from=OLD, given_by="test"))  # fmt: skip
    both = site.browser(RA).get("/", base_url=BASE)
    assert f'href="{HERE}/roles"' in both.text
    assert f'href="{other}/roles"' in both.text


@pytest.mark.parametrize("name", ["username", "external_id", "scim_id"])
def test_ar11_no_account_conflicts_with_that_of_another_person(site: Site, name: str) -> None:
    """AR-11: whatever asks for it."""
    taken = {"username": "moreaua", "external_id": "one", "scim_id": "one"}
    values = {"username": "lavoiez", "external_id": "two", "scim_id": "two"}
    with site.runtime.work() as work:
        people = work.db.scalars(select(Person).where(Person.person_id.in_((RA, TRADER)))).all()
        for one, row in zip(people, (taken, values | {name: taken[name]}), strict=True):
            work.db.add(Account(kind="person", person_id=one.id, created_at=NOW,
                                created_by="test", **row))  # fmt: skip
        with pytest.raises(Collision):
            work.db.flush()
        work.db.rollback()
