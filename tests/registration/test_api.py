"""The interface for programs: tokens, grants and revocations, lists, and its description."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from requests import ConnectionError as NotConnected
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from registration import browser_sessions, history_list, persons, requests
from registration.api import openapi
from registration.delegation_facts import Actor
from registration.gateway_keys import GatewayKeys
from registration.models import Account, History, Notice, Person, Push, Request
from registration.problems import KINDS, PREFIX
from registration.transaction import Origin
from tests.registration.api_tokens import KEY, access_token, trust_our_key
from tests.registration.participant import NOW, RA, TRADER
from tests.registration.test_pages import BASE, COMPLETE, Site
from tests.registration.test_pages import site as _site

API = "/api/v1"
HERE = f"{API}/organizations/109120"
CHANGES = f"{HERE}/roles/changes"
site = _site
BIDS = {"action": "grant", "kind": "person", "id": TRADER, "role": "bids", "version": 0}


@pytest.fixture
def program(site: Site) -> FlaskClient:
    """A program; each call gives its token."""
    trust_our_key(site.app)
    return site.app.test_client()


def read(program: FlaskClient, path: str, token: str = "", **query: str) -> TestResponse:
    head = {"Authorization": f"Bearer {token or access_token(RA)}"}
    answer = program.get(path, headers=head, query_string=query, base_url=BASE)
    return conforms(answer, path, "get")


def send(program: FlaskClient, *changes: Any, token: str = "", **more: Any) -> TestResponse:
    head = {"Authorization": f"Bearer {token or access_token(RA)}"}
    body = {"changes": list(changes)} | more
    return conforms(program.post(CHANGES, json=body, headers=head, base_url=BASE), CHANGES, "post")


def conforms(answer: TestResponse, path: str, method: str) -> TestResponse:
    """The answer is as the description says."""
    document = openapi.document("https://gateway.example")
    wanted: Any = {"$ref": "#/components/schemas/Problem"}
    if answer.status_code < 400:
        template = path.removeprefix(API).replace("109120", "{organization_id}")
        template = re.sub("/persons/[0-9]+/", "/persons/{person_id}/", template)
        if template.startswith("/requests/"):
            template = "/requests/{number}"
        found = document["paths"][template][method]["responses"][str(answer.status_code)]
        wanted = found["content"]["application/json"]["schema"]
    else:
        assert answer.content_type == "application/problem+json"
        assert answer.json["status"] == answer.status_code  # type: ignore[index]
    schema = {"components": document["components"], **wanted}
    Draft202012Validator(schema).validate(answer.json)
    return answer


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Status and type of a problem."""
    return answer.status_code, answer.json["type"].removeprefix(PREFIX)  # type: ignore[index]


def test_ar06_a_role_is_granted_in_one_call_and_revoked(site: Site, program: FlaskClient) -> None:
    """AR-05, AR-06, AR-09, PR-06: tried by the gateway, ordered with history, mails and push in one
    transaction; the Request Number is in the answer."""
    done = send(program, BIDS, why="New desk")
    assert done.status_code == 201
    found = done.json
    assert (found["request"]["number"], found["reminders"]) == ("R0000001", [])
    assert (found["possible"], found["changes"][0]["remarks"]) == (True, [])
    assert "1 session ends." in found["effects"]
    assert site.held() == {"bids"}
    assert done.headers["Location"] == f"{API}/requests/R0000001"
    with site.runtime.work() as work:
        row = work.db.scalars(select(History).where(History.action == "access.granted")).one()
        assert (row.actor, row.reason) == (RA, "New desk")
        assert work.db.scalars(select(Push)).one().state == "queued"
        assert work.db.scalar(select(func.count()).select_from(Notice))
    order = read(program, done.headers["Location"]).json
    assert (order["state"], order["opened_by"], order["organization"]) == ("open", RA, "109120")
    assert read(program, f"{HERE}/requests").json["requests"] == [order]
    rows = {one["id"]: one for one in read(program, f"{HERE}/roles").json["rows"]}
    assert [one["role"] for one in rows[TRADER]["holds"]] == ["bids"]
    assert rows[TRADER]["versions"] == {"bids": 1}
    entries = read(program, f"{HERE}/history", action="access.granted").json["entries"]
    assert [(one["actor"], one["person"], one["reason"]) for one in entries] == [
        (RA, TRADER, "New desk")
    ]
    ended = send(program, BIDS | {"action": "revoke", "version": 1})
    assert ended.status_code == 201
    assert site.held() == set()


