"""The pages on which persons are searched for, registered and corrected (RG-02 to RG-09)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from registration.models import Person, Push
from tests.registration.participant import RA, TRADER, person
from tests.registration.test_pages import BASE, FIELDS, HERE, Site, fields, site, token_of

__all__ = ["site"]
SMITH = FIELDS | {"first_name": "John", "last_name": "Smith", "main_email": "js@lakes.example"}


def sent(browser: FlaskClient, path: str, data: dict[str, Any]) -> TestResponse:
    page = browser.get("/my-information", base_url=BASE)
    return browser.post(f"{HERE}/{path}", data={"csrf_token": token_of(page)} | data, base_url=BASE)


def count(site: Site) -> int:
    with site.runtime.work() as work:
        return work.db.scalar(select(func.count()).select_from(Person)) or 0


def test_rg04_registering_is_offered_only_after_a_search(site: Site) -> None:
    """RG-04: any part of a name; at least one field. Each search leads on to it, and back."""
    browser = site.browser(RA)
    offer = "Register New Person"
    for path in ("persons", "grant"):
        assert offer not in browser.get(f"{HERE}/{path}", base_url=BASE).text
        assert offer not in browser.get(f"{HERE}/{path}?last_name=s", base_url=BASE).text
        assert offer in browser.get(f"{HERE}/{path}?last_name=mo", base_url=BASE).text
    found = browser.get(f"{HERE}/grant?last_name=Smith&first_name=John", base_url=BASE)
    link = re.search(r'href="([^"]+/new-person\?[^"]+)"', found.text)
    assert link
    form = browser.get(link[1].replace("&amp;", "&"), base_url=BASE)
    assert 'value="Smith"' in form.text
    done = sent(browser, "new-person/confirm", SMITH | {"then": fields(form, "then")[0]})
    assert done.location == f"{HERE}/grant?person_id=500001"
    assert f"{HERE}/persons/500001/roles" in browser.get(done.location, base_url=BASE).text


def test_rg06_no_record_before_confirm_then_the_person_id(site: Site) -> None:
    """RG-06, RG-02: Go Back keeps what was typed; the Person ID is shown afterwards."""
    browser, before = site.browser(RA), count(site)
    review = sent(browser, "new-person/review", SMITH)
    assert "Confirm New Person" in review.text
    assert "500001" not in review.text
    back = sent(browser, "new-person", SMITH)
    assert 'value="js@lakes.example"' in back.text
    assert count(site) == before
    done = sent(browser, "new-person/confirm", SMITH)
    assert count(site) == before + 1
    listed = browser.get(done.location, base_url=BASE).text
    assert "John Smith was registered. The Person ID is 500001." in listed
    history = browser.get(f"{HERE}/history", base_url=BASE).text
    assert "Person registered" in history


@pytest.mark.parametrize("name", ["city", "main_phone", "postal_code"])
def test_rg03_what_is_missing_is_said_at_its_field(site: Site, name: str) -> None:
    """RG-03: at the review, and for a form that skips it."""
    browser, before = site.browser(RA), count(site)
    for path in ("new-person/review", "new-person/confirm"):
        wrong = sent(browser, path, SMITH | {name: ""})
        assert wrong.status_code == 400
        assert f'id="{name}-error">Fill in this field.' in wrong.text
    assert count(site) == before


def test_rg05_persons_of_the_same_name_are_told_apart(site: Site) -> None:
    """RG-05: with Person ID and preferred name, before another one is registered; also when he was
    registered after the review."""
    browser = site.browser(RA)
    early = sent(browser, "new-person/review", SMITH)
    assert fields(early, "seen") == []
    with site.runtime.work() as work:
        person(work, "100077", "John Smith").preferred_name = "Jack"
    late = sent(browser, "new-person/confirm", SMITH)
    assert late.status_code == 409
    assert "Somebody else has registered a person of this name." in late.text
    assert "Jack" in late.text
    assert fields(late, "seen") == ["100077"]
    done = sent(browser, "new-person/confirm", SMITH | {"seen": ["100077"]})
    assert done.status_code == 303
    found = browser.get(f"{HERE}/persons?last_name=Smith", base_url=BASE).text
    assert re.findall(r"<td>([A-Za-z]*)</td><td>(100077|500001)</td>", found) == [
        ("Jack", "100077"),
        ("", "500001"),
    ]


def test_a_person_of_another_organization_has_no_page_here(site: Site) -> None:
    """TM-07: the search names him, but telephone and address are those of members only."""
    browser = site.browser(RA)
    found = browser.get(f"{HERE}/persons?last_name=Ivanov", base_url=BASE).text
    assert "100009" in found
    assert f"{HERE}/persons/100009" not in found
    assert "ivanov@lakes.example" not in found
    assert browser.get(f"{HERE}/persons/100009", base_url=BASE).status_code == 404
    own = browser.get(f"{HERE}/persons/{RA}", base_url=BASE).text
    assert "tremblay@lakes.example" in own


def test_rg09_the_ieso_corrects_a_person(site: Site) -> None:
    """RG-07 to RG-09: nothing before Confirm; then every account; a stale form is not stored."""
    desk = site.browser("100009", groups=(site.runtime.settings.operator_group,))
    path = f"persons/{TRADER}/information"
    page = desk.get(f"{HERE}/{path}", base_url=BASE)
    assert 'value="Moreau"' in page.text
    data = FIELDS | {"version": fields(page, "version")[0], "person_id": RA}
    review = sent(desk, f"{path}/review", data)
    assert "ada@lakes.example" in review.text
    with site.runtime.work() as work:
        assert list(work.db.scalars(select(Push))) == []
    done = sent(desk, f"{path}/confirm", data)
    assert done.location == f"{HERE}/persons/{TRADER}"
    with site.runtime.work() as work:
        push = work.db.scalars(select(Push)).one()
        assert push.body["emails"][0]["value"] == "ada@lakes.example"
    stale = sent(desk, f"{path}/confirm", data | {"city": "Ottawa"})
    assert stale.location == f"{HERE}/{path}"
    again = desk.get(stale.location, base_url=BASE).text
    assert "has changed since you opened it" in again
    assert 'value="Toronto"' in again
    nothing = sent(desk, f"{path}/review", FIELDS | {"version": "2"})
    assert "Nothing would change." in nothing.text
