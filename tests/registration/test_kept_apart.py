"""What never moves or crosses: an account from one person to another (RG-10), and sign-ins, tokens
and pages from the sandbox to production (RG-01, EN-01)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from registration import push_delivery
from registration.app import create_app
from registration.models import AccessAssignment, Account, Person
from registration.settings import Settings
from registration.transaction import UnitOfWork
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.participant import OLD, RA, TRADER
from tests.registration.test_api import BIDS, HERE, program, read, refusal, send
from tests.registration.test_pages import BASE, Site
from tests.registration.test_pages import site as _site

site = _site
__all__ = ["program"]
PRODUCTION = "https://registration.example"


@pytest.fixture
def production(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of production beside that of the sandbox, on the same tables, so that
    nothing else keeps them apart."""
    monkeypatch.setattr(Settings, "validate", lambda _settings: None)
    settings = replace(
        site.runtime.settings, environment="production", url=PRODUCTION,
        issuer="https://gateway.example", other_environment_url="https://sandbox.example",
        secret_key="another-secret-of-the-tests-0000001",
    )  # fmt: skip
    app = create_app(settings, site.runtime.ports)
    trust_our_key(app)
    yield app
    app.extensions["runtime"].close()


def accounts_of(work: UnitOfWork, person_id: str) -> list[Account]:
    """All that the person ever had."""
    query = select(Account).join(Person, Account.person_id == Person.id)
    return list(work.db.scalars(query.where(Person.person_id == person_id).order_by(Account.id)))


def test_rg10_a_person_has_several_accounts_and_keeps_each(
    site: Site, program: FlaskClient
) -> None:
    """RG-10, UI-10: one row for programs, whichever account holds the role. A later account is
    another one; the closed one stays that of the person."""
    with site.runtime.work() as work:
        (first,) = accounts_of(work, TRADER)
        assert first.person is not None
        here = send(program, BIDS).json["request"]["organization"]  # type: ignore[index]
        assert here == "109120"
        held = work.db.scalars(select(AccessAssignment)).one()
        work.db.add(Account(external_id="second", kind="person", person_id=first.person_id,
                            only_organization_id=held.organization_id, username="moreau2",
                            scim_id="scim-second", created_at=OLD, created_by="test"))  # fmt: skip
    assert send(program, BIDS | {"role": "view"}).status_code == 201
    rows = read(program, f"{HERE}/roles", id=TRADER).json["rows"]
    assert [sorted(one["role"] for one in row["holds"]) for row in rows] == [["bids", "view"]]
    path = f"{HERE}/persons/{TRADER}/leaver"
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    terms: dict[str, Any] = {"close_account": True}
    tried: Any = program.post(path, json=terms | {"preview": True}, headers=head, base_url=BASE)
    terms["version"] = tried.json["version"]
    assert program.post(path, json=terms, headers=head, base_url=BASE).status_code == 201
    push_delivery.deliver_due(site.runtime)
    assert send(program, BIDS | {"version": 2}).status_code == 201
    with site.runtime.work() as work:
        known = accounts_of(work, TRADER)
        assert [(one.external_id, one.ended_at is None) for one in known] == [
            (f"person-{TRADER}", False), ("second", False), (f"person-{TRADER}-2", True),
        ]  # fmt: skip


@pytest.mark.parametrize("member", ["person_id", "person", "kind"])
def test_rg10_an_account_never_moves_to_another_person(site: Site, member: str) -> None:
    """RG-10: whatever code tries it."""
    with site.runtime.work() as work:
        (account,) = accounts_of(work, TRADER)
        other = work.db.scalars(select(Person).where(Person.person_id == RA)).one()
        value = {"person_id": other.id, "person": other, "kind": "machine"}[member]
        setattr(account, member, getattr(account, member))
        with pytest.raises(ValueError, match="never changes"):
            setattr(account, member, value)


def test_rg01_a_sign_in_of_the_sandbox_is_none_in_production(site: Site, production: Flask) -> None:
    """RG-01, EN-01: its cookie has another name, and opens nothing under the name of production
    either."""
    sandbox, there = site.browser(RA), production.test_client()
    names = [site.runtime.settings.cookie_name("session"),
             production.extensions["runtime"].settings.cookie_name("session")]  # fmt: skip
    assert names[0] != names[1]
    cookie = sandbox.get_cookie(names[0])
    assert cookie is not None
    for name in names:
        there.set_cookie(name, cookie.value, domain="registration.example", secure=True)
    answer = there.get("/", base_url=PRODUCTION)
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/signin")
    assert sandbox.get("/", base_url=BASE).status_code == 200


def test_rg01_a_token_of_the_other_gateway_is_refused(production: Flask) -> None:
    """RG-01, EN-01: by its issuer."""
    there, answers = production.test_client(), []
    for change in ({}, {"iss": "https://gateway.example"}):
        head = {"Authorization": f"Bearer {access_token(RA, **change)}"}
        answers.append(there.get("/api/v1/organizations", headers=head, base_url=PRODUCTION))
    assert refusal(answers[0]) == (401, "token_invalid")
    assert answers[1].status_code == 200


def test_rg01_each_page_says_where_people_register(site: Site, production: Flask) -> None:
    """RG-01, EN-02: the participant chooses whom to register where, and sees where he is."""
    page = site.browser(RA).get(f"{BASE}/organizations/109120/persons", base_url=BASE).text
    assert "<strong>Sandbox</strong>" in page
    out = production.test_client().get("/signed-out", base_url=PRODUCTION).text
    assert "Production" in out
    assert 'href="https://sandbox.example"' in out