def test_a_preview_changes_nothing(site: Site, program: FlaskClient) -> None:
    """AR-05: the same answer, without a request."""
    tried = send(program, BIDS, preview=True)
    assert (tried.status_code, tried.json["possible"], tried.json["request"]) == (200, True, None)
    assert site.held() == set()
    with site.runtime.work() as work:
        for table in (Request, Push, History):
            assert work.db.scalar(select(func.count()).select_from(table)) == 0


def test_tm10_a_preview_reminds_of_an_identity_that_changed(
    site: Site, program: FlaskClient
) -> None:
    """TM-10: at the next grant after it, with the sentence of the page; not at a revocation."""
    assert send(program, BIDS).status_code == 201
    clock: Any = site.runtime.ports.clock
    clock.moment += timedelta(minutes=1)
    change_phone(site)
    tried = send(program, BIDS | {"role": "view"}, preview=True).json
    assert "of Ada Moreau changed on" in tried["reminders"][0]
    ended = send(program, BIDS | {"action": "revoke", "version": 1}, preview=True).json
    assert ended["reminders"] == []


def change_phone(site: Site) -> None:
    """The trader has a new telephone number."""
    with site.runtime.work(Origin(TRADER)) as work:
        row = work.db.scalars(select(Person).where(Person.person_id == TRADER)).one()
        for name, value in COMPLETE.items():
            setattr(row, name, value)
        work.db.flush()
        entered = replace(persons.fields_of(row), main_phone="+17055550199")
        persons.update(work, Actor(TRADER), row, entered, row.version)


def test_a_change_that_is_sent_twice_is_made_once(site: Site, program: FlaskClient) -> None:
    """The version makes a repetition harmless; with the version of now nothing is left to do."""
    assert send(program, BIDS).status_code == 201
    again = send(program, BIDS)
    assert refusal(again) == (409, "batch_not_possible")
    assert again.json["changes"][0]["remarks"] == ["Somebody else has granted this role."]
    same = send(program, BIDS | {"version": 1})
    assert (same.status_code, same.json["request"], same.json["effects"]) == (200, None, [])
    with site.runtime.work() as work:
        assert work.db.scalar(select(func.count()).select_from(Request)) == 1


def test_two_programs_at_once_make_a_change_once(site: Site, program: FlaskClient) -> None:
    """The second one sees what the first one did; history and roles agree."""
    both, token = threading.Barrier(2), access_token(RA)

    def one(_: int) -> int:
        own = site.app.test_client()
        both.wait(30)
        return send(own, BIDS, token=token).status_code

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(one, range(2))) == [201, 409]
    with site.runtime.work() as work:
        entries = select(func.count()).where(History.action == "access.granted")
        assert work.db.scalar(entries) == 1
    assert site.held() == {"bids"}


