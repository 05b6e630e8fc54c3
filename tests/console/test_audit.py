"""The auditor: searches, downloads, proves, reports. Read only."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from idp.app import db
from idp.audit import chain, events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.directory import access_report, accounts
from idp.directory.access_report import AccessQuery
from idp.models import Event
from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk.of(world, ConsoleRole.AUDITOR)


def rows(page: str) -> list[str]:
    """The table's lines."""
    if "<tbody>" not in page:
        return []
    return page.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]


def test_the_trail_is_searched_by_person_agent_client_event_and_time(
    world: World, desk: Desk
) -> None:
    """Each filter alone, and together."""
    agent, holder, rp = Desk.of(world), world.account("granite"), world.relying_party()
    agent.verify(holder)
    agent.act("end-sessions", holder)
    world.signed_in_tokens(rp, holder)
    world.clock.advance(days=2)
    desk.browser.sign_in(desk.username)
    world.browser().sign_in(holder)

    def found(**query: str) -> list[str]:
        return rows(desk.browser.get("/console/audit", **query).text)

    assert all("granite" in row for row in found(person="granite"))
    assert all(agent.username in row for row in found(actor=agent.username))
    assert any("console.end-sessions" in row for row in found(actor=agent.username))
    assert all(rp.client_id in row for row in found(client=rp.client_id))
    assert {"signin.succeeded" in row for row in found(name="signin.succeeded")} == {True}
    assert len(found(name="signin.")) >= len(found(name="signin.succeeded")) > 0
    assert len(found(person="granite", name="signin.succeeded", since="2026-11-27")) == 1
    assert len(found(person="granite", name="signin.succeeded", until="2026-11-26")) == 1
    assert all("refused" in row for row in found(outcome="refused", name="signin."))
    nothing = desk.browser.get("/console/audit", person="nobody-at-all").text
    assert rows(nothing) == []
    assert "No results for these filters." in nothing


def test_the_data_of_events_is_plain_text(world: World, desk: Desk) -> None:
    """Events, their data, lists, yes or no, nothing and moments are written for readers, not as the
    program stores them."""
    world.browser().sign_in(world.account("granite"))
    (signed_in,) = rows(
        desk.browser.get("/console/audit", person="granite", name="signin.succeeded").text
    )
    assert '<th scope="row">Signed in</th>' in signed_in
    assert "<dt>methods used</dt><dd>pwd</dd>" in signed_in
    assert re.search(r"<dt>new browser</dt><dd>(yes|no)</dd>", signed_in)
    page = desk.browser.get("/console/audit", person="granite").text
    assert "<dt>not asked for because</dt><dd>no_factor_set_up</dd>" in page
    shown = "".join(rows(page))
    for mark in ("&#39;", "{", "}", "[", "]", "True", "False", "None"):
        assert mark not in shown
    events_of = AuditAction.TEMPORARY_PASSWORD_ISSUED
    with world.work() as work:
        events.record(work, events_of, until="2026-11-27T17:30:00+00:00", nested=[{"a_b": True}])
    page = desk.browser.get("/console/audit", name=str(events_of)).text
    assert "<dt>until</dt><dd>27 November 2026, 12:30 EST</dd>" in page
    assert "<dt>nested</dt><dd>a b: yes</dd>" in page


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("caller.verified", "recently_denied", "Shortly before, the caller was not the account"),
        ("link.refused", "link_superseded", "Link replaced by a newer one"),
        ("machine.refused", "account_locked", "The account was locked"),
        ("signin.refused", "wrong_password", "Incorrect password"),
        ("token.refused", "invalid_grant", "invalid grant"),
    ],
)
def test_reasons_are_in_words(world: World, desk: Desk, name: str, reason: str, words: str) -> None:
    """Those of protocols are the codes of their standards."""
    with world.work() as work:
        events.record(work, AuditAction(name), reason=ProtocolCode(reason))
    (row,) = rows(desk.browser.get("/console/audit", name=name, outcome="refused").text)
    assert f'<span class="hint"> {words}' in row
    assert f"<code>{reason}</code>" in row


