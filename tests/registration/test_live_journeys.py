"""Procedures C, D, G and J of the manual, a machine and a participation, through the pages of
registration and of the gateway, against the demonstration as a newcomer starts it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import requests

from scripts.make_dist import waited
from tests.registration.test_live_demo import HERE, checked, posted, signed_in

pytestmark = pytest.mark.xdist_group("live")

HOLDER = "100419"
ROLES = f"{HERE}/persons/{HOLDER}/roles"
APPOINT = f"{HERE}/representatives/appoint/{HOLDER}"
EMAILS = {
    "apprep": "sophie.lalonde@lakes-generation.example",
    "ieso": "margaret.osei@operator.example",
    "pc": "catherine.bouchard@lakes-generation.example",
    "ra": "amara.nwosu@lakes-generation.example",
    "holder": "liam.petrov@lakes-generation.example",
}


def at_registration(known: dict[str, Any], tier: str) -> tuple[requests.Session, str]:
    """The browser of this person, signed in at registration, and the address of registration."""
    root = known["registration"]["url"]
    person = next(one for one in known["registration"]["people"] if one["tier"] == tier)
    browser, _ = signed_in(known, f"{root}/signin", person, EMAILS[tier])
    browser.headers["Accept-Language"] = "en"
    return browser, root


def rights_at_emi(known: dict[str, Any]) -> str:
    """The page that EMI shows the holder after a new sign-in, from the groups of the new token."""
    holder = next(one for one in known["registration"]["people"] if one["tier"] == "holder")
    emi = known["relying_parties"][0]["url"]
    _, page = signed_in(known, f"{emi}/signin", holder, EMAILS["holder"])
    return str(page.text)


def entered(page: requests.Response) -> dict[str, str]:
    """What the text fields of the page contain."""
    inputs = (dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
              for tag in re.findall(r"<input[^>]*>", page.text))  # fmt: skip
    return {one["name"]: unescape(one.get("value", "")) for one in inputs
            if one.get("type") in {"text", "email", "tel"}}  # fmt: skip


def mails(known: dict[str, Any], email: str, text: str) -> int:
    """How many mails of the gateway to this address say this."""
    found = requests.get(f"{known['issuer']}/demo/outbox", timeout=10).text.split("<article")[1:]
    return sum(email in mail and text in mail for mail in found)


def line_with(page: str, text: str) -> str:
    """The line of a table that contains this."""
    return next(one for one in re.findall(r"<tr\b.*?</tr>", page, re.DOTALL) if text in one)


def test_c_a_person_corrects_his_own_record(live_demo: dict[str, Any]) -> None:
    """C.01 to C.04, RG-07, NT-04: the gateway shows the new telephone number and sends its mail."""
    browser, root = at_registration(live_demo, "holder")
    settings = f"{live_demo['issuer']}/settings"
    assert "555-0177" not in browser.get(settings).text
    before = mails(live_demo, EMAILS["holder"], "profile")
    page = browser.get(f"{root}/my-information")
    address = {"address_1": "1 Mill Street", "city": "Sudbury", "province": "Ontario",
               "postal_code": "P3A 1A1", "country": "Canada"}  # fmt: skip
    typed = entered(page) | address | {"main_phone": "+1 705 555 0177", "language": "en"}
    review = posted(browser, page, "/my-information/review", **typed)
    assert "555-0177" not in browser.get(settings).text
    posted(browser, review, "/my-information/confirm")
    waited(lambda: "555-0177" in browser.get(settings).text)
    assert mails(live_demo, EMAILS["holder"], "profile") == before + 1


def test_d_a_rights_administrator_takes_every_role(live_demo: dict[str, Any]) -> None:
    """D.03 to D.06, AR-04, PR-04: the next token of EMI has none of them."""
    browser, root = at_registration(live_demo, "ra")
    page = browser.get(root + ROLES)
    held = checked(page.text)
    assert held
    assert "See market data" in rights_at_emi(live_demo)
    review = posted(browser, page, f"{HERE}/roles/review", cell=[])
    order = posted(browser, review, f"{HERE}/roles/confirm", why="left the trading desk")
    waited(lambda: "In progress" not in browser.get(order.url).text)
    assert checked(browser.get(root + ROLES).text) == []
    shown = rights_at_emi(live_demo)
    assert "See market data" not in shown
    assert "Submit bids and offers" not in shown


def test_g_j_a_rights_administrator_is_appointed_and_ended(live_demo: dict[str, Any]) -> None:
    """G.01, G.02, J.01, J.02, TM-14: the person grants and revokes while the appointment lasts."""
    contact, root = at_registration(live_demo, "pc")
    holder, _ = at_registration(live_demo, "holder")
    assert holder.get(f"{root}{HERE}/roles").status_code in (403, 404)
    review = contact.get(f"{root}{APPOINT}/review", params={"office": "ra"})
    listed = posted(contact, review, f"{APPOINT}/confirm", why="second administrator")
    assert "Liam Petrov is now Rights Administrator." in listed.text
    assert holder.get(f"{root}{HERE}/roles").status_code == 200
    row = line_with(listed.text, HOLDER)
    (end,) = re.findall(rf'href="({HERE}/representatives/\d+/end)"', row)
    page = contact.get(root + end)
    posted(contact, page, f"{end}/confirm", reason="other", why="temporary help")
    assert holder.get(f"{root}{HERE}/roles").status_code in (403, 404)


def test_ma02_ma03_a_machine_is_registered_and_stopped(live_demo: dict[str, Any]) -> None:
    """MA-02, MA-03, MA-05, PR-04: the gateway names the account within seconds and invites its
    custodian; then the account is stopped."""
    browser, root = at_registration(live_demo, "ra")
    new, listed = f"{HERE}/new-machine/{HOLDER}", f"{root}{HERE}/machines"
    page = browser.get(root + new)
    typed = {"description": "Sends meter data", "networks": "192.0.2.77 meter data server"}
    review = posted(browser, page, f"{new}/review", **typed)
    order = posted(browser, review, f"{new}/confirm", **typed)
    waited(lambda: "In progress" not in browser.get(order.url).text)
    assert "Completed" in browser.get(order.url).text
    row = line_with(browser.get(listed).text, "Sends meter data")
    (name,) = re.findall(r"APIIESO\d{5}", row)[:1]
    assert mails(live_demo, EMAILS["holder"], name) >= 1
    (path,) = re.findall(rf'href="({HERE}/machines/\d+)"', row)
    stop = browser.get(f"{root}{path}/stop")
    posted(browser, stop, f"{path}/stop/confirm", why="replaced")
    assert "Sends meter data" not in browser.get(listed).text


def order_roles(browser: requests.Session, root: str, *codes: str) -> None:
    """The holder has these access roles, once the gateway has done it."""
    page = browser.get(root + ROLES)
    ticked = [f"person|{HOLDER}|{code}" for code in codes]
    if checked(page.text) == ticked:
        return
    review = posted(browser, page, f"{HERE}/roles/review", cell=ticked)
    order = posted(browser, review, f"{HERE}/roles/confirm", why="capacity desk")
    waited(lambda: "In progress" not in browser.get(order.url).text)
    assert checked(browser.get(root + ROLES).text) == ticked


def test_rg12_a_participation_is_applied_for_decided_and_ended(live_demo: dict[str, Any]) -> None:
    """RG-12, RG-13, TM-07: withdrawn, applied for again and approved, its roles can be given; they
    end with it, and the next token of EMI lacks them."""
    representative, root = at_registration(live_demo, "apprep")
    desk, _ = at_registration(live_demo, "ieso")
    admin, _ = at_registration(live_demo, "ra")
    offered = f'value="person|{HOLDER}|view-capacity-data"'
    order_roles(admin, root)
    assert offered not in admin.get(root + ROLES).text
    listed = f"{root}{HERE}/participations"
    row = line_with(representative.get(listed).text, "Capacity auction")
    (path,) = re.findall(rf'href="({HERE}/participations/\d+)"', row)
    decision = {"decision": "withdraw", "why": "not this year"}
    posted(representative, representative.get(root + path), f"{path}/decision", **decision)
    apply = f"{HERE}/participations/apply/capacity-auction"
    applied = posted(representative, representative.get(root + apply), f"{apply}/confirm")
    path = "/" + applied.url.split("/", 3)[3]
    assert offered not in admin.get(root + ROLES).text
    assert representative.get(f"{root}{path}/end").status_code == 403
    posted(desk, desk.get(root + path), f"{path}/decision", decision="approve")
    assert offered in admin.get(root + ROLES).text
    order_roles(admin, root, "view-capacity-data")
    assert "See market data" in rights_at_emi(live_demo)
    end = desk.get(f"{root}{path}/end")
    assert "1 access role ends." in end.text
    posted(desk, end, f"{path}/end/confirm", why="left the auction")
    assert offered not in admin.get(root + ROLES).text
    waited(lambda: "See market data" not in rights_at_emi(live_demo))
