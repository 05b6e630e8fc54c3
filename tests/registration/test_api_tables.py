"""Tables over every route of the interface for programs: what a body may not contain, and rows of
another organization in queries and bodies; the latter also for pages. The addresses are
``test_route_matrix``'s."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, ClassVar
from urllib.parse import unquote_plus

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.test import TestResponse

from registration.api import openapi
from tests.registration.route_table import FORMS, INFORMATION, NEWCOMER, QUERIES, TIERS, Row
from tests.registration.test_api import refusal
from tests.registration.test_pages import BASE
from tests.registration.test_route_matrix import GATED, SMUGGLED, Neighbours, build, own, said

__all__ = ["build"]
ROUTES = [one for one in GATED if one.is_api]
WRITES = [one for one in ROUTES if one.method == "POST"]
DOCUMENT = openapi.document("https://gateway.example")
Build = Callable[[], Neighbours]
#: What somebody would like to decide about his own request, of each kind.
WANTED = (
    "id", "organization_id", "organization", "person_id", "account_id", "actor", "on_behalf_of",
    "given_by", "is_operator", "groups", "office", "state", "status", "valid_from", "valid_until",
    "at", "request_id", "letter_reference", "acr", "role_groups",
)  # fmt: skip


def allowed(row: Row) -> str:
    """The tier with the most rights that may do it."""
    return next(one for one in reversed(TIERS) if row.answers[one] == "yes")


def objects(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of the body, with the prefix of its members."""
    yield "", body
    for name, value in body.items():
        for number, one in enumerate(value if isinstance(value, list) else ()):
            yield f"{name}[{number}].", one