def test_the_audit_log_is_in_french(world: World, desk: Desk) -> None:
    """Events and the fields of their data have French words."""
    world.browser().sign_in(world.account("granite"))
    desk.browser.client.post(
        "/language",
        data={"csrf_token": desk.token(), "locale": "fr"},
        base_url=desk.browser.base,
    )
    page = desk.browser.get("/console/audit", person="granite", name="signin.succeeded").text
    assert '<th scope="row">Connexion réussie</th>' in page
    assert "<dt>moyens utilisés</dt><dd>pwd</dd>" in page
    bad = desk.browser.get("/console/audit", since="hier", actor="okaforc", until="2026-11-27")
    assert bad.status_code == 400
    assert "AAAA-MM-JJ" in bad.text
    for kept in ("hier", "okaforc", "2026-11-27"):
        assert f'value="{kept}"' in bad.text


def test_a_malformed_date_is_named(desk: Desk) -> None:
    """Named, with 400 and no search."""
    for path in ("/console/audit", "/console/audit/export"):
        for value in ("yesterday", "0001-01-01", "9999-12-31", "2026-13-01", "1e9"):
            answer = desk.browser.get(path, since=value)
            assert answer.status_code == 400
            assert "YYYY-MM-DD" in answer.text
    for path in ("/console/access", "/console/access/export"):
        assert desk.browser.get(path, at="soon").status_code == 400


def test_a_report_says_when_it_is_incomplete(world: World, desk: Desk) -> None:
    """More people than a search gives: said, with 400, on every page and download."""
    for number in range(51):
        world.account(f"mass{number:02}", family_name="Crowd")
    for path in ("audit", "audit/export", "access", "access/export"):
        answer = desk.browser.get(f"/console/{path}", person="crowd")
        assert answer.status_code == 400
        assert "Too many results" in answer.text


def test_old_events_are_on_the_next_page(world: World, desk: Desk) -> None:
    """Fifty on a page, older ones behind a link, none twice, and back again."""
    with world.work() as work:
        for _ in range(80):
            events.record(work, "signin.refused", reason="unknown_account")
    first = desk.browser.get("/console/audit", name="signin.refused")
    assert len(rows(first.text)) == 50
    (older,) = re.findall(r'href="([^"]+)">Next page', first.text)
    second = desk.browser.get(unescape(older))
    assert len(rows(second.text)) == 30
    assert "Next page" not in second.text
    (newer,) = re.findall(r'href="([^"]+)">Previous page', second.text)
    assert rows(desk.browser.get(unescape(newer)).text) == rows(first.text)


