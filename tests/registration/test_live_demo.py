"""The demonstration as a newcomer starts it: a Rights Administrator grants a role in the pages of
registration, and the next sign-in to EMI has it (B.03 to B.06)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from scripts.make_dist import mailed_code, send, waited

HERE = "/organizations/109120"
CELL = "person|100232|view-market-data"


def signed_in(known: dict[str, Any], start: str, person: dict[str, Any], email: str) -> Any:
    """A browser in which the person is signed in, and its page."""
    browser = requests.Session()
    page = browser.get(start)
    earlier = mailed_code(known["issuer"], email)
    page = send(browser, page, username=person["username"], password=person["password"])

    def mailed() -> str | None:
        code = mailed_code(known["issuer"], email)
        return code if code != earlier else None

    return browser, send(browser, page, code=waited(mailed))


def checked(page: str) -> list[str]:
    return re.findall(r'name="cell" value="([^"]+)" checked', page)


def posted(browser: requests.Session, page: requests.Response, path: str, **fields: Any) -> Any:
    """Send the form of this page with this address, as it stands, with these fields."""
    (form,) = (f for f in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL) if path in f)
    data: dict[str, Any] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form):
        data.setdefault(name, []).append(value)
    root = "/".join(page.url.split("/")[:3])
    answer = browser.post(root + path, data | fields)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.xdist_group("live")
def test_b_a_grant_in_the_pages_reaches_the_next_token_of_emi(live_demo: dict[str, Any]) -> None:
    """AR-05, AR-06, PR-03, PR-06: nothing before Confirm; once the gateway has taken the
    request, the role is in the next token."""
    known, registration = live_demo, live_demo["registration"]
    people = {person["tier"]: person for person in registration["people"]}
    assert [one["id"] for one in registration["organizations"]] == ["109120", "111340", "120560"]
    assert {"ar", "pc", "ra", "apprep", "holder", "ieso"} == set(people)
    browser, home = signed_in(known, f"{registration['url']}/signin", people["ra"],
                              "amara.nwosu@lakes-generation.example")  # fmt: skip
    assert "Northern Lakes Generation Inc." in home.text
    address = f"{registration['url']}{HERE}/persons/100232/roles"
    page = browser.get(address)
    assert CELL not in checked(page.text)
    ticked = [*checked(page.text), CELL]
    review = posted(browser, page, f"{HERE}/roles/review", cell=ticked)
    assert CELL not in checked(browser.get(address).text)
    order = posted(browser, review, f"{HERE}/roles/confirm", why="new desk")
    waited(lambda: "In progress" not in browser.get(order.url).text)
    assert CELL in checked(browser.get(address).text)
    holder = next(one for one in known["people"] if one["username"] == "okaforc")
    emi = known["relying_parties"][0]["url"]
    _, shown = signed_in(known, f"{emi}/signin", holder, holder["email"])
    assert shown.url.startswith(emi)
    assert "See market data" in shown.text
    other = browser.get(f"{registration['url']}/organizations/111340/roles")
    assert other.status_code in (403, 404)