def test_a_batch_is_made_as_a_whole_or_not_at_all(site: Site, program: FlaskClient) -> None:
    """AR-03, RG-13: a role of a participation that is not approved stops the other change too."""
    answer = send(program, BIDS, BIDS | {"role": "auction"})
    assert refusal(answer) == (409, "batch_not_possible")
    assert [bool(one["remarks"]) for one in answer.json["changes"]] == [False, True]
    assert site.held() == set()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"iss": "https://evil.example"}, (401, "token_invalid")),
        ({"aud": "emi"}, (401, "token_invalid")),
        ({"aud": "registration-system"}, (401, "token_invalid")),
        ({"aud": None}, (401, "token_invalid")),
        ({"exp": int(NOW.timestamp()) - 6}, (401, "token_invalid")),
        ({"exp": None}, (401, "token_invalid")),
        ({"iat": int(NOW.timestamp()) + 60}, (401, "token_invalid")),
        ({"jti": None}, (401, "token_invalid")),
        ({"client_id": None}, (401, "token_invalid")),
        ({"sub": ["x"]}, (401, "token_invalid")),
        ({"scope": ["registration.read"]}, (401, "token_invalid")),
        ({"auth_time": "1"}, (401, "token_invalid")),
        ({"cnf": {"jkt": "x" * 43}}, (401, "token_invalid")),
        ({"header": {"typ": "JWT"}}, (401, "token_invalid")),
        ({"header": {"typ": "logout+jwt"}}, (401, "token_invalid")),
        ({"header": {"kid": "other"}}, (401, "token_invalid")),
        ({"key": ECKey.generate_key("P-256", {"kid": "k1"})}, (401, "token_invalid")),
        ({"scope": "openid"}, (403, "scope_missing")),
        ({"scope": None}, (403, "scope_missing")),
        ({"sub": "nobody"}, (403, "person_unknown")),
        ({"sub": "program", "auth_time": None}, (403, "not_a_person")),
        ({"auth_time": None}, (403, "not_a_person")),
        ({"header": {"typ": "application/at+jwt"}}, None),
    ],
)
def test_each_check_of_a_token(
    program: FlaskClient, change: dict[str, Any], said: tuple[int, str] | None
) -> None:
    """RFC 9068 section 4, RFC 6750 section 3."""
    answer = read(program, f"{HERE}/roles", access_token(RA, **change))
    assert said == (refusal(answer) if answer.status_code >= 400 else None)
    if said and said[0] == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    if said and said[1] == "scope_missing":
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_scope", scope="registration.read"'
        )


def test_reading_is_no_writing(site: Site, program: FlaskClient) -> None:
    """A token with registration.read changes nothing."""
    answer = send(program, BIDS, token=access_token(RA, scope="registration.read"))
    assert refusal(answer) == (403, "scope_missing")
    assert site.held() == set()


def test_machines_are_refused(site: Site, program: FlaskClient) -> None:
    """A machine account has no rights here, also with a moment of sign-in in its token."""
    with site.runtime.work() as work:
        work.db.add(Account(external_id="m", kind="machine", username="API1", scim_id="scim-m",
                            created_at=NOW, created_by="test"))  # fmt: skip
    answer = read(program, f"{HERE}/roles", access_token("m"))
    assert refusal(answer) == (403, "not_a_person")


def test_an_account_that_has_ended_is_nobody(site: Site, program: FlaskClient) -> None:
    with site.runtime.work() as work:
        work.db.execute(update(Account).values(ended_at=NOW))
    assert refusal(read(program, f"{HERE}/roles")) == (403, "person_unknown")


@pytest.mark.parametrize("change", [{"acr": "urn:ieso:acr:password"}, {"acr": None},
                                    {"auth_time": int(NOW.timestamp()) - 901}])  # fmt: skip
def test_a_change_needs_a_fresh_factor(
    site: Site, program: FlaskClient, change: dict[str, Any]
) -> None:
    """RFC 9470: a second factor of the last 15 minutes; reading needs none."""
    token = access_token(RA, **change)
    for more in ({}, {"preview": True}):
        answer = send(program, BIDS, token=token, **more)
        assert refusal(answer) == (401, "factor_needed")
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer error="insufficient_user_authentication", '
            'acr_values="urn:ieso:acr:mfa phr", max_age="900"'
        )
    assert site.held() == set()
    assert read(program, f"{HERE}/roles", token).status_code == 200


def test_whoever_signs_out_ends_his_tokens(site: Site, program: FlaskClient) -> None:
    """Back-Channel Logout: tokens of before are refused, those of a later sign-in are not."""
    with site.runtime.work() as work:
        claims = {browser_sessions.PERSON_ID: RA, "sid": "s1", "sub": f"scim-{RA}",
                  "auth_time": int(NOW.timestamp())}  # fmt: skip
        browser_sessions.start(work, claims, "id-token")
    assert read(program, f"{HERE}/roles").status_code == 200
    with site.runtime.work() as work:
        logout = {"jti": "l1", "sid": "s1", "exp": int(NOW.timestamp()) + 60}
        assert browser_sessions.end_by_gateway(work, logout)
    ended = read(program, f"{HERE}/roles")
    assert refusal(ended) == (401, "session_ended")
    assert ended.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert read(program, f"{API}/organizations", access_token(TRADER)).status_code == 200
    later = access_token(RA, iat=int(NOW.timestamp()) + 1)
    assert read(program, f"{HERE}/roles", later).status_code == 200


