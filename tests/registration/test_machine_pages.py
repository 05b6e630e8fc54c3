"""The pages of machine accounts (MA-01 to MA-05, MA-10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from registration import account_pushes, push_delivery
from registration.app import create_app
from registration.models import Account, Custody, Machine, MachineNetwork, Push, Request
from registration.transaction import Runtime
from registration_bridge.bridge_client import Result
from registration_bridge.message_urns import REGISTRATION_USER
from tests.registration.fake_bridge import FakeBridge
from tests.registration.participant import RA, TRADER, participant, person
from tests.registration.test_pages import BASE, HERE, Site, fields, token_of

SUCCESSOR = "100009"
MACHINES, NEW = f"{HERE}/machines", f"{HERE}/new-machine"
TYPED = {"description": "Sends bids", "networks": "192.0.2.24 meter data server\r\n2001:db8::/64"}


@pytest.fixture
def site(runtime: Runtime, bridge: FakeBridge) -> Iterator[Site]:
    with runtime.work() as work:
        participant(work)
        person(work, SUCCESSOR, "Olga Ivanov")
    app = create_app(runtime.settings, runtime.ports)
    yield Site(app, runtime, bridge)
    app.extensions["runtime"].close()


def get(browser: FlaskClient, path: str, **query: str) -> TestResponse:
    return browser.get(path, query_string=query, base_url=BASE)


def sent(browser: FlaskClient, page: TestResponse, path: str, **more: str) -> TestResponse:
    """The form of the page, with what it hides."""
    hidden = {name: fields(page, name)[0] for name in ("revision", "description", "networks")
              if fields(page, name)}  # fmt: skip
    data = hidden | {"csrf_token": token_of(page)} | more
    return browser.post(path, data=data, base_url=BASE)


def registered(site: Site) -> FlaskClient:
    """A machine in the trader's custody, which the gateway has named."""
    browser = site.browser(RA)
    page = get(browser, f"{NEW}/{TRADER}")
    review = sent(browser, page, f"{NEW}/{TRADER}/review", **TYPED)
    assert review.status_code == 200, review.text
    done = sent(browser, review, f"{NEW}/{TRADER}/confirm")
    assert done.status_code == 303, done.text
    push_delivery.deliver_due(site.runtime)
    return browser


def address(browser: FlaskClient) -> str:
    """The page of the only machine, from the list."""
    (found,) = re.findall(rf'href="({MACHINES}/\d+)"', get(browser, MACHINES).text)
    return str(found)


def count(site: Site, model: Any) -> int:
    with site.runtime.work() as work:
        return work.db.scalar(select(func.count()).select_from(model)) or 0


def test_ma02_ma03_a_machine_is_registered_in_the_pages(site: Site) -> None:
    """Custodian, networks, review, confirmation: nothing is stored before."""
    browser = site.browser(RA)
    found = get(browser, NEW, last_name="moreau")
    assert f"{NEW}/{TRADER}" in found.text
    page = get(browser, f"{NEW}/{TRADER}")
    assert "Ada Moreau" in page.text
    review = sent(browser, page, f"{NEW}/{TRADER}/review", **TYPED)
    assert "192.0.2.24/32 meter data server, 2001:db8::/64" in review.text
    assert "1 session ends." in review.text
    assert count(site, Machine) == count(site, Push) == 0
    done = sent(browser, review, f"{NEW}/{TRADER}/confirm")
    assert (done.status_code, done.location) == (303, "/requests/R0000001")
    assert "Change of a machine account" in get(browser, done.location).text
    listed = get(browser, MACHINES).text
    assert "Sends bids" in listed
    assert "not created yet" in listed
    assert "not given this account its user name yet" in get(browser, address(browser)).text
    push_delivery.deliver_due(site.runtime)
    assert "user1" in get(browser, MACHINES).text
    assert "user1" in get(browser, f"{HERE}/roles", kind="machine").text
    assert "Machine account registered" in get(browser, f"{HERE}/history").text


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"networks": ""}, "Enter at least one address or network."),
        ({"networks": "server"}, "Line 1: server is not an IP address or network."),
        ({"networks": "10.0.0.0/8"}, "Line 1: 10.0.0.0/8 is too wide."),
        ({"description": " "}, "Describe the program in at most 200 characters."),
    ],
)
def test_ma02_what_is_wrong_is_said_beside_its_field(
    site: Site, typed: dict[str, str], error: str
) -> None:
    """A review of it answers 400, and so does a confirmation that skips the review."""
    browser = site.browser(RA)
    page = get(browser, f"{NEW}/{TRADER}")
    for step in ("review", "confirm"):
        answer = sent(browser, page, f"{NEW}/{TRADER}/{step}", **(TYPED | typed))
        assert answer.status_code == 400
        assert error in answer.text
    assert count(site, Machine) == 0


def test_ma01_a_machine_is_found_by_its_exact_id(site: Site) -> None:
    """Not by a part of it; who is its custodian is on its page."""
    browser = registered(site)
    one = address(browser)
    assert "Sends bids" in get(browser, MACHINES, id="USER1").text
    unknown = get(browser, MACHINES, id="user").text
    assert "Sends bids" not in unknown
    assert "This organization has no machine account with this ID." in unknown
    page = get(browser, one).text
    assert "Ada Moreau" in page
    assert "meter data server" in page


