"""Every page of registration, in both languages. ``tests/browser/test_registration_axe`` has them
judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, template_rendered
from sqlalchemy import select

import registration
from registration import push_delivery, tasks
from registration.app import create_app
from registration.models import Appointment, Organization
from registration.pages import PAGES
from registration.transaction import Runtime
from tests.gallery.studio import LOCALES, View
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person
from tests.registration.test_contact_role_pages import APPREP, SECOND, contacts, review
from tests.registration.test_pages import (
    BASE,
    BIDS,
    FIELDS,
    HERE,
    Site,
    confirmed,
    fields,
    reviewed,
    token_of,
)

#: Extended by others.
FRAMES = {"base.html", "frame.html"}


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The application and a participant."""
    with runtime.work() as work:
        participant(work)
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def views(site: Site, language: str) -> Iterator[View]:
    """All pages, and the states that somebody can meet."""
    admin = site.browser(RA)
    visitor = site.browser()
    for client in (admin, visitor):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    get = lambda path: admin.get(path, base_url=BASE)  # noqa: E731
    yield View("empty-home", get("/"))
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization.id)).first()
        data = {
            "account": "moreaua", "organization": "109120", "only_gateway": ["EMI Bids and Offers"],
            "only_registration": ["EMI Market Data Viewer"], "other_times": ["Registration User"],
        }  # fmt: skip
        tasks.create(work, "drift.role_groups", organization_id=here, office="ra", data=data)
    yield View("home-differences", get("/"))
    yield View("history-empty", get(f"{HERE}/history"))
    first = reviewed(admin, BIDS)
    yield View("review", first)
    done = confirmed(admin, first)
    yield View("request", get(done.location))
    yield View("review-stale", confirmed(admin, first))
    yield View("review-nothing", reviewed(admin))
    stale = site.browser(RA, minutes=60)
    stale.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    yield View("prove-first", reviewed(stale, f"person|{TRADER}|view"))
    for path in ("/", "/my-information", "/nothing", "/signout"):
        yield View(f"page{path}", get(path))
    for path in ("roles", "roles?kind=machine", "roles?q=nobody", "roles?at=2026-11-01",
                 f"persons/{TRADER}/roles", "grant", "grant?last_name=x", "grant?last_name=moreau",
                 "grant?last_name=nobody", "representatives", "contact-roles", "machines",
                 "history", "update"):  # fmt: skip
        yield View(f"organization/{path}", get(f"{HERE}/{path}"))
    yield from appointment_views(site, language)
    yield from person_views(site, language)
    yield from organization_views(site, language)
    yield from import_views(site, language)
    yield from contact_views(site, language)
    yield from machine_views(site, language)
    yield from leaver_views(site, language)
    yield from participation_views(site, language)
    page = get("/my-information")
    sent = {"csrf_token": token_of(page), "version": fields(page, "version"), "first_name": "Ada"}
    yield View("information-wrong", admin.post("/my-information/review", data=sent, base_url=BASE))
    sent |= {"last_name": "Moreau", "main_phone": "416-967-1111", "main_email": "a@lakes.example",
             "address_1": "1 Main Street", "city": "Toronto", "province": "Ontario",
             "postal_code": "M5V 2T6", "country": "Canada", "language": "en"}  # fmt: skip
    yield View("information-review", admin.post("/my-information/review", data=sent, base_url=BASE))
    yield from access_request_views(site, language)
    yield from copy_views(site, language)
    trader = site.browser(TRADER)
    trader.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    yield View("not-allowed", trader.get(f"{HERE}/roles", base_url=BASE))
    yield View("sign-in-problem", visitor.get("/callback?iss=x", base_url=BASE))
    yield View("signed-out", visitor.get("/signed-out", base_url=BASE))


def appointment_views(site: Site, language: str) -> Iterator[View]:
    """How a representative is appointed and ended: by a PC, who warns himself."""
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).first()
        assert here is not None
        pc = Appointment(person_id=person(work, "100012", "Petra Novak").id,
                         organization_id=here.id, office="pc", valid_from=OLD,
                         given_by="test")  # fmt: skip
        work.db.add(pc)
        work.db.flush()
        row = pc.id
    browser = site.browser("100012")
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    for path in ("representatives", "representatives/appoint?last_name=moreau",
                 f"representatives/appoint/{TRADER}",
                 f"representatives/appoint/{TRADER}/review?office=ra&until=2027-01-31",
                 f"representatives/appoint/{TRADER}/review?office=ra&until=soon",
                 f"representatives/{row}/end"):  # fmt: skip
        yield View(f"appointments/{path}", browser.get(f"{HERE}/{path}", base_url=BASE))


