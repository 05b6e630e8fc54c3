"""The pages of registration that are measured: all that a GET shows, by endpoint."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from benchmarks.registration_data import LARGE_ID, Cast
from idp.demo.crowd import FAMILY, GIVEN

HERE = f"/organizations/{LARGE_ID}"
API = f"/api/v1{HERE}"
LETTERS = tuple(first + second for first in "cglmps" for second in "aeiou")
#: The bar, in milliseconds for the 95th percentile.
BARS = {"grid: 500 people, 40 roles": 150.0}
#: Who visits the page: the holder of an office, the IESO, a program of the Rights
#: Administrator, somebody who comes back from the gateway, or nobody in particular.
RA, APPREP, PC, AR = "ra", "apprep", "pc", "ar"
IESO, PROGRAM, RETURNING, ANYBODY = "ieso", "program", "returning", ""


@dataclass(frozen=True)
class Page:
    """What is asked for: an endpoint, by whom, at which addresses, and the status it answers."""

    name: str
    endpoint: str
    paths: tuple[str, ...]
    who: str = RA
    status: int = 200

    @property
    def bar(self) -> float | None:
        """Milliseconds that the 95th percentile may take."""
        return BARS.get(self.name)


def unmeasured(app: Flask) -> list[str]:
    """The endpoints of the URL map that answer a GET and have no page here."""
    shown = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    return sorted(shown - {endpoint for _, endpoint, *_ in _rows()})


def pages(cast: Cast, rng: random.Random, count: int) -> list[Page]:
    """Every page, with ``count`` addresses."""
    return [
        Page(name, endpoint, tuple(_addresses(path, cast, rng, count)), *more)
        for name, endpoint, path, *more in _rows()
    ]


def _rows() -> tuple[tuple[Any, ...], ...]:
    return (*ENTRANCE, *GRID, *PEOPLE, *OFFICES, *DESKS, *PROGRAMS)


def _addresses(path: str, cast: Cast, rng: random.Random, count: int) -> Iterator[str]:
    """The path with what it names: somebody and something of the organization, at random. Nobody
    with an office, who may not do everything to himself."""
    holders = cast.people[len(cast.offices) :]
    for _ in range(count):
        person, role = rng.choice(cast.not_held)
        names = {"last_name": rng.choice(FAMILY), "first_name": rng.choice(GIVEN)}
        yield path.format(
            here=HERE, api=API, person=rng.choice(holders), colleague=cast.people[1],
            successor=cast.people[-1],
            machine=rng.choice(cast.machines), request=cast.request, section=cast.section,
            participation=cast.participation, contact=cast.contact_role, market=cast.market,
            ar=cast.appointments[AR], ra=cast.appointments[RA], apprep=cast.appointments[APPREP],
            family=urlencode({"last_name": names["last_name"]}), names=urlencode(names),
            q=urlencode({"q": names["last_name"]}), letters=rng.choice(LETTERS),
            grant=urlencode({"change": f"+person|{person}|{role}=0"}),
            contacts=urlencode({"change": f"+{cast.contact_role}|person|{cast.people[5]}"}),
        )  # fmt: skip


ENTRANCE = (
    ("floor: /healthz", "healthz", "/healthz", ANYBODY),
    ("ready: /readyz", "readyz", "/readyz", ANYBODY),
    ("style sheet", "static", "/static/style.css", ANYBODY),
    ("brand: colours", "hosted.brand_colours", "/brand/colours.css", ANYBODY),
    ("brand: no logo of its own", "hosted.brand_logo", "/brand/logo", ANYBODY, 404),
    ("sign in: to the gateway", "auth.sign_in", "/signin", ANYBODY, 302),
    ("sign in: back from the gateway", "auth.callback", "/callback", RETURNING, 303),
    ("sign out: the question", "auth.sign_out", "/signout"),
    ("signed out", "auth.signed_out", "/signed-out", ANYBODY),
    ("home: 150 tasks", "pages.home", "/"),
    ("Manage My Information", "pages.my_information", "/my-information"),
    ("request", "pages.request", "/requests/{request}"),
)
GRID = (
    ("grid: 500 people, 40 roles", "pages.roles", "{here}/roles"),
    ("grid: those who hold a role", "pages.roles", "{here}/roles?role=more-39"),
    ("grid: one name", "pages.roles", "{here}/roles?{q}"),
    ("grid: a past day", "pages.roles", "{here}/roles?at=2026-01-15"),
    ("grid: 50 machines", "pages.roles", "{here}/roles?kind=machine"),
    ("grid: as the IESO sees it", "pages.roles", "{here}/roles", IESO),
    ("grid: download", "pages.export_roles", "{here}/roles/export?format=csv"),
    ("review of a grant", "pages.review", "{here}/roles/review?{grant}"),
    ("grant: whom", "pages.find", "{here}/grant?{family}"),
    ("roles of one person", "pages.account_roles", "{here}/persons/{person}/roles"),
    ("copy: choice of a colleague", "pages.copy_roles", "{here}/persons/{person}/copy"),
    ("copy: roles of a colleague", "pages.copy_roles",
     "{here}/persons/{person}/copy?of={colleague}"),
    ("request access", "pages.request_access", "{here}/request-access"),
)  # fmt: skip
PEOPLE = (
    ("search: family name", "pages.find_person", "{here}/persons?{family}"),
    ("search: two names", "pages.find_person", "{here}/persons?{names}"),
    ("search: two letters", "pages.find_person", "{here}/persons?last_name={letters}"),
    ("search: Person ID", "pages.find_person", "{here}/persons?person_id={person}"),
    ("person", "pages.person", "{here}/persons/{person}"),
    ("person: correction", "pages.correct_person", "{here}/persons/{person}/information", IESO),
    ("new person", "pages.new_person", "{here}/new-person"),
    ("import", "pages.import_people", "{here}/import"),
    ("import: template", "pages.import_template", "{here}/import/template"),
    ("leaver", "pages.leaver", "{here}/persons/{person}/leaver"),
    ("history: newest 100", "pages.history", "{here}/history"),
    ("history: one person", "pages.history", "{here}/history?person={person}"),
    ("history: download", "pages.export_history", "{here}/history/export?format=csv"),
)
OFFICES = (
    ("representatives", "pages.representatives", "{here}/representatives"),
    ("representatives: download", "pages.export_representatives", "{here}/representatives/export"),
    ("appoint: whom", "pages.find_representative", "{here}/representatives/appoint?{family}", AR),
    ("appoint", "pages.appoint", "{here}/representatives/appoint/{person}", AR),
    ("appoint: review", "pages.review_appointment",
     "{here}/representatives/appoint/{person}/review?office=pc", AR),
    ("end of an appointment", "pages.end_appointment", "{here}/representatives/{ra}/end", PC),
    ("contact roles", "pages.contact_roles", "{here}/contact-roles"),
    ("contact roles: download", "pages.export_contact_roles", "{here}/contact-roles/export"),
    ("contact roles: find", "pages.find_contact", "{here}/contact-roles/find?{q}", APPREP),
    ("contact roles: one role", "pages.contact_role", "{here}/contact-roles/of/{contact}", APPREP),
    ("contact roles: one person", "pages.contact_person", "{here}/persons/{person}/contact-roles",
     APPREP),
    ("contact roles: review", "pages.review_contacts", "{here}/contact-roles/review?{contacts}",
     APPREP),
    ("sections", "pages.sections", "{here}/sections"),
    ("sections: download", "pages.export_sections", "{here}/sections/export"),
    ("section: contact roles", "pages.contact_section", "{here}/sections/{section}/contact-roles",
     APPREP),
    ("section: correction", "pages.correct_section", "{here}/sections/{section}/information",
     APPREP),
    ("section: end", "pages.end_section", "{here}/sections/{section}/end", APPREP),
    ("section: new", "pages.new_section", "{here}/new-section", APPREP),
)  # fmt: skip
DESKS = (
    ("machines: 50", "pages.machines", "{here}/machines"),
    ("machines: download", "pages.export_machines", "{here}/machines/export"),
    ("machine", "pages.machine", "{here}/machines/{machine}"),
    ("machine: at the gateway", "pages.check_machine", "{here}/machines/{machine}/gateway"),
    ("machine: networks", "pages.networks", "{here}/machines/{machine}/networks"),
    ("machine: next custodian", "pages.find_successor",
     "{here}/machines/{machine}/custodian?{family}"),
    ("machine: hand over", "pages.hand_over", "{here}/machines/{machine}/custodian/{successor}"),
    ("machine: end", "pages.stop_machine", "{here}/machines/{machine}/stop"),
    ("machine: new, custodian", "pages.find_custodian", "{here}/new-machine?{family}"),
    ("machine: new", "pages.new_machine", "{here}/new-machine/{person}"),
    ("participations", "pages.participations", "{here}/participations"),
    ("participations: download", "pages.export_participations", "{here}/participations/export"),
    ("participation", "pages.participation", "{here}/participations/{participation}"),
    ("participation: end", "pages.end_participation", "{here}/participations/{participation}/end",
     IESO),
    ("participation: choice", "pages.find_participation",
     "{here}/participations/apply?kind=program", APPREP),
    ("participation: apply", "pages.apply", "{here}/participations/apply/{market}", APPREP),
    ("IESO: home, 150 tasks", "pages.home", "/", IESO),
    ("update of an organization", "pages.update_organization", "{here}/update"),
    ("IESO: organizations", "pages.organizations", "/organizations", IESO),
    ("IESO: name of an organization", "pages.organization_name", "{here}/name", IESO),
    ("IESO: new organization", "pages.new_organization", "/new-organization", IESO),
)  # fmt: skip
PROGRAMS = (
    ("API: description", "api.openapi", "/api/v1/openapi.json", ANYBODY),
    ("API: organizations", "api.organizations", "/api/v1/organizations", PROGRAM),
    ("API: roles, 500 people", "api.roles", "{api}/roles?limit=500", PROGRAM),
    ("API: roles, first 100", "api.roles", "{api}/roles", PROGRAM),
    ("API: contact roles", "api.contact_roles", "{api}/contact-roles", PROGRAM),
    ("API: persons", "api.persons", "{api}/persons?{family}", PROGRAM),
    ("API: roles of a colleague", "api.copied", "{api}/persons/{person}/copy?of={colleague}",
     PROGRAM),
    ("API: history", "api.history", "{api}/history", PROGRAM),
    ("API: requests", "api.requests", "{api}/requests", PROGRAM),
    ("API: request", "api.request", "/api/v1/requests/{request}", PROGRAM),
)  # fmt: skip
