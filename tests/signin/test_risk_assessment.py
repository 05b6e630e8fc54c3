"""The risk engine within the sign-in: asked or not, why, and what is kept (MF-03, Z-13)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from idp.app import create_app
from idp.cli.worker_parts import work_round
from idp.directory import accounts, contacts, held_role_groups, participants
from idp.errors import ConfigurationError
from idp.mfa.features import agent_of
from idp.mfa.risk_values import Device, Place
from idp.mfa.sign_in_histories import KEPT
from idp.models import AccountState, ContactFunction, Event, KnownBrowser, PopulationCount, SignIn
from idp.networks import GeoDatabase, NetworkSet, read_networks
from idp.policy.addresses import Address, address_of
from idp.policy.console import ConsoleRole
from idp.ports import Ports, SystemTokens
from idp.session.browsers import Recognised
from idp.settings import Settings
from idp.signin import population_counts, sign_in_history
from idp.signin import risk_assessment as service
from idp.transaction import Origin
from tests.console.desk import Desk
from tests.factor_steps import code, half_signed_in, set_up_app
from tests.fakes import FakeClock, FakeMailer, FakeSms
from tests.security.test_login_cookies import cookie_of, plant
from tests.world import PASSWORD, Browser, World

EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
)
NOT_KNOWN = Recognised(None, Device.UNKNOWN)
HOME, OFFICE, AWAY = "192.0.2.10", "192.0.2.20", "203.0.113.9"
TORONTO = Place("CA", "", "", 43.65, -79.38)
LAGOS = Place("NG", "", "", 6.45, 3.39)


class Map:
    """Where the tests' addresses lie."""

    def look_up(self, address: Address | None) -> tuple[Place, str]:
        return (LAGOS, "64500") if str(address) == AWAY else (TORONTO, "64496")


@pytest.fixture
def place(settings: Settings) -> World:
    """A gateway that knows places, listed and denied networks."""
    clock, mailer, sms = FakeClock(), FakeMailer(), FakeSms()
    ports = Ports(
        clock, SystemTokens(), mailer, sms, Map(),
        suspicious_networks=NetworkSet(["198.51.100.0/24"]),
        denied_networks=NetworkSet(["198.51.100.66/32"]),
    )  # fmt: skip
    app = create_app(settings, ports)
    return World(app, settings, clock, mailer, sms)


def at(world: World, ip: str, agent: str = EDGE) -> Browser:
    browser = world.browser()
    browser.client.environ_base["REMOTE_ADDR"] = ip
    browser.client.environ_base["HTTP_USER_AGENT"] = agent
    return browser


def worker(world: World, name: str = "") -> tuple[str, str, Browser]:
    """Somebody who signed in on ten working days from the office, in a remembered browser."""
    username = name or world.account()
    secret, _ = set_up_app(world, username)
    browser = at(world, OFFICE)
    for _ in range(10):
        page = browser.sign_in(username, remember="1")
        if page.request.path == "/signin/factor":
            browser.submit(page, "/signin/factor", code=code(world, secret))
        browser.submit(browser.get("/signout"), "/signout")
        world.clock.advance(days=1)
    world.run_worker()
    return username, secret, browser


def appoint(world: World, username: str, function: str) -> None:
    """Appoint the person to this contact role of a participant."""
    world.participant("200001", "Erie Wind")
    person_id = world.account_row(username).person.person_id
    with world.work() as work:
        row = participants.by_number(work, "200001")
        contacts.replace(work, row, [contacts.ContactRef(person_id, function)])


def last(world: World) -> dict[str, Any]:
    return dict(world.events("signin.assessed")[-1].data)


def test_mf03_a_known_browser_at_a_usual_hour_needs_no_factor(place: World) -> None:
    """MF-03: low risk, remembered: no second step; what was weighed is in the trail."""
    username, _, browser = worker(place)
    assert browser.sign_in(username).request.path == "/"
    told = last(place)
    assert (told["decision"], told["band"], told["hits"]) == ("no_prompt", "low", [])
    assert told["score"] < 0
    assert {entry["feature"] for entry in told["evidence"]} >= {"network", "browser", "hour"}
    assert all(set(entry) == {"feature", "code", "shown", "weight"} for entry in told["evidence"])