def organization_views(site: Site, language: str) -> Iterator[View]:
    """How the IESO finds and registers organizations."""
    group = (site.runtime.settings.operator_group,)
    desk, late = site.browser(TRADER, groups=group), site.browser(TRADER, minutes=60, groups=group)
    for client in (desk, late):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    for path in ("organizations", "organizations?q=nobody", "new-organization?name=Solar"):
        yield View(path, desk.get(f"/{path}", base_url=BASE))
    yield View("new-organization/late", late.get("/new-organization", base_url=BASE))
    page = desk.get("/new-organization", base_url=BASE)
    data = {"csrf_token": token_of(page), "name": "", "number": ""}
    wrong = desk.post("/new-organization/confirm", data=data, base_url=BASE)
    yield View("new-organization/wrong", wrong)
    data["name"] = "Énergie solaire de la rivière des Outaouais, société en commandite"
    done = desk.post("/new-organization/confirm", data=data, base_url=BASE)
    yield View("new-organization/participations", desk.get(done.location, base_url=BASE))
    yield View("update-organization/desk", desk.get(f"{HERE}/update", base_url=BASE))
    yield View("organization-name", desk.get(f"{HERE}/name", base_url=BASE))
    yield View("organization-name/late", late.get(f"{HERE}/name", base_url=BASE))
    sent = {"csrf_token": data["csrf_token"], "name": "", "version": "1"}
    wrong = desk.post(f"{HERE}/name/confirm", data=sent, base_url=BASE)
    yield View("organization-name/wrong", wrong)


def person_views(site: Site, language: str) -> Iterator[View]:
    """How a person is missed, registered and corrected."""
    admin = site.browser(RA)
    desk = site.browser(TRADER, groups=(site.runtime.settings.operator_group,))
    late = site.browser(TRADER, minutes=60, groups=(site.runtime.settings.operator_group,))
    for client in (admin, desk, late):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    for path in ("persons?last_name=moreau", f"persons/{RA}", "new-person?last_name=Moreau"):
        yield View(f"persons/{path}", admin.get(f"{HERE}/{path}", base_url=BASE))
    data = FIELDS | {"csrf_token": token_of(admin.get("/my-information", base_url=BASE))}
    for name, more in (("wrong", {"city": ""}), ("alike", {}), ("new", {"last_name": "Nobody"})):
        answer = admin.post(f"{HERE}/new-person/review", data=data | more, base_url=BASE)
        yield View(f"persons/review-{name}", answer)
    answer = admin.post(f"{HERE}/new-person/confirm", data=data, base_url=BASE)
    yield View("persons/registered-meanwhile", answer)
    path = f"{HERE}/persons/{RA}"
    yield View("persons/prove-first", late.get(f"{path}/information", base_url=BASE))
    yield View("persons/of-the-desk", desk.get(path, base_url=BASE))
    page = desk.get(f"{path}/information", base_url=BASE)
    yield View("persons/correct", page)
    data = FIELDS | {"csrf_token": token_of(page), "version": "1"}
    for name, more in (("wrong", {"city": ""}), ("review", {})):
        answer = desk.post(f"{path}/information/review", data=data | more, base_url=BASE)
        yield View(f"persons/correct-{name}", answer)


def import_views(site: Site, language: str) -> Iterator[View]:
    """A file of people: chosen, reviewed with and without faults, and too late."""
    admin = site.browser(RA)
    admin.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    path = f"{HERE}/import"
    page = admin.get(path, base_url=BASE)
    yield View("import", page)
    data = {"csrf_token": token_of(page)}
    person = FIELDS | {"first_name": "Zoé", "last_name": "Lavoie", "roles": "bids view"}
    bad = person | {"first_name": "=1+1", "city": ""}
    alike = person | {"first_name": "Ada", "last_name": "Moreau", "roles": "auction"}
    for name, rows in (("wrong", ()), ("review", (person,)), ("refused", (person, bad, alike))):
        lines = [person.keys(), *(one.values() for one in rows)]
        text = "\n".join("\t".join(one) for one in lines)
        answer = admin.post(f"{path}/review", data=data | {"text": text}, base_url=BASE)
        yield View(f"import-{name}", answer)
        answer = admin.post(f"{path}/confirm", data=data | {"text": text}, base_url=BASE)
        yield View(f"import-late-{name}", answer)


