"""The home of the console and its alarms: what waits, sign-ins by the hour, the circuit breaker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from idp import models
from idp.audit import events, sign_in_activity
from idp.audit.actions import AuditAction
from idp.directory import mass_change_breaker
from idp.maintenance import alarms
from idp.models import AccountState, MessageState, OutboxMessage
from idp.policy.console import ConsoleRole
from idp.settings import Settings
from tests.console.desk import Desk, trip_breaker
from tests.security.test_login_cookies import gateway
from tests.world import World

AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A gateway whose circuit breaker opens at three."""
    with gateway(replace(settings, mass_change_least=3)) as world:
        yield world


def cards(page: str, heading: str) -> dict[str, str]:
    """The figures under a heading, by their text."""
    part = page.split(f'aria-labelledby="{heading}"')[1].split("</section>")[0]
    found = re.findall(r'<span class="figure">(\d+)</span> ([^<]+)<', part)
    return {words.strip(): number for number, words in found}


def test_open_tasks_are_counted_for_operators_who_may_open_them(world: World) -> None:
    """Locked accounts and temporary passwords for everyone; messages and proposals for Access
    Management; the circuit breaker for Access Management and auditors."""
    for n in range(2):
        world.account(f"held{n}", state=AccountState.LOCKED)
    agent = Desk.of(world, AGENT)
    agent.temporary_password(world.account())
    with world.work() as work:
        row = work.db.query(OutboxMessage).first()
        row.state = MessageState.DEAD
    trip_breaker(world)
    seen = {
        role: cards(Desk.of(world, role).browser.get("/console").text, "waiting-heading")
        for role in ConsoleRole
    }
    everyone = {"locked accounts": "2", "temporary passwords not used yet": "1"}
    breaker = {"changes by registration in the last hour: the circuit breaker is open": "3"}
    assert seen == {
        AGENT: everyone,
        ACCESS: everyone | {"undelivered messages": "1"} | breaker,
        AUDITOR: everyone | breaker,
    }
    page = agent.browser.get("/console").text
    assert 'href="/console/people?list=locked"' in page
    assert cards(page, "accounts-heading")["Pending activation"] == "3"


def test_the_home_page_without_open_tasks(world: World) -> None:
    """It is said."""
    assert "Nothing is waiting." in Desk.of(world).browser.get("/console").text


def test_sign_ins_and_refusals_of_the_last_day_by_the_hour(world: World) -> None:
    """A chart with a table that says the same; hours are those of Toronto."""
    username = world.account()
    world.browser().sign_in(username)
    world.browser().sign_in(username, "wrong")
    world.clock.advance(hours=2)
    desk = Desk.of(world)
    with world.work() as work:
        hours = sign_in_activity.by_hour(work)
    assert len(hours) == 24
    assert [(h.succeeded, h.refused) for h in hours[-3:]] == [(1, 1), (0, 0), (1, 0)]
    assert sum(h.succeeded + h.refused for h in hours[:-3]) == 0
    page = desk.browser.get("/console").text
    chart = page.split('<figure class="chart">')[1].split("</figure>")[0]
    assert chart.count("<rect") == 48
    table = re.findall(
        r'<th scope="row">([^<]+)</th><td class="number">(\d+)</td><td class="number">(\d+)', chart
    )
    assert [row[1:] for row in table[-3:]] == [("1", "1"), ("0", "0"), ("1", "0")]
    assert all(row[0].endswith("EST") for row in table)
    world.clock.advance(hours=24)
    with world.work() as work:
        assert sum(h.succeeded + h.refused for h in sign_in_activity.by_hour(work)) == 0


def test_the_chart_reads_the_events_of_the_day_from_an_index(world: World) -> None:
    """Whatever the length of the trail."""
    engine = create_engine("sqlite://")
    models.tables().create_all(engine)
    with world.work() as work:
        statement = sign_in_activity.query(work.now, sign_in_activity.hours_until(work.now))
        made = statement.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {made}"))]
    engine.dispose()
    assert plan[0] == (
        "SEARCH event USING COVERING INDEX ix_event_name_at (name=? AND at>? AND at<?)"
    )


def test_alarms_are_listed_filtered_and_paged(world: World) -> None:
    """All of them, newest first; the home shows those of the last day."""
    desk = Desk.of(world, AUDITOR)
    with world.work() as work:
        for n in range(60):
            events.record(
                work, AuditAction.ALARM_GUESSING, reason=alarms.AlarmReason.TOO_MANY_FAILURES,
                network=f"10.0.0.{n}", failures=100,
            )  # fmt: skip
        events.record(
            work, AuditAction.ALARM_UNSEALED, reason=alarms.AlarmReason.NOT_SEALED, since="x"
        )
    page = desk.browser.get("/console/alarms").text
    assert page.count("refused sign-ins from 10.0.0.") == 49
    assert "Next page" in page
    page = desk.browser.get("/console/alarms", name="alarm.unsealed").text
    assert page.count('<th scope="row">Alarm: audit log not sealed</th>') == 1
    assert "refused sign-ins from" not in page
    assert Desk.of(world, AGENT).browser.get("/console/alarms").status_code == 403


def test_the_circuit_breaker_is_confirmed_in_the_console(world: World) -> None:
    """Access Management only, after a page that says what it does; the reason is recorded, and
    registration can go on."""
    trip_breaker(world)
    auditor, manager = Desk.of(world, AUDITOR), Desk.of(world, ACCESS)
    path = "/console/alarms/breaker"
    assert path not in auditor.browser.get("/console/alarms").text
    assert auditor.post(path).status_code == 403
    page = manager.browser.get("/console/alarms").text
    assert "Registration suspended or deactivated 3 accounts in the last hour. The limit is 3." in (
        page
    )
    assert "Further suspensions and deactivations are stopped." in page
    shown = manager.send(path)
    assert shown.status_code == 200
    assert "Registration can suspend or deactivate 3 more accounts within an hour." in shown.text
    assert world.events(mass_change_breaker.CONFIRMED) == []
    assert manager.post(path, details="the end of a participant").status_code == 303
    event = world.events(mass_change_breaker.CONFIRMED)[-1]
    assert (event.actor, event.data["taken"]) == (manager.username, 3)
    assert "the end of a participant" in event.data["why"]
    with world.work() as work:
        assert not mass_change_breaker.status(work).is_tripped
    page = manager.browser.get("/console/alarms").text
    assert "Nothing is stopped." in page
    assert path not in page
    assert manager.send(path).status_code == 409