def test_mf03_another_workstation_requires_a_factor_and_says_why(place: World) -> None:
    """MF-03: right password, new browser."""
    username, _, _ = worker(place)
    page = at(place, OFFICE).sign_in(username)
    assert page.request.path == "/signin/factor"
    assert "not used this browser before" in page.text
    told = last(place)
    assert "new_device" in told["hits"]
    assert (told["decision"], told["needs_strong"]) == ("prompt", False)


def test_mf03_impossible_travel_requires_a_strong_factor(place: World) -> None:
    """Far away an hour later, in the same browser: a strong factor, and why."""
    username, secret, browser = worker(place)
    browser.sign_in(username)
    browser.submit(browser.get("/signout"), "/signout")
    place.clock.advance(hours=1)
    browser.client.environ_base["REMOTE_ADDR"] = AWAY
    page = browser.sign_in(username)
    assert page.request.path == "/signin/factor"
    told = last(place)
    assert {"new_country", "impossible_travel"} <= set(told["hits"])
    assert told["band"] == "high"
    assert told["needs_strong"]
    assert "You have not signed in from this country before" in page.text
    assert browser.submit(page, "/signin/factor", code=code(place, secret)).request.path == "/"


def test_mf03_a_stolen_cookie_requires_a_factor_and_sends_a_mail(place: World) -> None:
    """The cookie in a browser of another family: the holder hears of it."""
    username, _, browser = worker(place)
    browser.client.environ_base["HTTP_USER_AGENT"] = "curl/8.5.0"
    page = browser.sign_in(username)
    assert page.request.path == "/signin/factor"
    assert "stolen_device" in last(place)["hits"]
    (mail,) = place.mails("browser_suspect", to=username)
    assert f"Network address {place.events('signin.assessed')[-1].ip}" in mail.text


def signed_out(browser: Browser) -> None:
    browser.submit(browser.get("/signout"), "/signout")


@pytest.mark.parametrize("thief_is_first", [False, True])
def test_mf03_a_former_cookie_of_a_browser_ends_its_recognition(
    place: World, thief_is_first: bool
) -> None:
    """MF-03: two browsers have the cookie, from one network and of one family. Whoever comes second
    shows it. Both are asked for a factor from then on, and the account holder gets a mail."""
    username, secret, browser = worker(place)
    value = cookie_of(browser, "browser")
    thief = at_with(place, browser, str(value))
    first, second = (thief, browser) if thief_is_first else (browser, thief)
    assert first.sign_in(username).request.path == "/"
    signed_out(first)
    place.clock.advance(minutes=2)
    page = second.sign_in(username)
    assert page.request.path == "/signin/factor"
    assert "stolen_device" in last(place)["hits"]
    assert len(place.mails("browser_suspect", to=username)) == 1
    (event,) = place.events("browser.copied")
    assert event.account_id == place.account_row(username).id
    assert first.sign_in(username).request.path == "/signin/factor"
    assert "forgotten_device" in last(place)["hits"]
    assert second.submit(page, "/signin/factor", code=code(place, secret)).request.path == "/"
    assert len(place.mails("browser_suspect", to=username)) == 1


def test_mf03_a_browser_that_missed_its_new_cookie_is_asked_and_not_suspected(
    place: World,
) -> None:
    """The answer was lost, and it signs in again within a minute: no mail, nothing ends. Without
    the right password nothing ends either."""
    username, _, browser = worker(place)
    value = str(cookie_of(browser, "browser"))
    browser.sign_in(username)
    signed_out(browser)
    place.clock.advance(seconds=59)
    assert at_with(place, browser, value).sign_in(username).request.path == "/signin/factor"
    assert "new_device" in last(place)["hits"]
    place.clock.advance(seconds=1)
    assert at_with(place, browser, value).sign_in(username, "wrong").status_code == 400
    assert place.events("browser.copied") == []
    assert at_with(place, browser, value).sign_in(place.account()).request.path == "/"
    assert place.mails("browser_suspect") == []
    assert browser.sign_in(username).request.path == "/"


def at_with(place: World, browser: Browser, value: str) -> Browser:
    """A browser like this one, with a former value of its cookie."""
    other = at(place, OFFICE)
    other.client.environ_base |= browser.client.environ_base
    plant(other, value, "browser")
    return other