def bodies(row: Row, members: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The valid body with these members more, in each of its objects; and the name of the first
    that is unknown there."""
    for number, (prefix, known) in enumerate(objects(row.form())):
        body = copy.deepcopy(row.form())
        _, place = list(objects(body))[number]
        added = {name: one for name, one in members.items() if name not in known}
        if first := next((name for name in added if name not in properties(row, prefix)), ""):
            place |= added
            yield f"{prefix}{first}", body


def operation(row: Row) -> dict[str, Any]:
    """What the description says of the route."""
    name = row.endpoint.removeprefix("api.")
    return next(
        one
        for item in DOCUMENT["paths"].values()
        for method, one in item.items()
        if method != "parameters" and one["operationId"] == name
    )


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][reference] if reference else schema


def properties(row: Row, prefix: str = "") -> dict[str, Any]:
    """The members of the body, or of the objects of a list in it."""
    content = operation(row)["requestBody"]["content"]["application/json"]
    found = resolved(content["schema"])
    if prefix:
        found = resolved(found["properties"][prefix.partition("[")[0]]["items"])
    assert found["additionalProperties"] is False
    return dict(found["properties"])


@pytest.mark.parametrize("row", WRITES, ids=str)
def test_mass_assignment_members_of_other_names_are_refused(build: Build, row: Row) -> None:
    """In each object of the body: one at a time, and every column of the tables at once. The
    problem names the member, and nothing is changed."""
    site = build()
    before, program = site.snapshot(), site.visitor(allowed(row))
    tried = 0
    every = dict.fromkeys(sorted(SMUGGLED - set(row.form())), "100009")
    for members in (every, *({name: one} for name in WANTED for one in ("100009", True))):
        for name, body in bodies(row, members):
            answer = program.post(site.path(row, own(row)), json=body, base_url=BASE)
            assert refusal(answer) == (400, "bad_request"), name
            assert answer.json["parameter"] == name  # type: ignore[index]
            tried += 1
    assert tried > len(WANTED)
    assert site.snapshot() == before


@pytest.mark.parametrize("row", ROUTES, ids=str)
def test_queries_with_other_names_are_refused(build: Build, row: Row) -> None:
    """The address of a change has no query; lists have that of the description."""
    site = build()
    program = site.visitor(allowed(row))
    before = site.snapshot()
    for name in ("organization", "as", "person_ids", "access_token", "is_operator"):
        path = site.path(row, own(row))
        options: dict[str, Any] = {"json": row.form()} if row.method == "POST" else {}
        answer = program.open(path, method=row.method, query_string={name: "100009"},
                              base_url=BASE, **options)  # fmt: skip
        assert refusal(answer) == (400, "bad_request")
        assert answer.json["parameter"] == name  # type: ignore[index]
    assert site.snapshot() == before


#: What names a row in a query or body: a foreign one, by route and name. Of what belongs to no
#: organization: None. A person does not (RG-04); roles and markets are the catalogue's.
FOREIGN: dict[tuple[str, str], tuple[dict[str, Any], str] | None] = {
    ("api.copied", "of"): ({}, "200001"),
    ("api.roles", "id"): ({"kind": "machine"}, "API Prairie Wind"),
    ("api.roles", "role"): None,
    ("api.contact_roles", "person"): ({}, "200001"),
    ("api.contact_roles", "role"): ({}, "zebra"),
    ("api.history", "person"): ({}, "200001"),
    ("api.persons", "person_id"): None,
    ("api.change_roles", "changes.id"): (
        {"action": "grant", "kind": "machine", "role": "robot"}, "API Prairie Wind",
    ),
    ("api.change_roles", "changes.role"): None,
    ("api.change_contact_roles", "changes.id"): None,
    ("api.change_contact_roles", "changes.role"): ({"action": "add", "id": NEWCOMER}, "zebra"),
    ("api.leaver", "successor"): None,
}  # fmt: skip
#: Texts that name no row.
FREE = {"q", "last_name", "first_name", "action", "why", "version", "name", "number"}


def names_of_rows() -> set[tuple[str, str]]:
    """Each text of a query or body in the description that may name a row."""
    found = set()
    for row in ROUTES:
        known = {one["name"]: one["schema"] for one in operation(row)["parameters"]}
        if row.method == "POST":
            known |= properties(row)
            for name in [name for name, one in known.items() if one.get("type") == "array"]:
                known |= {f"{name}.{key}": one for key, one in properties(row, f"{name}[").items()}
        found |= {
            (row.endpoint, name)
            for name, schema in known.items()
            if schema.get("type") == "string"
            and not schema.keys() & {"enum", "format"}
            and name.rpartition(".")[2] not in FREE
        }
    return found


def test_every_name_of_a_row_is_in_the_table() -> None:
    """A new parameter or member joins the table."""
    assert names_of_rows() == set(FOREIGN)


@pytest.mark.parametrize(
    ("place", "more", "foreign"),
    [(place, *one) for place, one in FOREIGN.items() if one],
    ids=[".".join(place) for place, one in FOREIGN.items() if one],
)
def test_tm07_a_foreign_row_in_a_query_or_body_is_answered_as_an_unknown_one(
    build: Build, place: tuple[str, str], more: dict[str, Any], foreign: str
) -> None:
    """TM-07: for each tier the same answer, word by word, and nothing of the other organization."""
    endpoint, name = place
    (row,) = [one for one in ROUTES if one.endpoint == endpoint]
    site = build()
    before = site.snapshot()
    for tier in TIERS[1:-1]:
        program = site.visitor(tier)
        answers = [
            sent(site, program, row, name, more | {name.rpartition(".")[2]: value})
            for value in (foreign, "999999")
        ]
        theirs, absent = (
            (one.status_code, one.text.replace(value, "ID"))
            for one, value in zip(answers, (foreign, "999999"), strict=True)
        )
        assert theirs == absent, tier
        assert "Zora" not in theirs[1]
    assert site.snapshot() == before


def sent(
    site: Neighbours, program: FlaskClient, row: Row, name: str, values: dict[str, Any]
) -> TestResponse:
    """The request, with these values in the query, or in the only change of the body."""
    path = site.path(row, own(row))
    if row.method == "GET":
        asked = {key: one for key, one in QUERIES.get(row.endpoint, {}).items() if key != name}
        return program.get(path, query_string=asked | values, base_url=BASE)
    body = FORMS[row.endpoint] | {name.partition(".")[0]: [values]}
    return program.post(path, json=body, base_url=BASE)


#: The same of pages: each field of a query or form that may name a row, with the texts that have a
#: foreign row in the place of {}. None where it names what belongs to no organization, or cells
#: that another field of the form names.
ON_PAGES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("GET pages.copy_roles", "of"): (("{}", "200001"),),
    ("GET pages.machines", "id"): (("{}", "API Prairie Wind"),),
    ("GET pages.export_machines", "id"): (("{}", "API Prairie Wind"),),
    ("GET pages.history", "person"): (("{}", "200001"),),
    ("GET pages.export_history", "person"): (("{}", "200001"),),
    ("POST pages.review", "cell"): (("machine|{}|robot", "API Prairie Wind"),),
    ("POST pages.review", "seen"): (),
    ("GET pages.review", "change"): (("+machine|{}|robot=0", "API Prairie Wind"),),
    ("POST pages.confirm", "change"): (("+machine|{}|robot=0", "API Prairie Wind"),),
    ("POST pages.review_contacts", "holding"): (("desk|section|{}", "2"),),
    ("POST pages.review_contacts", "seen"): (("desk|section|{}", "2"),),
    ("GET pages.review_contacts", "change"): (("+desk|section|{}", "2"),),
    ("POST pages.confirm_contacts", "change"): (
        ("+desk|section|{}", "2"), ("+{}|person|100009", "zebra"),
    ),
    ("GET pages.roles", "role"): (),
    ("GET pages.export_roles", "role"): (),
    ("GET pages.request_access", "role"): (),
    ("POST pages.ask_access", "role"): (),
    ("POST pages.confirm_import", "seen"): (),
    ("POST pages.register_person", "seen"): (),
    ("POST pages.confirm_leaver", "seen"): (),
    ("GET pages.leaver", "successor"): (),
    ("POST pages.confirm_leaver", "successor"): (),
} | {
    (f"GET pages.{one}", "person_id"): ()
    for one in ("find", "find_representative", "find_person", "find_contact", "find_custodian",
                "find_successor")
}  # fmt: skip
#: Fields of pages that name no row: choices, days, numbers, versions, words, and the values of
#: persons and sections.
WORDS = FREE | INFORMATION.keys() | {
    "action", "after", "at", "attested", "before", "close", "csrf_token", "decision",
    "description", "email", "file", "format", "from", "heading", "kind", "letter", "networks",
    "office", "order", "phone", "reason", "revision", "revoke_all", "since", "sort", "step",
    "text", "then", "until",
}  # fmt: skip


class Noting(ImmutableMultiDict[str, str]):
    """A query or form that notes which fields a view looks for."""

    looked_for: ClassVar[set[str]] = set()

    def get(self, key: str, *more: Any, **options: Any) -> Any:
        self.looked_for.add(key)
        return super().get(key, *more, **options)

    def getlist(self, key: str, *more: Any, **options: Any) -> Any:
        self.looked_for.add(key)
        return super().getlist(key, *more, **options)

    def __getitem__(self, key: str) -> str:
        self.looked_for.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.looked_for.add(str(key))
        return super().__contains__(key)


def test_every_field_of_a_page_that_may_name_a_row_is_in_the_table(build: Build) -> None:
    """A view of the URL map that reads another field needs a row, or a word in WORDS."""
    site = build()

    class NotingRequest(site.app.request_class):  # type: ignore[misc, name-defined]
        parameter_storage_class = Noting

    site.app.request_class = NotingRequest
    read: set[tuple[str, str]] = set()
    # What only shows comes first, so that nothing has ended when it is asked for.
    pages = {(one.method, one.endpoint): one for one in GATED if not one.is_api}
    for _, row in sorted(pages.items()):
        Noting.looked_for.clear()
        site.answer(site.visitor(allowed(row)), row, own(row))
        read |= {(f"{row.method} {row.endpoint}", name) for name in Noting.looked_for - WORDS}
    assert read == set(ON_PAGES)


@pytest.mark.parametrize(
    ("route", "name", "text", "foreign"),
    [(*place, *one) for place, found in ON_PAGES.items() for one in found],
)
def test_tm07_a_foreign_row_in_a_form_is_answered_as_an_unknown_one(
    build: Build, route: str, name: str, text: str, foreign: str
) -> None:
    """TM-07: the siblings on pages, for each tier that may open them."""
    row = next(one for one in GATED if f"{one.method} {one.endpoint}" == route)
    site = build()
    before = site.snapshot()
    for tier in (one for one in TIERS[1:-1] if row.answers[one] == "yes"):
        browser, shown = site.visitor(tier), []
        for value in (foreign, "999999"):
            answer = site.answer(browser, row, own(row), **{name: text.format(value)})
            assert said(answer) in ("yes", "400", "403", "404", "409")
            # Without what is drawn at random.
            page = re.sub(r'"csrf_token" value="[^"]+"|[0-9a-f]{16,}', "", answer.text)
            page = unquote_plus(unquote_plus(unescape(page)))
            page = page.replace(unquote_plus(text.format(value)), "ID")
            shown.append((answer.status_code, page.replace(value, "ID") if value != "2" else page))
        assert shown[0] == shown[1], tier
        assert "Zora" not in shown[0][1]
    assert site.snapshot() == before