def test_cookies_open_no_interface_and_tokens_no_page(site: Site) -> None:
    """Neither the session of a browser here, nor an access token there; nothing is shared with
    pages of other sites (no CORS)."""
    trust_our_key(site.app)
    browser = site.browser(RA)
    answer = conforms(browser.get(f"{HERE}/roles", base_url=BASE), f"{HERE}/roles", "get")
    assert refusal(answer) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    program, head = site.app.test_client(), {"Authorization": f"Bearer {access_token(RA)}"}
    page = program.get("/organizations/109120/roles", headers=head, base_url=BASE)
    assert (page.status_code, page.location.split("?")[0]) == (303, "/signin")
    found = program.get(f"{HERE}/roles", base_url=BASE,
                        headers=head | {"Origin": "https://evil.example"})  # fmt: skip
    assert found.status_code == 200
    assert "Set-Cookie" not in found.headers
    assert not [name for name, _ in found.headers if name.startswith("Access-Control")]
    assert found.headers["Cache-Control"] == "no-store"
    asked = f"{HERE}/roles?access_token={access_token(RA)}"
    assert refusal(program.get(asked, base_url=BASE)) == (401, "token_missing")


def test_keys_are_read_again_and_an_absent_gateway_is_named(
    site: Site, program: FlaskClient
) -> None:
    """A key that was added is found after seconds, one that was revoked is gone after minutes."""
    clock: Any = site.runtime.ports.clock
    other = ECKey.generate_key("P-256", {"kid": "k2", "use": "sig", "alg": "ES256"})
    served, reads = [KEY], []

    def fetch() -> dict[str, Any]:
        reads.append(len(served))
        if not served:
            raise NotConnected
        return {"keys": [one.as_dict(private=False) for one in served]}

    site.app.extensions["gateway_keys"] = GatewayKeys(fetch, clock.now)
    path, new = f"{HERE}/roles", access_token(RA, key=other, header={"kid": "k2"})
    assert [read(program, path).status_code for _ in range(2)] == [200, 200]
    served.append(other)
    assert read(program, path, new).status_code == 401
    assert len(reads) == 1
    clock.moment = NOW + timedelta(seconds=10)
    assert read(program, path, new).status_code == 200
    served.remove(KEY)
    clock.moment = NOW + timedelta(seconds=200)
    assert read(program, path).status_code == 200
    clock.moment = NOW + timedelta(seconds=311)
    late = access_token(RA, exp=int(NOW.timestamp()) + 900)
    assert read(program, path, late).status_code == 401
    served.clear()
    clock.moment = NOW + timedelta(seconds=800)
    answer = read(program, path, late)
    assert refusal(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "60"
    asked = len(reads)
    assert read(program, path, late).status_code == 503
    assert len(reads) == asked
    served.append(other)
    clock.moment = NOW + timedelta(seconds=810)
    assert (
        read(
            program,
            path,
            access_token(RA, key=other, header={"kid": "k2"}, exp=int(NOW.timestamp()) + 900),
        ).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "changes"),
        ({"changes": []}, "changes"),
        ({"changes": {}}, "changes"),
        ({"changes": [1]}, "changes[0]"),
        ({"changes": [BIDS | {"action": "give"}]}, "changes[0].action"),
        ({"changes": [BIDS | {"kind": "email"}]}, "changes[0].kind"),
        ({"changes": [BIDS | {"id": ""}]}, "changes[0].id"),
        ({"changes": [BIDS | {"id": "1\x00"}]}, "changes[0].id"),
        ({"changes": [BIDS | {"id": 100002}]}, "changes[0].id"),
        ({"changes": [BIDS | {"role": "a|b"}]}, "changes[0].role"),
        ({"changes": [BIDS | {"role": "x" * 255}]}, "changes[0].role"),
        ({"changes": [BIDS | {"version": True}]}, "changes[0].version"),
        ({"changes": [BIDS | {"version": -1}]}, "changes[0].version"),
        ({"changes": [BIDS | {"given_by": "100009"}]}, "changes[0].given_by"),
        ({"changes": [BIDS], "actor": "100009"}, "actor"),
        ({"changes": [BIDS], "is_operator": True}, "is_operator"),
        ({"changes": [BIDS], "why": "x" * 501}, "why"),
        ({"changes": [BIDS], "why": "\ud800"}, "why"),
        ({"changes": [BIDS], "preview": "no"}, "preview"),
        ({"changes": [BIDS] * 501}, "changes"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    site: Site, program: FlaskClient, body: Any, parameter: str
) -> None:
    """By the name of the first wrong member; members of other names are never taken over."""
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    answer = program.post(CHANGES, json=body, headers=head, base_url=BASE)
    conforms(answer, CHANGES, "post")
    assert refusal(answer) == (400, "bad_request")
    assert answer.json["parameter"] == parameter
    assert site.held() == set()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/roles", "kind=email"),
        ("/roles", "kind=person&kind=machine"),
        ("/roles", "at=2026-13-01"),
        ("/roles", "at=2126-01-01"),
        ("/roles", "limit=501"),
        ("/roles", "limit=0"),
        ("/roles", "start=-1"),
        ("/roles", "q=%00"),
        ("/roles", "organization=109131"),
        ("/history", "since=yesterday"),
        ("/history", f"before={10**18 + 1}"),
        ("/requests", "before=x"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused(
    program: FlaskClient, path: str, query: str
) -> None:
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    answer = program.get(f"{HERE}{path}?{query}", headers=head, base_url=BASE)
    conforms(answer, path, "get")
    assert refusal(answer) == (400, "bad_request")
    assert answer.json["parameter"] == query.split("=")[0]


@pytest.mark.parametrize(
    ("method", "path", "options", "said"),
    [
        ("GET", "/api/v1/nothing", {}, (404, "not_found")),
        ("GET", "/api/", {}, (404, "not_found")),
        ("DELETE", f"{HERE}/roles", {}, (405, "method_not_allowed")),
        ("POST", CHANGES, {"data": "{", "content_type": "application/json"}, (400, "bad_request")),
        ("POST", CHANGES, {"data": {"changes": "x"}}, (415, "not_json")),
        ("POST", CHANGES, {"data": b"x" * 300_000, "content_type": "application/json"},
         (413, "too_large")),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_answered_as_a_problem(
    program: FlaskClient, method: str, path: str, options: dict[str, Any], said: tuple[int, str]
) -> None:
    """Never a page, and never a 5xx."""
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    answer = program.open(path, method=method, headers=head, base_url=BASE, **options)
    assert refusal(conforms(answer, path, method.lower())) == said


def test_lists_are_paged(program: FlaskClient) -> None:
    """``next`` leads through all of it, each row once."""
    assert send(program, BIDS).status_code == 201
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    path, found = f"{HERE}/roles?limit=1", []
    while path:
        answer: Any = program.get(path, headers=head, base_url=BASE).json
        assert (len(answer["rows"]), answer["total"]) == (1, 2)
        found.append(answer["rows"][0]["id"])
        path = answer["next"]
    assert found == [TRADER, RA]
    own = read(program, f"{API}/organizations").json
    assert own == {
        "organizations": [
            {"id": "109120", "name": "Northern Lakes", "offices": ["ra"], "may_see": True}
        ],
        "next": None,
    }


def leave(program: FlaskClient, **body: Any) -> TestResponse:
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    path = f"{HERE}/persons/{TRADER}/leaver"
    return conforms(program.post(path, json=body, headers=head, base_url=BASE), path, "post")


def test_d03_a_leaver_is_tried_then_recorded(site: Site, program: FlaskClient) -> None:
    """D.03: with the version of the preview; another one is a change of somebody else."""
    send(program, BIDS)
    tried = leave(program, preview=True)
    assert tried.status_code == 200
    found = tried.json
    assert [(one["kind"], one["id"]) for one in found["ends"]] == [("access_role", "bids")]
    assert (found["possible"], found["request"]) == (True, None)
    assert "1 session ends." in found["effects"]
    assert refusal(leave(program, version="a1.9")) == (409, "changed_meanwhile")
    assert site.held() == {"bids"}
    done = leave(program, version=found["version"], reason="other", why="New owner")
    assert done.status_code == 201
    assert site.held() == set()
    assert done.headers["Location"] == f"{API}/requests/{done.json['request']['number']}"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "version"),
        ({"preview": True, "reason": "bored"}, "reason"),
        ({"preview": True, "successor": "999999"}, "successor"),
        ({"preview": True, "why": "x" * 401}, "why"),
        ({"preview": 1}, "preview"),
        ({"preview": True, "person": "1"}, "person"),
        ({"version": "of the preview", "reason": "other"}, "why"),
    ],
)
def test_a_leaver_that_cannot_be_read_is_refused(
    site: Site, program: FlaskClient, body: dict[str, Any], parameter: str
) -> None:
    send(program, BIDS)
    if "version" in body:
        body = body | {"version": leave(program, preview=True).json["version"]}
    answer = leave(program, **body)
    assert refusal(answer) == (400, "bad_request")
    assert answer.json["parameter"] == parameter
    assert site.held() == {"bids"}


def test_the_roles_of_a_colleague_are_changes_to_send(site: Site, program: FlaskClient) -> None:
    """AR-03: what is held already is named with the reason."""
    send(program, BIDS, BIDS | {"role": "view"})
    send(program, BIDS | {"id": "100009", "role": "view"})
    path = f"{HERE}/persons/100009/copy"
    found = read(program, path, of=TRADER).json
    assert [(one["kind"], one["role"]) for one in found["not_copied"]] == [("access_role", "view")]
    assert found["contact_changes"] == []
    assert [(one["role"], one["version"]) for one in found["changes"]] == [("bids", 0)]
    assert send(program, *found["changes"]).status_code == 201
    assert refusal(read(program, path)) == (400, "bad_request")
    assert refusal(read(program, path, of="999999")) == (404, "not_found")


def test_rg04_who_grants_finds_everybody_by_number(program: FlaskClient) -> None:
    """RG-04: a person without a role here, by the Person ID; for others he is not there."""
    found = read(program, f"{HERE}/roles", id=TRADER).json
    assert [(one["id"], one["holds"]) for one in found["rows"]] == [(TRADER, [])]
    assert read(program, f"{HERE}/roles", id="999999").json["rows"] == []
    assert read(program, f"{HERE}/roles", id=TRADER, kind="machine").json["rows"] == []
    assert send(program, BIDS).status_code == 201
    found = read(program, f"{HERE}/roles", id=TRADER).json
    assert found["rows"][0]["versions"] == {"bids": 1}


def test_rg04_rg05_persons_are_found_by_part_of_a_name(program: FlaskClient) -> None:
    """RG-04, RG-05: everybody who is registered, with what tells namesakes apart."""
    answer = read(program, f"{HERE}/persons", last_name="IVA").json
    assert answer == {
        "persons": [{"id": "100009", "last_name": "Ivanov", "first_name": "Olga",
                     "middle_name": "", "preferred_name": "", "belongs_here": False}],
        "has_more": False,
    }  # fmt: skip
    for query, parameter in (({}, "last_name"), ({"last_name": "i"}, "last_name"),
                             ({"first_name": "o"}, "first_name")):  # fmt: skip
        refused = read(program, f"{HERE}/persons", **query)
        assert refusal(refused) == (400, "bad_request")
        assert refused.json["parameter"] == parameter


def test_requests_and_history_go_on(program: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first; ``before`` goes on after the last one."""
    for module in (requests, history_list):
        monkeypatch.setattr(module, "SIZE", 1)
    assert send(program, BIDS).status_code == 201
    assert send(program, BIDS | {"action": "revoke", "version": 1}).status_code == 201
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    for name, key, wanted in (
        ("requests", "number", ["R0000002", "R0000001"]),
        ("history", "action", ["access.revoked", "access.granted"]),
    ):
        path, found = f"{HERE}/{name}", []
        while path:
            answer: Any = program.get(path, headers=head, base_url=BASE).json
            found += [one[key] for one in answer["entries" if name == "history" else name]]
            path = answer["next"]
        assert found == wanted


def test_tm01_a_refusal_says_who_can(program: FlaskClient) -> None:
    """TM-01, TM-07: as on the pages, with name and telephone; what is foreign does not exist."""
    assert send(program, BIDS).status_code == 201
    answer = read(program, f"{HERE}/roles", access_token(TRADER))
    assert refusal(answer) == (403, "not_allowed")
    assert answer.json["who_can"] == [
        "Rights Administrator of Northern Lakes: Marie Tremblay, +14165550100",
        "IESO Customer Relations",
    ]
    head = {"Authorization": f"Bearer {access_token(TRADER)}", "Accept-Language": "fr-CA"}
    french = program.get(f"{HERE}/roles", headers=head, base_url=BASE).json
    assert french["detail"] == "Votre rôle ne vous le permet pas."
    foreign = read(program, f"{API}/organizations/109131/roles")
    absent = read(program, f"{API}/organizations/999999/roles")
    assert foreign.json == absent.json
    assert refusal(foreign) == (404, "not_found")


def test_the_description_is_valid_and_names_every_address(site: Site) -> None:
    """OpenAPI 3.1, checked by a validator; the same addresses, methods and scopes as the
    application has."""
    answer = site.app.test_client().get(f"{API}/openapi.json", base_url=BASE)
    document: Any = answer.json
    validate(document)
    described = {
        (path.replace("{", "<").replace("}", ">"), method.upper(), operation["operationId"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    served = {
        (rule.rule.removeprefix(API), method, rule.endpoint.removeprefix("api."))
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served
    for item in document["paths"].values():
        assert "post" not in item or item["post"]["security"] == [
            {"gateway": ["registration.write"]}
        ]
    assert document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"] == [
        PREFIX + code for code in KINDS
    ]


def test_the_page_for_programmers_names_every_refusal() -> None:
    """docs/registration-api.md: each type with its status."""
    text = Path("docs/registration-api.md").read_text(encoding="utf-8")
    table = text[text.index("## Refusals") :]
    for code, kind in KINDS.items():
        (line,) = [one for one in table.splitlines() if f"`{code}`" in one]
        assert str(kind.status) in line, code


@pytest.mark.parametrize(
    "change",
    [
        {"id": "999999"},
        {"id": "999999", "action": "revoke"},
        {"id": "999999", "kind": "machine", "role": "robot"},
        {"role": "nothing"},
        {"role": "robot"},
        {"role": "nothing", "action": "revoke"},
        {"action": "revoke"},
        {"version": 10**8},
    ],
)
def test_a_change_of_what_is_not_there_is_refused_or_nothing(
    site: Site, program: FlaskClient, change: dict[str, Any]
) -> None:
    """A person, machine or role that nobody has, and a role that is not held."""
    for more in ({"preview": True}, {}):
        answer = send(program, BIDS | change, **more)
        assert answer.status_code in (200, 409), answer.text
        assert answer.json["request" if answer.status_code == 200 else "effects"] in (None, [])
    assert site.held() == set()


@pytest.mark.parametrize(
    "word", ["%00", "%F0%9F%92%A9", "%FF", "a" * 5000, "-1", "..%2f", "%ED%A0%80"]
)
@pytest.mark.parametrize(
    "path", ["requests/{}", "organizations/{}/roles", "organizations/109120/roles?id={}",
             "organizations/109120/history?person={}&action={}"],
)  # fmt: skip
def test_hostile_addresses_are_never_a_5xx(program: FlaskClient, path: str, word: str) -> None:
    head = {"Authorization": f"Bearer {access_token(RA)}"}
    answer = program.get(f"{API}/{path.replace('{}', word)}", headers=head, base_url=BASE)
    assert answer.status_code in (200, 308, 400, 404), answer.text