def test_mf03_failures_hour_and_network_add_up(place: World) -> None:
    """Failures around the account, an unusual hour and a new network add up."""
    username, _, browser = worker(place)
    place.clock.advance(hours=12)
    for _ in range(6):
        at(place, "198.51.100.9").sign_in(username, "wrong")
    browser.client.environ_base["REMOTE_ADDR"] = "198.51.100.9"
    page = browser.sign_in(username)
    assert page.request.path == "/signin/factor"
    codes = {entry["code"]: entry["weight"] for entry in last(place)["evidence"]}
    assert codes["listed_network"] == 2.0
    assert codes["unusual_hour"] > 0
    assert codes["failures_before"] > 0


def test_mf03_an_ipv6_prefix_is_one_network(place: World) -> None:
    """MF-03: another address of the same /64 is no new network, and failures there add up."""
    username = place.account()
    for number in range(3):
        browser = at(place, f"2001:db8:0:7::{number + 1:x}")
        browser.sign_in(username)
        browser.submit(browser.get("/signout"), "/signout")
    with place.work() as work:
        assert set(work.db.scalars(select(SignIn.ip))) == {"2001:db8:0:7::/64"}
    for number in range(4):
        at(place, f"2001:db8:0:7:1:1:1:{number + 1:x}").sign_in("nobody", "wrong")
        at(place, f"2001:db8:0:8::{number + 1:x}").sign_in("nobody", "wrong")
    with place.work() as work:
        work.origin = Origin(ip="2001:db8:0:7::9")
        assert service._refused(work, accounts.by_username(work, username)) == (0, 4)


def test_a_denied_network_is_refused_like_a_wrong_password(place: World) -> None:
    """Refusal only from the operator's list; the same words (N47)."""
    username, _, _ = worker(place)
    denied = at(place, "198.51.100.66").sign_in(username)
    wrong = at(place, HOME).sign_in(username, "wrong")
    assert denied.status_code == wrong.status_code == 400
    assert place.events("signin.refused")[-2].reason == "network_denied"