def test_ma06_networks_are_changed_in_the_pages(site: Site) -> None:
    """What the form shows are the networks of now; nothing changes before the confirmation."""
    browser = registered(site)
    one = address(browser)
    page = get(browser, f"{one}/networks")
    assert "192.0.2.24/32 meter data server" in page.text
    wrong = sent(browser, page, f"{one}/networks/review", networks="x")
    assert wrong.status_code == 400
    same = sent(browser, page, f"{one}/networks/review", networks=TYPED["networks"])
    assert same.location == f"{one}/networks"
    review = sent(browser, page, f"{one}/networks/review", networks="192.0.2.99")
    assert count(site, MachineNetwork) == 2
    done = sent(browser, review, f"{one}/networks/confirm")
    assert done.status_code == 303
    assert "192.0.2.99" in get(browser, one).text
    stale = sent(browser, review, f"{one}/networks/confirm", networks="192.0.2.100")
    assert stale.location == f"{one}/networks"
    assert "This record has changed" in get(browser, stale.location).text


def test_ma10_a_machine_is_handed_over_in_the_pages(site: Site) -> None:
    """The warning first; the former custodian is refused as the next one."""
    browser = registered(site)
    one = address(browser)
    found = get(browser, f"{one}/custodian", last_name="ivanov")
    assert f"{one}/custodian/{SUCCESSOR}" in found.text
    assert get(browser, f"{one}/custodian/{TRADER}").location == f"{one}/custodian"
    review = get(browser, f"{one}/custodian/{SUCCESSOR}")
    assert "Programs stop until they have the new ones." in review.text
    assert count(site, Custody) == 1
    sent(browser, review, f"{one}/custodian/{SUCCESSOR}/confirm")
    assert "Olga Ivanov" in get(browser, one).text


def test_ma05_a_machine_is_stopped_after_a_warning(site: Site, bridge: FakeBridge) -> None:
    """MA-05, PR-04; the page of a stopped machine is gone."""
    browser = registered(site)
    one = address(browser)
    review = get(browser, f"{one}/stop")
    assert "Programs in production that use this account may stop." in review.text
    sent(browser, review, f"{one}/stop/confirm", why="replaced")
    push_delivery.deliver_due(site.runtime)
    assert bridge.kept == {}
    assert get(browser, one).status_code == 404
    assert sent(browser, review, f"{one}/stop/confirm").status_code == 404
    assert "This organization has no machines." in get(browser, MACHINES).text
    assert "replaced" in get(browser, f"{HERE}/history").text


def test_what_the_gateway_refuses_cannot_be_confirmed(site: Site, bridge: FakeBridge) -> None:
    """Its words are on the review; without an answer the order waits."""
    browser = registered(site)
    one = address(browser)
    bridge.results = [Result(409, detail="suspended by an operator")]
    review = get(browser, f"{one}/stop")
    assert review.status_code == 409
    assert "The gateway refuses the change: suspended by an operator" in review.text
    bridge.results, bridge.is_away = [], True
    assert "The gateway does not answer" in get(browser, f"{one}/stop").text
    with site.runtime.work() as work:
        assert work.db.scalars(select(Account).where(Account.kind == "machine")).one()
        assert len(list(work.db.scalars(select(Request)))) == 1


def test_a_change_needs_a_recent_second_factor(site: Site) -> None:
    """The gateway is asked before anything is typed, and leads back."""
    one = address(registered(site))
    late = site.browser(RA, minutes=60)
    for path in (f"{NEW}/{TRADER}", f"{one}/networks", f"{one}/custodian/{SUCCESSOR}",
                 f"{one}/stop"):  # fmt: skip
        assert "Confirm your identity" in get(late, path).text


def test_pr07_a_machine_is_checked_at_the_gateway(site: Site, bridge: FakeBridge) -> None:
    """MA-02, MA-03: as registered, with another network or custodian, missing, on its way, or not
    known because the gateway does not answer. Nothing is changed."""
    browser = registered(site)
    path = f"{address(browser)}/gateway"
    shown = get(browser, path).text
    assert "The gateway has this account as it is registered." in shown
    assert 'class="notice good"' in shown
    before = count(site, Push)
    user = bridge.kept["1"]
    bridge.kept["1"] = user | {REGISTRATION_USER: user[REGISTRATION_USER] | {
        "personId": RA, "registeredNetworks": [],
        "grants": [{"roleGroup": "MIM", "participantId": "109120"}],
    }}  # fmt: skip
    shown = get(browser, path).text
    assert "These values differ: person, networks." in shown
    assert "Its access roles differ. Only at the gateway: MIM." in shown
    assert shown.count('class="notice warn"') == 2
    assert "on its way" not in shown
    with site.runtime.work() as work:
        account = work.db.scalars(select(Account).where(Account.kind == "machine")).one()
        account_pushes.queue(work, account)
    bridge.kept.clear()
    shown = get(browser, path).text
    assert "The gateway does not have this account." in shown
    assert "on its way to the gateway" in shown
    bridge.is_away = True
    assert "The gateway does not answer." in get(browser, path).text
    assert count(site, Push) == before + 1
