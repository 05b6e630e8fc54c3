"""People and access roles from a file: nothing before it is confirmed, then everything at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from registration import history, people_imports, persons
from registration.app import create_app
from registration.delegation_facts import Actor
from registration.delegation_rules import Reason
from registration.import_refusals import ImportNotPossible, TooManyChanges
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    History,
    Notice,
    Organization,
    Person,
    Push,
    Request,
)
from registration.pages.import_pages import _lines
from registration.people_imports import Fault, LineFault, Outcome, Preview
from registration.person_fields import FieldFault
from registration.transaction import Origin, Runtime
from registration_bridge.bridge_client import Result
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import OLD, RA, TRADER, participant, person
from tests.registration.test_pages import BASE, HERE, Site, fields, token_of

HEAD = ("person_id,first_name,last_name,main_phone,main_email,address_1,city,province,postal_code,"
        "country,roles\n")  # fmt: skip
REST = "1 Main Street,Sudbury,Ontario,P3A 1A1,Canada"
NEW = f",Zoé,Lavoie,705 555 0142,zoe@lakes.example,{REST},bids view\n"
PC = "100012"


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    """The participant, and a Primary Contact."""
    with runtime.work() as work:
        here = participant(work)
        contact = person(work, PC, "Petra Novak")
        work.db.add(Appointment(person_id=contact.id, organization_id=here.id, office="pc",
                                valid_from=OLD, given_by="test"))  # fmt: skip
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def tried(site: Site, *lines: str, actor: str = RA) -> Preview:
    """What would come of these lines; nothing is kept."""
    before = counted(site.runtime)
    with site.app.app_context(), site.runtime.work(Origin(actor)) as work:
        here = work.db.scalars(select(Organization)).one()
        found = people_imports.preview(work, Actor(actor), here, _lines(HEAD + "".join(lines)))
    assert counted(site.runtime) == before
    return found


def done(site: Site, text: str, seen: str) -> tuple[int, Request | None]:
    with site.app.app_context(), site.runtime.work(Origin(RA)) as work:
        here = work.db.scalars(select(Organization)).one()
        return people_imports.carry_out(work, Actor(RA), here, _lines(text), seen, why="desk")


def counted(runtime: Runtime) -> list[int]:
    with runtime.work() as work:
        kinds = (Person, Account, AccessAssignment, History, Notice, Push, Request)
        return [work.db.scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds]


def faults(found: Preview) -> list[tuple[Fault, ...]]:
    return [one.faults for one in found.results]


def line(**changes: str) -> str:
    """A line of the file, of a new person but for these values."""
    names = HEAD.strip().split(",")
    values = dict(zip(names, NEW.strip().split(","), strict=True)) | changes
    return ",".join(values.values()) + "\n"


def test_a_new_person_and_one_who_is_registered(site: Site, bridge: FakeBridge) -> None:
    """RG-03 to RG-05, AR-06, AR-07, NT-03, PR-01: one request, one push for each account, one mail
    to each holder; the person who is registered keeps the own record."""
    moreau = line(first_name="ADA", last_name="Moreau", main_email="Moreau@lakes.example",
                  city="Ottawa", roles="view")  # fmt: skip
    found = tried(site, NEW, moreau)
    assert [one.outcome for one in found.results] == [Outcome.CREATED, Outcome.FOUND]
    assert found.results[1].person_id == TRADER
    assert found.is_possible
    assert found.trial.effects
    assert found.seen == f"2:new:bids=0:view=0 3:{TRADER}:view=0"
    assert done(site, HEAD + NEW + moreau, found.seen)[0] == 1
    with site.runtime.work() as work:
        made = work.db.scalars(select(Person).where(Person.last_name == "Lavoie")).one()
        assert (made.first_name, made.main_phone) == ("Zoé", "+17055550142")
        held = {(row.account.person and row.account.person.person_id, row.access_role.code)
                for row in work.db.scalars(select(AccessAssignment))}  # fmt: skip
        assert held == {(made.person_id, "bids"), (made.person_id, "view"), (TRADER, "view")}
        known = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
        assert (known.first_name, known.city) == ("Ada", "")
        request = work.db.scalars(select(Request)).one()
        assert (request.kind, request.waits_for) == ("access.change", 2)
        entries = work.db.scalars(select(History).order_by(History.id)).all()
        assert [one.action for one in entries][:2] == ["person.registered", "account.ordered"]
        assert {one.reason for one in entries if one.action != "account.ordered"} == {"desk"}
        assert (entries[-1].action, entries[-1].request_id, entries[-1].after) == (
            people_imports.IMPORTED, request.id, {"lines": 2, "registered": 1, "granted": 3},
        )  # fmt: skip
        kinds = [(one.kind, one.person_id) for one in work.db.scalars(select(Notice))]
        assert ("own_roles_changed", made.id) in kinds
        assert len([one for one in kinds if one[0] == "roles_changed"]) == 1


def test_people_without_roles_are_registered_only(site: Site) -> None:
    """RG-06: no account and no request before the first role."""
    text = line(roles="")
    found = tried(site, text)
    assert done(site, HEAD + text, found.seen) == (1, None)
    assert tried(site, text).results[0].outcome is Outcome.FOUND
    assert not tried(site, text).is_possible


def test_rg05_names_are_told_apart(site: Site) -> None:
    """By the Person ID, by ``new``, or by the same e-mail address; a registered person of the name
    and the address is never registered again."""
    ada = {"first_name": "Ada", "last_name": "Moreau"}
    same = Fault(LineFault.SAME_NAME, (TRADER,))
    for changes, expected in (
        ({}, (same,)),
        ({"main_email": "moreau@lakes.example"}, ()),
        ({"person_id": TRADER}, ()),
        ({"person_id": "new"}, ()),
        ({"person_id": "new", "main_email": "moreau@lakes.example"}, (same,)),
        ({"person_id": RA}, (Fault(LineFault.OTHER_NAME, (RA,)),)),
        ({"person_id": "999999"}, (Fault(LineFault.UNKNOWN_PERSON, ("999999",)),)),
    ):
        assert faults(tried(site, line(**ada | changes))) == [expected], changes
    alone = f"{TRADER},,,,,,,,,,bids\n"
    assert tried(site, alone).results[0].granted == ("bids",)


def test_duplicates_within_the_file(site: Site) -> None:
    """The same person twice, by whatever he is named; two new persons of a name are said to be."""
    twice = Fault(LineFault.TWICE, ("2",))
    ada = f"{TRADER},,,,,,,,,,bids\n"
    by_name = line(first_name="Ada", last_name="Moreau", main_email="moreau@lakes.example")
    other = line(person_id="new", main_email="other@lakes.example")
    for second, expected in (
        ((NEW, NEW), [(), (twice,)]),
        ((NEW, line(main_email="other@lakes.example")), [(), (twice,)]),
        ((NEW, line(person_id="new")), [(), (twice,)]),
        ((NEW, other), [(), ()]),
        ((other, NEW), [(), (twice,)]),
        ((ada, ada), [(), (twice,)]),
        ((ada, by_name), [(), (twice,)]),
    ):
        assert faults(tried(site, *second)) == expected, second


def test_one_refused_line_stops_the_file(site: Site) -> None:
    """RG-03: the faults of each line by name; nothing of the other lines is done."""
    found = tried(site, NEW, line(first_name="Bo", city="", main_phone="12"),
                  line(first_name="=Al"), line(first_name="Cy", roles="bids nothing"))  # fmt: skip
    assert [one.outcome for one in found.results] == [Outcome.CREATED, *[Outcome.REFUSED] * 3]
    assert found.results[1].fields == {
        "main_phone": FieldFault.NOT_A_PHONE,
        "city": FieldFault.REQUIRED,
    }
    assert found.results[2].faults == (Fault(LineFault.FORMULA, ("first_name",)),)
    assert found.results[3].faults == (Fault(LineFault.UNKNOWN_ROLE, ("nothing",)),)
    assert not found.is_possible
    with pytest.raises(ImportNotPossible):
        done(site, HEAD + NEW + line(first_name="Bo", city=""), found.seen)


@pytest.mark.parametrize(
    ("role", "actor", "reason"),
    [("robot", RA, Reason.WRONG_KIND), ("auction", RA, Reason.NOT_APPROVED),
     ("bids", PC, Reason.TIER)],
)  # fmt: skip
def test_ar03_tm01_roles_are_decided_line_by_line(
    site: Site, role: str, actor: str, reason: Reason
) -> None:
    """AR-03, TM-01, TM-07: a Primary Contact registers persons and grants nothing."""
    found = tried(site, line(roles=role), actor=actor)
    ((code, refused),) = found.results[0].denied
    assert (code, refused.reason) == (role, reason)
    assert found.results[0].outcome is Outcome.REFUSED
    assert tried(site, line(roles=""), actor=actor).is_possible


def test_what_the_gateway_refuses_is_on_the_line(site: Site, bridge: FakeBridge) -> None:
    """In its own words."""
    bridge.results = [Result(200), Result(409, detail="too many accounts")]
    found = tried(site, NEW, f"{TRADER},,,,,,,,,,bids\n")
    assert sorted(one.words for one in found.results) == [(), ("too many accounts",)]
    assert not found.is_possible


def test_a_gateway_that_is_away_is_no_obstacle(site: Site, bridge: FakeBridge) -> None:
    bridge.is_away = True
    found = tried(site, NEW)
    assert found.is_possible
    assert found.trial.unreachable


def test_too_many_grants(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_imports, "MAX_CHANGES", 1)
    with pytest.raises(TooManyChanges):
        tried(site, NEW)


def opened(site: Site, person_id: str = RA) -> tuple[FlaskClient, dict[str, Any]]:
    browser = site.browser(person_id)
    page = browser.get(f"{HERE}/import", base_url=BASE)
    assert page.status_code == 200
    return browser, {"csrf_token": token_of(page)}


def reviewed(browser: FlaskClient, data: dict[str, Any], text: bytes) -> TestResponse:
    sent = data | {"file": (BytesIO(text), "people.csv")}
    return browser.post(f"{HERE}/import/review", data=sent, base_url=BASE)


def test_a_file_is_chosen_reviewed_and_confirmed(site: Site) -> None:
    """As Excel in French writes it: semicolons, Windows-1252, French headings."""
    head = ("Prénom;Nom de famille;Téléphone principal;Courriel principal;Adresse, ligne 1;Ville;"
            "Province ou État;Code postal ou code ZIP;Pays;Rôles d’accès")  # fmt: skip
    text = f"{head}\r\nZoé;Lavoie;705 555 0142;zoe@lakes.example;{REST.replace(',', ';')};bids\r\n"
    browser, data = opened(site)
    page = reviewed(browser, data, text.encode("cp1252"))
    assert page.status_code == 200, page.text
    assert "Zoé Lavoie" in page.text
    assert "1 person would be registered." in page.text
    before = counted(site.runtime)
    sent = data | {"text": fields(page, "text")[0], "seen": fields(page, "seen")[0], "why": "desk"}
    answer = browser.post(f"{HERE}/import/confirm", data=sent, base_url=BASE,
                          content_type="multipart/form-data")  # fmt: skip
    assert (answer.status_code, answer.location) == (303, "/requests/R0000001")
    assert counted(site.runtime) != before
    assert "Zoé Lavoie" in browser.get(answer.location, base_url=BASE).text
    listed = browser.get(f"{HERE}/history?action={people_imports.IMPORTED}", base_url=BASE).text
    assert "lines: 1, new persons: 1, roles granted: 1" in listed


def test_tm10_a_file_reminds_of_people_who_changed_since_their_last_grant(site: Site) -> None:
    """TM-10: who gets a role and changed the e-mail address after the last one; nobody else."""
    text = HEAD + NEW + line(first_name="Ada", last_name="Moreau",
                             main_email="Moreau@lakes.example", roles="view")  # fmt: skip
    browser, data = opened(site)
    assert "identity again" not in reviewed(browser, data, text.encode()).text
    with site.runtime.work(Origin(TRADER)) as work:
        known = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
        account = work.db.scalars(select(Account).where(Account.person_id == known.id)).one()
        here, role = (work.db.scalars(query).one() for query in (
            select(Organization), select(AccessRole).where(AccessRole.code == "bids")))  # fmt: skip
        work.db.add(AccessAssignment(account_id=account.id, organization_id=here.id,
                                     access_role_id=role.id, valid_from=OLD,
                                     given_by="test"))  # fmt: skip
        changed = {"main_email": "Moreau@lakes.example"}
        history.record(work, persons.CHANGED, person=known, after=changed)
    page = reviewed(browser, data, text.encode())
    assert page.text.count("identity again") == 1
    assert "phone number of Ada Moreau changed" in page.text


def test_a_stale_preview_is_refused(site: Site) -> None:
    """Somebody else has granted the role, or registered the person meanwhile: nothing is done, and
    the review shows what comes of the lines now."""
    browser, data = opened(site)
    text = HEAD + NEW
    page = reviewed(browser, data, text.encode())
    assert done(site, HEAD + line(roles="view"), "2:new:view=0")[0] == 1
    before = counted(site.runtime)
    sent = data | {"text": fields(page, "text")[0], "seen": fields(page, "seen")[0]}
    answer = browser.post(f"{HERE}/import/confirm", data=sent, base_url=BASE)
    assert answer.status_code == 409
    assert "Something has changed." in answer.text
    assert "View (held already)" in answer.text
    assert counted(site.runtime) == before
    sent["seen"] = fields(answer, "seen")[0]
    assert browser.post(f"{HERE}/import/confirm", data=sent, base_url=BASE).status_code == 303


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "Choose a file with at least one person."),
        (b"first_name,salary\nAda,1\n", "There is no column salary."),
        (b"first_name\n\x81\n", "The file cannot be read"),
        (b"x" * 100_001, "The file is larger than 100000 bytes."),
    ],
)
def test_a_file_that_cannot_be_read_is_asked_for_again(site: Site, text: bytes, said: str) -> None:
    browser, data = opened(site)
    page = reviewed(browser, data, text)
    assert page.status_code == 400
    assert said in page.text


def test_lines_that_are_pasted_are_read_and_refused_with_their_reasons(site: Site) -> None:
    """From a spreadsheet, with tabs; formulas are shown as text."""
    browser, data = opened(site, PC)
    lines = (HEAD + NEW + line(first_name="=Al", last_name="<b>")).replace(",", "\t")
    page = browser.post(f"{HERE}/import/review", data=data | {"text": lines}, base_url=BASE)
    assert page.status_code == 409
    assert "A value begins like a formula: First name." in page.text
    assert "Rights Administrator of Northern Lakes: Marie Tremblay" in page.text
    assert "&lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert f'action="{HERE}/import/confirm"' not in page.text


@pytest.mark.parametrize(("language", "head"), [("en", "Person ID,First name,Last name"),
                                                ("fr", "Numéro de personne;Prénom;")])  # fmt: skip
def test_the_template_has_all_headings_and_can_be_read(
    site: Site, language: str, head: str
) -> None:
    browser, data = opened(site)
    file = browser.get(f"{HERE}/import/template", base_url=BASE,
                       headers={"Accept-Language": language})  # fmt: skip
    assert file.mimetype == "text/csv"
    assert file.text.startswith("\ufeff" + head)
    delimiter = ";" if language == "fr" else ","
    values = delimiter.join(f'"{TRADER}"' if one == 0 else "" for one in range(25))
    page = reviewed(browser, data, file.data + values.encode())
    assert re.search(r"1 person is registered already", page.text), page.text


def test_a_file_needs_a_fresh_second_factor_before_it_is_chosen(site: Site) -> None:
    browser = site.browser(RA, minutes=16)
    page = browser.get(f"{HERE}/import", base_url=BASE)
    assert "Confirm your identity" in page.text
    assert 'type="file"' not in page.text
