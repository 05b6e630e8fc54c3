"""Every route of registration, asked by everybody: who is allowed, who is refused, and for whom it
does not exist (TM-01, TM-07). ``route_table`` has the expected answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Table, select, update
from werkzeug.test import TestResponse

from registration import market_participations
from registration.app import create_app
from registration.delegation_facts import OFFICES, Actor
from registration.models import (
    AccessAssignment,
    AccessRole,
    Account,
    Appointment,
    Base,
    ContactRole,
    Custody,
    History,
    Machine,
    MachineNetwork,
    Market,
    Organization,
    Participation,
    Person,
    Request,
    Section,
)
from registration.transaction import Runtime, UnitOfWork
from tests import tables
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import NOW, OLD, TRADER, participant, person
from tests.registration.route_table import (
    FOREIGN_WORDS,
    FORMS,
    LAKES,
    LEAVER,
    NEWCOMER,
    PEOPLE,
    PRAIRIE,
    TIERS,
    VALUES,
    Row,
    rows,
)
from tests.registration.test_pages import BASE, STRONG, Site

ROWS = rows()
GATED = tuple(one for one in ROWS if not one.is_public)
OFFICERS = ("apprep", "ra", "pc", "ar")
#: In office beside those who ask, so that an end leaves somebody.
SECOND = {"apprep": "100013", "ra": "100011", "pc": "100014", "ar": "100015"}
Snapshot = dict[str, list[tuple[Any, ...]]]


@dataclass
class Neighbours(Site):
    """Two organizations with people in every office."""

    def answer(self, browser: FlaskClient, row: Row, values: dict[str, str],
               **more: str) -> TestResponse:  # fmt: skip
        """What this browser gets at the route, with its valid form and ``more`` fields."""
        path = self.path(row, values)
        sent = row.form() | more
        if row.is_api and row.method == "POST":
            return browser.post(path, json=sent, base_url=BASE)
        if row.method == "POST":
            return browser.post(path, data=sent, base_url=BASE)
        return browser.get(path, query_string=sent, base_url=BASE)

    def path(self, row: Row, values: dict[str, str]) -> str:
        rule = next(self.app.url_map.iter_rules(row.endpoint))
        known = {name: values[name] for name in rule.arguments}
        if known.get("appointment_id") in ("own", "foreign"):
            known["appointment_id"] = self.appointment(known["appointment_id"], row.variant)
        return rule.rule if not known else self.url(row.endpoint, known)

    def url(self, endpoint: str, values: dict[str, Any]) -> str:
        adapter = self.app.url_map.bind("localhost")
        numbers = {"appointment_id", "section_id", "machine_id", "participation_id"}
        known = {name: int(one) if name in numbers else one for name, one in values.items()}
        return adapter.build(endpoint, known)

    def appointment(self, whose: str, office: str) -> str:
        number = LAKES if whose == "own" else PRAIRIE
        with self.runtime.work() as work:
            row = work.db.scalars(
                select(Appointment)
                .join(Organization)
                .where(Organization.organization_id == number, Appointment.office == office)
                .order_by(Appointment.id.desc())
            ).first()
            assert row is not None
            return str(row.id)

    def visitor(self, tier: str) -> FlaskClient:
        groups = (self.runtime.settings.operator_group,) if tier == "ieso" else ()
        visitor = self.browser(PEOPLE[tier], groups=groups)
        if tier != "nobody":
            token = access_token(PEOPLE[tier], groups=list(groups))
            visitor.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return visitor

    def snapshot(self) -> Snapshot:
        """All rows of all tables but sessions, without what is drawn at random."""
        with self.runtime.work() as work:
            return {
                table.name: sorted(
                    (
                        tuple(row)
                        for row in work.db.execute(
                            select(*(one for one in table.columns if one.name not in DRAWN))
                        )
                    ),
                    key=str,
                )
                for table in Base.metadata.sorted_tables
                if table.name != "session"
            }


#: Columns that are drawn at random for each request.
DRAWN = {"message_id", "traceparent"}
#: The rows of these people, once made.
_PREPARED: dict[Table, list[dict[str, Any]]] = {}


@pytest.fixture
def build(runtime: Runtime, bridge: FakeBridge) -> Iterator[Callable[[], Neighbours]]:
    """Fills the tables with the same people for each call."""
    app = create_app(runtime.settings, runtime.ports)
    trust_our_key(app)
    # test_pages sends forms without a token.
    app.config["WTF_CSRF_ENABLED"] = False
    site = Neighbours(app, runtime, bridge)

    def made() -> Neighbours:
        with runtime.engine.begin() as connection:
            tables.refill(connection, Base.metadata, _PREPARED)
        if not _PREPARED:
            _people(runtime)
            with runtime.engine.connect() as connection:
                _PREPARED.update(tables.rows(connection, Base.metadata))
        return site

    yield made
    app.extensions["runtime"].close()


def _people(runtime: Runtime) -> None:
    with runtime.work() as work:
        lakes = participant(work)
        prairie = Organization(organization_id=PRAIRIE, name="Prairie Wind", applied_at=OLD,
                               created_at=OLD, updated_at=OLD)  # fmt: skip
        work.db.add(prairie)
        work.db.flush()
        person(work, NEWCOMER, "Olga Ivanov")
        person(work, PEOPLE["ieso"], "Iris Desk")
        person(work, LEAVER[0], "Leo Leaver")
        known = {tier: person(work, PEOPLE[tier], f"First {tier.title()}")
                 for tier in OFFICERS if tier != "ra"}  # fmt: skip
        for number, tier in enumerate(SECOND):
            second = person(work, SECOND[tier], f"Second {tier.title()}2")
            stranger = person(work, f"20000{number}", f"Zora {tier.title()}zebra")
            held = [(lakes, second), (prairie, stranger)]
            held += [(lakes, known[tier])] if tier in known else []
            for here, one in sorted(held, key=lambda pair: pair[1].person_id):
                work.db.add(Appointment(person_id=one.id, organization_id=here.id, office=tier,
                                        valid_from=OLD, given_by="test"))  # fmt: skip
        role = work.db.scalars(select(AccessRole).where(AccessRole.code == "view")).one()
        trader, leaver = (
            work.db.scalars(select(Account).where(Account.external_id == f"person-{one}")).one()
            for one in (TRADER, LEAVER[0])
        )
        for account in (trader, leaver):
            work.db.add(AccessAssignment(account_id=account.id, organization_id=lakes.id,
                                         access_role_id=role.id, valid_from=OLD,
                                         given_by="test"))  # fmt: skip
            work.db.flush()
        for code, market in (("desk", "energy"), ("zebra", "rights")):
            work.db.add(ContactRole(code=code, name=code, name_fr=code, held_by="both",
                                    exclusive_with=[], markets=[market],
                                    role_groups=["EMI"]))  # fmt: skip
        for here, name in ((lakes, "Desk"), (prairie, "Zora's desk")):
            work.db.add(Section(organization_id=here.id, name=name, valid_from=OLD,
                                given_by="test"))  # fmt: skip
            work.db.flush()
        for here, custodian in ((lakes, trader.person), (prairie, stranger)):
            machine(work, here, custodian)
        participations(work, lakes, prairie)
        for number, here, who in (
            ("R1000003", lakes, second),
            ("R1000004", prairie, stranger),
        ):
            work.db.add(Request(number=number, kind="access.request", state="open",
                                organization_id=here.id, person_id=who.id, opened_by=who.person_id,
                                opened_at=OLD, data={"role": "bids", "why": ""}))  # fmt: skip
        for number, here, by in (
            ("R1000001", lakes, SECOND["ra"]),
            ("R1000002", prairie, "200001"),
        ):
            work.db.add(Request(number=number, kind="appointment", state="done",
                                organization_id=here.id, opened_by=by, opened_at=OLD,
                                data={}))  # fmt: skip


def machine(work: UnitOfWork, here: Organization, custodian: Person | None) -> None:
    """A machine account with one network."""
    assert custodian is not None
    account = Account(external_id=f"machine-{here.name}", kind="machine", scim_id=here.name,
                      username=f"API {here.name}", created_at=OLD, created_by="test")  # fmt: skip
    work.db.add(account)
    work.db.flush()
    row = Machine(account_id=account.id, organization_id=here.id, created_at=OLD,
                  description=f"Bids of {here.name}", created_by="test")  # fmt: skip
    work.db.add(row)
    work.db.flush()
    given: dict[str, Any] = {"machine_id": row.id, "valid_from": OLD, "given_by": "test"}
    work.db.add_all([Custody(person_id=custodian.id, **given),
                     MachineNetwork(network="192.0.2.1/32", **given)])  # fmt: skip


def participations(work: UnitOfWork, lakes: Organization, prairie: Organization) -> None:
    """Lakes has applied for another market; Prairie takes part in one."""
    work.db.add(Market(code="demand", name="Demand", name_fr="Demande", kind="program",
                       position=2))  # fmt: skip
    work.db.flush()
    market_participations.apply(work, Actor(PEOPLE["ieso"], is_operator=True), lakes, "demand")
    energy = work.db.scalars(select(Market.id).where(Market.code == "energy")).one()
    work.db.add(Participation(organization_id=prairie.id, market_id=energy, applied_at=OLD,
                              applied_by="test", approved_at=OLD))  # fmt: skip
    work.db.flush()


def own(row: Row) -> dict[str, str]:
    return {name: row.values(name)[0] for name in VALUES}


def said(answer: TestResponse) -> str:
    """The answer, in the words of the table."""
    if answer.status_code == 303 and answer.location.startswith("/signin"):
        return "sign-in"
    return "yes" if answer.status_code in (200, 201, 303) else str(answer.status_code)


def leaks(answer: TestResponse) -> list[str]:
    return [word for word in FOREIGN_WORDS if word in answer.get_data(as_text=True)]


def test_tm01_every_route_has_a_row(build: Callable[[], Neighbours]) -> None:
    """Complete by construction: rows, values of arguments and forms."""
    rules = list(build().app.url_map.iter_rules())
    routes = {
        (method, rule.endpoint)
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(row.method, row.endpoint) for row in ROWS} == routes
    needed = {name for row in GATED for rule in rules if rule.endpoint == row.endpoint
              for name in rule.arguments}  # fmt: skip
    assert needed == set(VALUES)
    assert {row.endpoint for row in GATED if row.method == "POST"} == set(FORMS)


@pytest.mark.parametrize("row", GATED, ids=str)
def test_tm01_each_tier_gets_the_answer_of_the_table(
    build: Callable[[], Neighbours], row: Row
) -> None:
    """TM-01: with a form that works; whoever is refused changes nothing."""
    site = build()
    before, found = site.snapshot(), {}
    allowed = [tier for tier in TIERS if row.answers[tier] == "yes"]
    for tier in sorted(TIERS, key=allowed.__contains__):
        if tier in allowed and row.method == "POST":
            # Together, those who are refused changed nothing.
            assert tier != allowed[0] or site.snapshot() == before
            site = build()
        answer = site.answer(site.visitor(tier), row, own(row))
        found[tier] = said(answer)
        assert leaks(answer) == [] or tier == "ieso"
    assert found == row.answers
    if row.method == "GET":
        assert site.snapshot() == before


@pytest.mark.parametrize("row", GATED, ids=str)
def test_tm07_foreign_and_absent_objects_do_not_exist(
    build: Callable[[], Neighbours], row: Row
) -> None:
    """TM-07: each argument of the address in turn names what another organization has, and what
    nobody has."""
    site = build()
    arguments = next(site.app.url_map.iter_rules(row.endpoint)).arguments
    before = site.snapshot()
    visitors = {tier: site.visitor(tier) for tier in TIERS}
    for name in sorted(arguments):
        mine, foreign, absent = row.values(name)
        for value in {foreign, absent} - {mine}:
            for tier, visitor in visitors.items():
                if tier == "ieso" and name != "appointment_id" and value == foreign:
                    continue
                answer = site.answer(visitor, row, own(row) | {name: value})
                assert said(answer) in expected_abroad(row, tier, name), (tier, name, value)
                assert leaks(answer) in ([], [value]), (tier, name, value)
    assert site.snapshot() == before


def expected_abroad(row: Row, tier: str, name: str) -> set[str]:
    """Whoever may not do it even at home may be told so before the object is looked for."""
    if tier == "nobody":
        return {"401" if row.is_api else "sign-in"}
    asked_first = {"organization_id"} | (set() if row.variant == "asked" else {"number"})
    is_refused = row.answers[tier] == "403" and name not in asked_first
    return {"404", "403"} if is_refused else {"404"}


@pytest.mark.parametrize("column", ["valid_until", "ended_at"])
def test_an_administrator_who_was_ended_has_no_rights_from_then_on(
    build: Callable[[], Neighbours], column: str
) -> None:
    """The same browser, the next request: the organization does not exist any more."""
    site = build()
    browsers = {tier: site.visitor(tier) for tier in OFFICERS}
    end = {"valid_until": NOW} | (
        {"ended_at": NOW, "ended_by": "test"} if column == "ended_at" else {}
    )
    with site.runtime.work() as work:
        work.db.execute(update(Appointment).values(**end))
    before = site.snapshot()
    for row in GATED:
        if "organization_id" not in next(site.app.url_map.iter_rules(row.endpoint)).arguments:
            continue
        for tier, browser in browsers.items():
            answer = site.answer(browser, row, own(row))
            assert said(answer) == "404", (str(row), tier)
    assert site.snapshot() == before


@pytest.mark.parametrize("tier", [*OFFICERS, "ieso"])
def test_tm01_nobody_appoints_himself(build: Callable[[], Neighbours], tier: str) -> None:
    """TM-01: to no office, not even to one that he may give to others."""
    site = build()
    before, browser = site.snapshot(), site.visitor(tier)
    for row in GATED:
        if row.endpoint in ("pages.review_appointment", "pages.confirm_appointment"):
            answer = site.answer(browser, row, own(row) | {"person_id": PEOPLE[tier]})
            assert said(answer) in ("400", "403"), str(row)
    assert site.snapshot() == before


#: Names of columns: what a careless handler would take over from a form.
COLUMNS = {column.name for table in Base.metadata.sorted_tables for column in table.columns}
SMUGGLED = {*COLUMNS, "actor", "is_operator", "acr", "groups", "tier", "organization", "at"}


@pytest.mark.parametrize(
    "row", [one for one in GATED if one.method == "POST" and not one.is_api], ids=str
)
def test_mass_assignment_unknown_fields_change_nothing(
    build: Callable[[], Neighbours], row: Row
) -> None:
    """A form does the same with a field for every column there is, as without."""
    tier = next(one for one in reversed(TIERS) if row.answers[one] == "yes")
    outcomes = []
    for value in (None, PRAIRIE, "2099-01-01"):
        site = build()
        more = {} if value is None else dict.fromkeys(SMUGGLED - set(row.form()), value)
        answer = site.answer(site.visitor(tier), row, own(row), **more)
        outcomes.append((said(answer), site.snapshot()))
    answers, states = zip(*outcomes, strict=True)
    assert set(answers) == {"yes"}
    for table, kept in states[0].items():
        assert kept == states[1][table] == states[2][table], table


@pytest.mark.parametrize("row", [one for one in GATED if one.method == "POST"], ids=str)
def test_a_form_that_is_sent_twice_is_done_once(build: Callable[[], Neighbours], row: Row) -> None:
    """Stale and repeated forms: the second time nothing is written, and nothing fails."""
    tier = next(one for one in reversed(TIERS) if row.answers[one] == "yes")
    site = build()
    site.answer(site.visitor(tier), row, own(row))
    once = site.snapshot()
    again = site.answer(site.visitor(tier), row, own(row))
    assert again.status_code < 500
    assert site.snapshot() == once


#: Done without a second factor of the last minutes: the own information, a person who is nothing
#: yet, what only shows, and what asks somebody else to decide.
NOT_SENSITIVE = {
    "pages.review_information", "pages.store_information", "pages.new_person",
    "pages.review_person", "pages.register_person", "pages.review_correction", "pages.ask_access",
}  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [one for one in GATED if one.method == "POST" and one.endpoint not in NOT_SENSITIVE],
    ids=str,
)
@pytest.mark.parametrize(("acr", "minutes"), [("urn:ieso:acr:password", 0), (STRONG, 16)])
def test_a_sensitive_form_needs_a_fresh_second_factor(
    build: Callable[[], Neighbours], row: Row, acr: str, minutes: int
) -> None:
    """``acr`` mfa of the last 15 minutes, or nothing is done, whoever asks."""
    site = build()
    before = site.snapshot()
    for tier in TIERS[1:]:
        groups = (site.runtime.settings.operator_group,) if tier == "ieso" else ()
        browser = site.browser(PEOPLE[tier], acr=acr, minutes=minutes, groups=groups)
        since = int((NOW - timedelta(minutes=minutes)).timestamp())
        token = access_token(PEOPLE[tier], acr=acr, auth_time=since, groups=list(groups))
        browser.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        answers = {401, 403} if row.is_api else {200, 400, 403, 404}
        # What does not exist for somebody is not there with any factor.
        answers |= {404} if row.answers[tier] == "404" else set()
        assert site.answer(browser, row, own(row)).status_code in answers
    assert site.snapshot() == before


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


@pytest.mark.parametrize(
    "row", [one for one in GATED if one.endpoint.startswith("pages.export")], ids=str
)
def test_downloads_have_no_formulas(build: Callable[[], Neighbours], row: Row) -> None:
    """Names and reasons that people type are text in every spreadsheet."""
    site = build()
    for formula in FORMULAS:
        with site.runtime.work() as work:
            first = work.db.scalars(select(Account).where(Account.person_id.is_not(None))).all()
            for account in first:
                assert account.person is not None
                account.person.first_name = account.person.preferred_name = formula
            here = work.db.scalars(
                select(Organization).where(Organization.organization_id == LAKES)
            ).one()
            for kind in (Section, ContactRole, Market):
                for one in work.db.scalars(select(kind)):
                    one.name = formula
            work.db.add(History(at=work.now, actor="test", action="access.granted",
                                organization_id=here.id, before={}, after={},
                                reason=formula))  # fmt: skip
        browser = site.visitor("ra")
        answer = browser.get(
            site.path(row, own(row)), query_string={"format": "csv"}, base_url=BASE
        )
        assert answer.mimetype == "text/csv"
        cells = [one for line in csv.reader(io.StringIO(answer.text)) for one in line]
        assert any(formula.strip() in one for one in cells)
        assert not [one for one in cells if one.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_the_offices_of_the_table_are_all_there_are() -> None:
    """A new office needs a column."""
    assert {one.value for one in OFFICES} == set(OFFICERS) == set(SECOND)