def contact_views(site: Site, language: str) -> Iterator[View]:
    """How contact roles are changed, and what stands against it."""
    with site.runtime.work() as work:
        here = work.db.scalars(select(Organization)).first()
        assert here is not None
        contacts(work, here)
    browser = site.browser(APPREP)
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    for path in ("contact-roles", "contact-roles/find?last_name=ivanov", "contact-roles/of/settle",
                 "contact-roles/of/meter?q=nobody", f"persons/{TRADER}/contact-roles",
                 "sections/1/contact-roles"):  # fmt: skip
        yield View(f"contacts/{path}", browser.get(f"{HERE}/{path}", base_url=BASE))
    for path in ("sections", "sections?at=2020-01-01", "new-section", "sections/1/information",
                 "sections/1/end"):  # fmt: skip
        yield View(f"contacts/{path}", browser.get(f"{HERE}/{path}", base_url=BASE))
    data = {"csrf_token": token_of(browser.get(f"{HERE}/new-section", base_url=BASE))}
    wrong = browser.post(f"{HERE}/new-section/confirm", data=data | {"phone": "1"}, base_url=BASE)
    yield View("contacts/section-wrong", wrong)
    cell = f"settle|person|{APPREP}"
    yield View("contacts/review", review(browser, "contact-roles/of/settle", cell))
    yield View("contacts/refused", review(browser, "contact-roles/of/settle"))


def access_request_views(site: Site, language: str) -> Iterator[View]:
    """A person asks for a role; the administrator reads it and refuses it."""
    trader, admin = site.browser(TRADER), site.browser(RA)
    for client in (trader, admin):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    page = trader.get(f"{HERE}/request-access", base_url=BASE)
    yield View("access/request", page)
    data = {"csrf_token": token_of(page), "role": "", "why": "New desk"}
    path = f"{HERE}/request-access/confirm"
    yield View("access/request-wrong", trader.post(path, data=data, base_url=BASE))
    asked = trader.post(path, data=data | {"role": "view"}, base_url=BASE).location
    yield View("access/waiting", trader.get(asked, base_url=BASE))
    yield View("access/tasks", admin.get("/", base_url=BASE))
    page = admin.get(asked, base_url=BASE)
    yield View("access/decide", page)
    number = asked.rpartition("/")[2]
    admin.post(
        f"{HERE}/access-requests/{number}/refuse",
        data={"csrf_token": token_of(page), "why": "Not your desk"}, base_url=BASE,
    )  # fmt: skip
    yield View("access/refused", trader.get(asked, base_url=BASE))
    yield View("access/home", trader.get("/", base_url=BASE))


def machine_views(site: Site, language: str) -> Iterator[View]:
    """How a machine account is registered, changed and stopped."""
    admin = site.browser(RA)
    admin.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    new = f"{HERE}/new-machine/{TRADER}"
    page = admin.get(new, base_url=BASE)
    yield View("machines/new", page)
    data = {"csrf_token": token_of(page), "description": "Sends bids", "networks": "x\n10.0.0.0/8"}
    yield View("machines/wrong", admin.post(f"{new}/review", data=data, base_url=BASE))
    data["networks"] = "192.0.2.24 meter data server\n2001:db8:1234:5678::/64"
    yield View("machines/review", admin.post(f"{new}/review", data=data, base_url=BASE))
    admin.post(f"{new}/confirm", data=data, base_url=BASE)
    listed = admin.get(f"{HERE}/machines", base_url=BASE).text
    (number,) = re.findall(rf'"{HERE}/machines/(\d+)"', listed)
    yield View("machines/unnamed", admin.get(f"{HERE}/machines/{number}", base_url=BASE))
    push_delivery.deliver_due(site.runtime)
    for path in ("machines", "machines?id=nothing", "new-machine?last_name=moreau",
                 f"machines/{number}", f"machines/{number}/gateway", f"machines/{number}/networks",
                 f"machines/{number}/custodian?last_name=tremblay",
                 f"machines/{number}/custodian/{RA}", f"machines/{number}/stop"):  # fmt: skip
        yield View(f"machines/{path}", admin.get(f"{HERE}/{path}", base_url=BASE))