def test_an_error_in_scoring_asks_for_a_factor(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never lets pass and never locks out."""
    username, secret, browser = worker(place)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service, "assess", broken)
    page = browser.sign_in(username)
    assert page.request.path == "/signin/factor"
    assert last(place)["reasons"] == ["not_assessed"]
    assert browser.submit(page, "/signin/factor", code=code(place, secret)).request.path == "/"


def test_only_complete_sign_ins_are_learned(place: World) -> None:
    """An attacker with the password alone leaves no history."""
    username, _, _ = worker(place)

    def known() -> int:
        with place.work() as work:
            return work.db.scalar(select(func.count()).select_from(SignIn)) or 0

    before = known()
    for _ in range(3):
        at(place, AWAY).sign_in(username)
        at(place, AWAY).sign_in(username, "wrong")
    assert known() == before


def test_after_an_unlock_or_a_new_password_a_factor_is_required_once(place: World) -> None:
    """What lowers trust holds until the next complete sign-in."""
    username, secret, browser = worker(place)
    with place.work() as work:
        account = accounts.by_username(work, username)
        account.distrusted_at, account.distrusted_for = work.now, "unlock"
    page = browser.sign_in(username)
    assert "Your account was unlocked" in page.text
    browser.submit(page, "/signin/factor", code=code(place, secret))
    place.clock.advance(hours=1)
    assert browser.sign_in(username).request.path == "/"


@pytest.mark.parametrize("where", ["environment", "client", "role group", "console", "contact"])
def test_z13_the_rule_always_requires_a_factor_at_every_sign_in(
    settings: Settings, world: World, where: str
) -> None:
    """Z-13: by environment, relying party, role group; by default whoever has a console role or
    decides for a participant."""
    if where == "environment":
        app = create_app(
            replace(settings, second_factor="always"),
            Ports(world.clock, SystemTokens(), world.mailer, world.sms),
        )
        world = replace(world, app=app, settings=replace(settings, second_factor="always"))
    username = world.operator(ConsoleRole.AUDITOR) if where == "console" else ""
    username, secret, browser = worker(world, username)
    if where == "contact":
        appoint(world, username, ContactFunction.PRIMARY_CONTACT)
    rp = world.relying_party(second_factor="always" if where == "client" else "")
    if where == "role group":
        desk = Desk.of(world, ConsoleRole.ACCESS)
        world.role_group("Traders", rp.client_id)
        world.grant_role(username, "Traders")
        done = desk.post("/console/role-groups/rule", name="Traders", rule="always")
        assert done.status_code == 303
    page = browser.authorize(rp)
    page = browser.sign_in(username, page=page)
    assert page.request.path == "/signin/factor"
    assert "requires extra verification every time" in page.text
    world.clock.advance(seconds=30)
    answer = browser.submit(page, "/signin/factor", code=code(world, secret))
    assert "code=" in answer.headers["Location"]


def test_a_client_that_always_requires_a_factor_raises_an_existing_session(place: World) -> None:
    """The session of a low-risk sign-in steps up; silently it gets nothing."""
    username, secret, browser = worker(place)
    rp = place.relying_party(second_factor="always")
    assert browser.sign_in(username).request.path == "/"
    silent = browser.authorize(rp, prompt="none").headers["Location"]
    assert "unmet_authentication_requirements" in silent
    page = browser.authorize(rp)
    assert page.request.path == "/signin/factor"
    assert "application requires extra verification" in page.text
    answer = browser.submit(page, "/signin/factor", code=code(place, secret))
    assert "code=" in answer.headers["Location"]


def test_a_newly_granted_role_group_raises_an_existing_session(place: World) -> None:
    """Z-13: also within a session that was entered by the password alone."""
    username, secret, browser = worker(place)
    rp = place.relying_party()
    assert browser.sign_in(username).request.path == "/"
    assert "code=" in browser.authorize(rp).headers["Location"]
    place.role_group(ConsoleRole.AUDITOR)
    place.grant_role(username, ConsoleRole.AUDITOR, "IESO")
    page = browser.authorize(rp)
    assert page.request.path == "/signin/factor"
    answer = browser.submit(page, "/signin/factor", code=code(place, secret))
    assert "code=" in answer.headers["Location"]


def test_every_30_days_counts_for_each_browser(place: World) -> None:
    """authentik 2828: a factor proved elsewhere is none here."""
    username, secret, browser = worker(place)
    rp = place.relying_party(second_factor="every_30_days")
    assert (
        "code="
        in browser.sign_in(username, page=browser.authorize(rp), remember="1").headers["Location"]
    )
    place.clock.advance(days=21)
    browser.sign_in(username, remember="1")
    browser.submit(browser.get("/signout"), "/signout")
    other, page = half_signed_in(place, username)
    other.submit(page, "/signin/factor", code=code(place, secret))
    place.clock.advance(days=7)
    page = browser.sign_in(username, page=browser.authorize(rp))
    assert "once a month" in page.text
    assert (
        "code="
        in browser.submit(page, "/signin/factor", code=code(place, secret)).headers["Location"]
    )


def test_the_console_explains_a_sign_in(place: World) -> None:
    """Score, features and weights of any sign-in."""
    username, _, _ = worker(place)
    at(place, OFFICE).sign_in(username)
    desk = Desk.of(place)
    page = desk.browser.get(f"{desk.path(username)}/sign-ins").text
    section = page.split('id="risk-heading"')[1].split("</section>")[0]
    assert "not used this browser before" in section
    assert "new_device" in section
    assert "<td>time of day</td>" in section


def counts(world: World) -> dict[tuple[str, str], int]:
    with world.work() as work:
        rows = work.db.scalars(select(PopulationCount)).all()
        return {(row.level, row.value): row.seen for row in rows}


def test_sign_ins_of_all_are_counted_and_forgotten_after_180_days(place: World) -> None:
    """180 days; what is forgotten leaves the counts as if it had not been."""
    for _ in range(2):
        username = place.account()
        at(place, HOME).signed_in(username)
    place.run_worker()
    found = counts(place)
    assert found["total", ""] == found["people", ""] == found["ip", HOME] == 2
    assert (found["distinct", "ip"], found["family", "Edge"]) == (1, 2)
    assert sum(n for (level, _), n in found.items() if level in ("working", "free")) == 2
    at(place, OFFICE).signed_in(username)
    place.run_worker()
    assert (counts(place)["distinct", "ip"], counts(place)["people", ""]) == (2, 2)
    place.clock.advance(days=179)
    at(place, OFFICE).signed_in(username)
    place.run_worker()
    place.clock.advance(days=2)
    place.run_worker()
    found = counts(place)
    assert (found["total", ""], found["people", ""], found["distinct", "ip"]) == (1, 1, 1)
    assert ("ip", HOME) not in found


def test_the_last_five_hundred_sign_ins_are_kept(place: World) -> None:
    """Bounded; scoring reads no more than that."""
    username = place.account()
    with place.work() as work:
        account = accounts.by_username(work, username)
        for n in range(KEPT + 20):
            work.now = place.clock.now() + timedelta(minutes=n)
            sign_in_history.record_sign_in(work, account)
    place.clock.advance(days=2)
    while work_round(place.worker_runtime):
        pass
    with place.work() as work:
        rows = work.db.scalars(select(SignIn).order_by(SignIn.at)).all()
        assert len(rows) == KEPT
        assert rows[0].at == place.clock.now() - timedelta(days=2) + timedelta(minutes=20)
    assert counts(place)["total", ""] == KEPT


def test_two_workers_count_a_sign_in_once(place: World) -> None:
    """A second round finds nothing; a row that another one took stays counted once."""
    at(place, HOME).signed_in(place.account())
    with place.work() as work:
        assert population_counts.refresh(work) == 1
    with place.work() as work:
        assert population_counts.refresh(work) == 0
    assert counts(place)["total", ""] == 1


def test_addresses_networks_and_their_files_are_read(tmp_path: Path) -> None:
    """IPv4 written as IPv6 is the same; prefixes of every length; remarks in the file."""
    assert address_of("::ffff:192.0.2.1") == address_of("192.0.2.1")
    assert address_of("nonsense") is None
    networks = NetworkSet(["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "10.0.0.0/8"])
    inside = ("192.0.2.200", "198.51.100.7", "2001:db8:1::5", "10.255.0.1", "::ffff:10.1.1.1")
    assert all(address_of(text) in networks for text in inside)
    outside = ("192.0.3.1", "198.51.100.8", "2001:db9::1", "11.0.0.1", None)
    assert not any(address_of(text) in networks for text in outside)
    path = tmp_path / "listed.txt"
    path.write_text("# bad\n192.0.2.0/24  # spam\n\n2001:db8::/32\n")
    assert address_of("192.0.2.1") in read_networks(str(path))
    assert address_of("192.0.2.1") not in read_networks("")
    path.write_text("192.0.2.1/24\n")
    with pytest.raises(ConfigurationError, match="host bits"):
        read_networks(str(path))
    with pytest.raises(ConfigurationError, match="IDP_PLACE_DATABASE"):
        GeoDatabase(str(path), "")
    assert GeoDatabase("", "").look_up(address_of("192.0.2.1")) == (Place(), "")


def test_states_that_cannot_sign_in_are_not_assessed(place: World) -> None:
    """Nothing is weighed for a refusal."""
    username = place.account(state=AccountState.SUSPENDED)
    at(place, HOME).sign_in(username, PASSWORD)
    with place.work() as work:
        assert not work.db.scalars(select(Event).where(Event.name == "signin.assessed")).all()


def test_mf03_only_failures_of_the_last_hour_and_of_the_account_weigh(place: World) -> None:
    """MF-03: of this account, or from this network; no other event is a failure."""
    username, other = place.account(), place.account()
    for name, ip in ((username, HOME), (username, HOME), (other, HOME), (other, OFFICE)):
        at(place, ip).sign_in(name, "wrong")
    at(place, HOME).signed_in(username)

    def failures(ip: str, agent: str | None = EDGE) -> tuple[int, int]:
        with place.work() as work:
            work.origin = Origin(ip=ip, user_agent=agent)
            account = accounts.by_username(work, username)
            history = sign_in_history.history_of(work, account)
            attempt = service._attempt(work, account, NOT_KNOWN, history)
            return attempt.failures, attempt.network_failures

    assert failures(HOME) == (2, 3)
    assert failures(OFFICE, None) == (2, 1)
    assert failures("") == (2, 0)
    place.clock.advance(minutes=60)
    assert failures(HOME) == (0, 0)


def test_mf03_a_history_is_of_one_account_and_180_days(place: World) -> None:
    """MF-03: sign-ins of others, and older ones, tell nothing about this account."""
    username, other, unused = place.account(), place.account(), place.account()
    with place.work() as work:
        mine, theirs = accounts.by_username(work, username), accounts.by_username(work, other)
        start = work.now
        for account, days, ip in (
            (mine, 0, AWAY), (mine, 1, OFFICE), (theirs, 1, HOME), (mine, 2, OFFICE),
        ):  # fmt: skip
            work.now = start + timedelta(days=days)
            work.origin = Origin(ip=ip, user_agent=EDGE)
            sign_in_history.record_sign_in(work, account)
        work.db.flush()
        work.now = start + timedelta(days=180)
        found = sign_in_history.history_of(work, mine)
        assert found.sign_ins == len(found.hours) == 2
        assert found.counts["ip"] == {OFFICE: 2}
        assert found.networks == {"64496": {OFFICE: 2}}
        assert found.counts["family"] == {"Edge": 2}
        first, last_ = start + timedelta(days=1), start + timedelta(days=2)
        assert (found.first_at, found.last_at) == (first, last_)
        assert found.last_place == Place("CA", "", "", TORONTO.latitude, TORONTO.longitude)
        empty = sign_in_history.history_of(work, accounts.by_username(work, unused))
        assert (empty.sign_ins, empty.first_at, empty.last_at) == (0, None, None)
        assert empty.last_place == Place()


def test_mf03_counts_of_all_accounts_are_those_of_this_attempt(place: World) -> None:
    """MF-03: of its own network, place and browser; what is not known is not counted."""
    for ip, agent in ((HOME, EDGE), (HOME, EDGE), (AWAY, "curl/8.5.0")):
        at(place, ip, agent).signed_in(place.account())
    place.run_worker()
    username = place.account()
    with place.work() as work:
        work.origin = Origin(ip=HOME, user_agent=EDGE)
        account = accounts.by_username(work, username)
        history = sign_in_history.history_of(work, account)
        attempt = service._attempt(work, account, NOT_KNOWN, history)
        found = sign_in_history.population_of(work, attempt, history, service.TUNING.kappa)
    assert (found.people, found.sign_ins) == (3, 3)
    assert dict(found.counts["ip"].items()) == {HOME: 2}
    assert len(found.counts["ip"]) == 2
    assert dict(found.counts["family"].items()) == {"Edge": 2}
    assert dict(found.counts["country"].items()) == {"CA": 2}


def test_mf03_a_change_of_the_account_weighs_until_the_next_sign_in(place: World) -> None:
    """MF-03: also for an account that has never signed in; a sign-in at the same moment is
    after the change."""
    username = place.account()
    with place.work() as work:
        account = accounts.by_username(work, username)
        account.distrusted_for = "unlock"
        now, later = work.now, work.now + timedelta(seconds=1)
        for changed, signed_in, after in (
            (None, None, None), (None, now, None), (now, None, "unlock"), (later, now, "unlock"),
            (now, now, None), (now, later, None),
        ):  # fmt: skip
            account.distrusted_at = changed
            history = replace(sign_in_history.history_of(work, account), last_at=signed_in)
            attempt = service._attempt(work, account, NOT_KNOWN, history)
            assert attempt.after == after, (changed, signed_in)


def test_mf03_a_browser_that_names_itself_nothing_is_assessed(place: World) -> None:
    """MF-03: no user agent is a value like another; the score is computed."""
    username = place.account()
    browser = at(place, OFFICE)
    for agent in ("", EDGE):
        with place.work() as work:
            work.origin = Origin(ip=OFFICE, user_agent=agent or None)
            account = accounts.by_username(work, username)
            known = Recognised(KnownBrowser(user_agent=agent or None), Device.KNOWN)
            history = sign_in_history.history_of(work, account)
            attempt = service._attempt(work, account, known, history)
            assert attempt.agent.family == attempt.device_family == agent_of(agent).family
            sign_in_history.record_sign_in(work, account)
            work.db.flush()
            assert sign_in_history.history_of(work, account).counts["family"] == (
                {"Edge": 1} if agent else {}
            )
    assert browser.sign_in(username).request.path == "/"


def test_the_total_stays_when_everything_is_forgotten(place: World) -> None:
    """Its row is the lock of the workers. A sign-in is kept for 180 days to the second."""
    at(place, HOME).signed_in(place.account())
    place.run_worker()
    with place.work() as work:
        (row,) = work.db.scalars(select(SignIn))
        before = row.at
    place.clock.moment = before + timedelta(days=180)
    place.run_worker()
    assert counts(place)["ip", HOME] == 1
    place.clock.advance(seconds=1)
    place.run_worker()
    found = counts(place)
    assert found["total", ""] == found["people", ""] == found["distinct", "ip"] == 0
    assert ("ip", HOME) not in found


def newcomer(world: World, username: str = "") -> tuple[str, str, Browser]:
    """Somebody who signed in for the first time an hour ago, with a factor, in a remembered
    browser."""
    username = username or world.account()
    secret, _ = set_up_app(world, username)
    world.clock.advance(days=1)
    browser = at(world, OFFICE)
    page = browser.sign_in(username, remember="1")
    browser.submit(page, "/signin/factor", code=code(world, secret))
    signed_out(browser)
    world.clock.advance(hours=1)
    return username, secret, browser


def test_mf03_a_new_account_is_trusted_where_a_factor_was_verified(place: World) -> None:
    """MF-03: in this browser, from this network. Elsewhere it is asked, and says why; then that
    network is trusted too."""
    username, secret, browser = newcomer(place)
    assert browser.sign_in(username, remember="1").request.path == "/"
    signed_out(browser)
    other = at(place, OFFICE)
    assert other.sign_in(username).request.path == "/signin/factor"
    browser.client.environ_base["REMOTE_ADDR"] = HOME
    page = browser.sign_in(username, remember="1")
    assert last(place)["hits"] == ["young_account"]
    assert "in this browser and from this network" in page.text
    browser.submit(page, "/signin/factor", code=code(place, secret))
    signed_out(browser)
    place.clock.advance(hours=1)
    assert browser.sign_in(username).request.path == "/"


def test_mf03_a_copied_cookie_of_a_new_account_gets_no_trust(place: World) -> None:
    """MF-03: the former value of the cookie, from the same network by the same program."""
    username, _, browser = newcomer(place)
    value = str(cookie_of(browser, "browser"))
    assert browser.sign_in(username).request.path == "/"
    place.clock.advance(minutes=2)
    thief = at_with(place, browser, value)
    assert thief.sign_in(username).request.path == "/signin/factor"
    assert {"stolen_device", "young_account"} <= set(last(place)["hits"])


def test_mf03_a_change_of_a_new_account_ends_its_trust(place: World) -> None:
    """MF-03: factors that were verified before it do not count."""
    username, secret, browser = newcomer(place)
    with place.work() as work:
        account = accounts.by_username(work, username)
        account.distrusted_at, account.distrusted_for = work.now, "unlock"
    page = browser.sign_in(username, remember="1")
    assert set(last(place)["hits"]) == {"young_account", "after_unlock"}
    browser.submit(page, "/signin/factor", code=code(place, secret))
    signed_out(browser)
    place.clock.advance(hours=1)
    assert browser.sign_in(username).request.path == "/"


def test_z13_contacts_of_a_participant_have_far_reaching_rights(world: World) -> None:
    """Z-13, TM-01: each of the three roles, in all accounts of the person, until it ends."""
    username, colleague = world.account(person_id="RA"), world.account()
    second = world.account("second", person_id="RA")

    def rules(name: str) -> list[str]:
        with world.work() as work:
            account = accounts.by_username(work, name)
            return held_role_groups.second_factor_rules(work, account)

    for function in ContactFunction:
        appoint(world, username, function)
        assert rules(username) == rules(second) == ["always"]
        assert rules(colleague) == []
    with world.work() as work:
        contacts.replace(work, participants.by_number(work, "200001"), ())
    assert rules(username) == rules(second) == []


@pytest.mark.parametrize("who", ["operator", "contact"])
def test_z13_far_reaching_rights_have_no_early_trust(
    settings: Settings, world: World, who: str
) -> None:
    """Z-13: also where the environment asks administrators by risk only. After the first days the
    risk decides."""
    relaxed = replace(settings, second_factor_administrators="risk")
    ports = Ports(world.clock, SystemTokens(), world.mailer, world.sms)
    world = replace(world, app=create_app(relaxed, ports), settings=relaxed)
    username = world.operator(ConsoleRole.AUDITOR) if who == "operator" else world.account()
    if who == "contact":
        appoint(world, username, ContactFunction.RIGHTS_ADMINISTRATOR)
    username, secret, browser = newcomer(world, username)
    page = browser.sign_in(username, remember="1")
    assert page.request.path == "/signin/factor"
    assert last(world)["hits"] == ["young_account"]
    browser.submit(page, "/signin/factor", code=code(world, secret))
    signed_out(browser)
    world.clock.advance(days=5)
    home = "/console" if who == "operator" else "/"
    assert browser.sign_in(username).request.path == home