def test_the_trail_is_downloaded_as_csv_and_as_json_lines(world: World, desk: Desk) -> None:
    """Streamed, complete, oldest first; the download itself is in the trail."""
    world.browser().sign_in("nobody", "x", **{"remember": "1"})
    lines = desk.browser.get("/console/audit/export", format="jsonl", name="signin.").text
    records = [json.loads(line) for line in lines.splitlines()]
    assert [r["name"] for r in records] == ["signin.assessed", "signin.succeeded", "signin.refused"]
    assert records[0]["account"] == desk.username
    answer = desk.browser.get("/console/audit/export", format="csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert len(table) == len(world.events())
    assert {row["name"] for row in table} >= {"signin.refused", "trail.exported"}
    export = world.events("trail.exported")[0]
    assert (export.actor, export.data["format"]) == (desk.username, "jsonl")


@pytest.mark.parametrize("agent", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1"])
def test_n82_no_cell_of_a_download_is_a_formula(world: World, desk: Desk, agent: str) -> None:
    """N82: a spreadsheet gets text."""
    browser = world.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    browser.sign_in("nobody", "x")
    text = desk.browser.get("/console/audit/export", format="csv").text
    table = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert not [cell for row in table for cell in row if cell.startswith(tuple("=+-@\t\r"))]


def test_the_chain_is_verified_in_the_console(
    world: World, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TM-12: so many records in one request, then the next ones; a changed record is named."""
    monkeypatch.setattr("idp.web.console.audit_pages.STEP", 4)
    with world.app.app_context():
        chain.seal_all(world.app.extensions["runtime"])
    with world.work() as work:
        end = chain.chain_end(work)
    assert 4 < end <= 8
    first = desk.post("/console/audit/verify")
    assert f"Integrity check passed for records 1 to 4 of {end}." in first.text
    path = "/console/audit/verify?after=4"
    assert f'action="{path}"' in first.text
    second = desk.post(path).text
    assert f"Integrity check passed for records 5 to {end} of {end}." in second
    assert "Verify the next records" not in second
    # The verdict stands alone: no empty list below it says that nothing was found.
    assert "No results" not in second
    assert "There are no events" not in second
    with world.work() as work:
        row = work.db.scalars(select(Event).where(Event.seq == 2)).one()
        row.actor = "somebody else"
    answer = desk.post("/console/audit/verify").text
    assert "1: changed after sealing" in answer
    assert "record 2 (event " in answer
    assert world.events("trail.verified")[-1].reason == "broken"


def test_the_access_report_shows_who_had_access_on_a_past_day(world: World, desk: Desk) -> None:
    """By participant, by role group, by person, now and then."""
    for name in ("alpha", "beta"):
        world.account(name, family_name=name.capitalize())
    for group in ("EMI Viewer", "CROW Viewer"):
        world.role_group(group)
    world.grant_role("alpha", "EMI Viewer", "109120")
    world.grant_role("beta", "CROW Viewer", "111340")
    world.clock.advance(days=10)
    world.revoke_role("alpha", "EMI Viewer", "109120")
    world.grant_role("beta", "EMI Viewer", "109120")
    desk.browser.sign_in(desk.username)

    def found(**query: str) -> list[str]:
        return rows(desk.browser.get("/console/access", **query).text)

    assert len(found(participant="109120")) == 1
    assert "beta" in found(participant="109120")[0]
    assert "alpha" in found(participant="109120", at="2026-11-26")[0]
    assert len(found(group="EMI Viewer", at="2026-11-26")) == 1
    assert len(found(person="beta")) == 2
    assert len(found(person="beta", at="2026-11-26")) == 1
    assert found(person="alpha") == []
    assert found(participant="109120", at="2026-11-01") == []
    text = desk.browser.get("/console/access/export", participant="109120", at="2026-11-26").text
    table = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert [(row["username"], row["group"]) for row in table] == [("alpha", "EMI Viewer")]
    assert table[0]["revoked_at"]
    assert world.events("access.exported")[-1].data["filter"]["participant"] == "109120"


def test_access_includes_the_moment_of_granting_and_not_that_of_revoking(world: World) -> None:
    """As of the very moment."""
    username = world.account()
    world.role_group("EMI Viewer")
    granted = world.clock.now()
    world.grant_role(username, "EMI Viewer")
    world.clock.advance(hours=1)
    revoked = world.clock.now()
    world.revoke_role(username, "EMI Viewer")
    with world.work() as work:
        account_id = accounts.by_username(work, username).id

        def held(at: object) -> int:
            question = AccessQuery(at=at, account_ids=(account_id,))  # type: ignore[arg-type]
            return len(list(access_report.stream_all(work, question)))

        assert held(granted - timedelta(microseconds=1)) == 0
        assert held(granted) == 1
        assert held(revoked - timedelta(microseconds=1)) == 1
        assert held(revoked) == 0


def test_the_report_is_paged_by_key(world: World, desk: Desk) -> None:
    """Fifty rows a page, the rest behind a link, none twice and none left out."""
    world.role_group("EMI Viewer")
    username = world.account()
    for number in range(70):
        world.grant_role(username, "EMI Viewer", f"{number:06}")
    first = desk.browser.get("/console/access", person=username)
    assert len(rows(first.text)) == 50
    (link,) = re.findall(r'href="([^"]+)">Next page', first.text)
    rest = desk.browser.get(unescape(link))
    assert len(rows(rest.text)) == 20


@pytest.mark.parametrize("path", ["/console/audit/export", "/console/access/export"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "left"])
def test_a_download_returns_its_database_connection(
    world: World, desk: Desk, path: str, method: str
) -> None:
    """Also when only the head is asked for, or the browser goes away in the middle."""
    world.role_group("EMI Viewer")
    world.grant_role(world.account(), "EMI Viewer")
    with world.app.app_context():
        pool = db.engine.pool
    answer = desk.browser.client.open(
        path, method="GET" if method == "left" else method, base_url=desk.browser.base
    )
    if method == "left":
        next(iter(answer.response))
        answer.close()
    else:
        assert answer.status_code == 200
        assert bool(answer.text) == (method == "GET")
        answer.close()
    with world.app.app_context():
        db.session.remove()
    assert pool.checkedout() == 0  # type: ignore[attr-defined]