def leaver_views(site: Site, language: str) -> Iterator[View]:
    """A custodian leaves, against whom something stands; then somebody with one role."""
    admin, late = site.browser(RA), site.browser(RA, minutes=60)
    for client in (admin, late):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    path = f"{HERE}/persons/{TRADER}/leaver"
    for name, client, query in (("obstacles", admin, {}), ("late", late, {}),
                                ("successor", admin, {"successor": RA})):  # fmt: skip
        yield View(f"leaver/{name}", client.get(path, query_string=query, base_url=BASE))
    yield View("leaver/person", admin.get(f"{HERE}/persons/{TRADER}", base_url=BASE))
    confirmed(admin, reviewed(admin, f"person|{SECOND}|bids"))
    path = f"{HERE}/persons/{SECOND}/leaver"
    page = admin.get(path, base_url=BASE)
    yield View("leaver/review", page)
    data = {name: fields(page, name) for name in ("csrf_token", "seen")}
    wrong = admin.post(f"{path}/confirm", data=data | {"reason": ""}, base_url=BASE)
    yield View("leaver/without-a-reason", wrong)
    done = admin.post(f"{path}/confirm", data=data | {"reason": "left"}, base_url=BASE)
    yield View("leaver/request", admin.get(done.headers["Location"], base_url=BASE))


def copy_views(site: Site, language: str) -> Iterator[View]:
    """The Applicant Representative copies what the others have."""
    browser = site.browser(APPREP)
    browser.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    path = f"{HERE}/persons/{SECOND}/copy"
    for name, query in (("choose", {}), ("copied", {"of": TRADER}), ("office", {"of": APPREP})):
        yield View(f"copy/{name}", browser.get(path, query_string=query, base_url=BASE))


def participation_views(site: Site, language: str) -> Iterator[View]:
    """How a participation is applied for, decided and ended."""
    desk = site.browser(TRADER, groups=(site.runtime.settings.operator_group,))
    late = site.browser(TRADER, minutes=60, groups=(site.runtime.settings.operator_group,))
    for client in (desk, late):
        client.environ_base["HTTP_ACCEPT_LANGUAGE"] = LOCALES[language]
    every = f"{HERE}/participations"
    for path in ("", "?at=2020-01-01", "/apply", "/apply?kind=market", "/apply?kind=program",
                 "/apply/rights", "/1", "/1/end"):  # fmt: skip
        yield View(f"participations{path}", desk.get(every + path, base_url=BASE))
    yield View("participations/late", late.get(f"{every}/1/end", base_url=BASE))
    data = {"csrf_token": token_of(desk.get(f"{every}/apply/rights", base_url=BASE))}
    applied = desk.post(f"{every}/apply/rights/confirm", data=data, base_url=BASE)
    page = desk.get(applied.location, base_url=BASE)
    yield View("participations/applied", page)
    yield View("participations/tasks-of-home", desk.get("/", base_url=BASE))
    data |= {"decision": "refuse", "version": "1"}
    refused = desk.post(f"{applied.location}/decision", data=data, base_url=BASE)
    yield View("participations/without-a-reason", refused)
    desk.post(f"{applied.location}/decision", data=data | {"why": "Not yet"}, base_url=BASE)
    yield View("participations/refused", desk.get(applied.location, base_url=BASE))


def pages_of(app: Flask) -> set[str]:
    """The templates of whole pages."""
    folder = Path(str(registration.__file__)).parent / "templates"
    return {path.name for path in folder.glob("[!_]*.html")} - FRAMES


@pytest.mark.parametrize("language", LOCALES)
def test_every_page_has_a_view(site: Site, language: str) -> None:
    """A new page has a view; no view is a failure; each is in its language."""
    shown: set[str] = set()

    def note(_app: Flask, template: object, **_more: object) -> None:
        shown.add(str(getattr(template, "name", "")))

    with template_rendered.connected_to(note, site.app):
        for view in views(site, language):
            assert view.answer.status_code < 500, view.name
            assert f'<html lang="{language}">' in view.answer.text, view.name
    assert pages_of(site.app) - shown == {"onward.html"}
    assert len(PAGES) > 10
