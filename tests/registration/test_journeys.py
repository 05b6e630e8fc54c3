"""Procedures A (also by a file), B, H and I of the manual through the pages of registration and of
the gateway, each up to the next token of EMI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.registration.both_applications import (
    APPREP,
    HERE,
    HOLDER,
    RA,
    SECOND_RA,
    Both,
    Visitor,
    made,
)
from tests.world import NEW_PASSWORD, World

BIDS, VIEW = "submit-bids-and-offers", "view-market-data"
SUBMITTER, VIEWER = "dispatch-data-submitter", "dispatch-data-viewer"
ADDRESS = {"address_1": "1 Mill Street", "city": "Sudbury", "province": "Ontario",
           "postal_code": "P3A 1A1", "country": "Canada"}  # fmt: skip
NEWCOMER = {"first_name": "Olga", "last_name": "Ivanova", "main_phone": "705 555 0188",
            "main_email": "olga.ivanova@lakes-generation.example", "language": "en"}  # fmt: skip


@pytest.fixture
def both(world: World, registration_url: str) -> Iterator[Both]:
    """Both applications, with people of one participant."""
    found = made(world, registration_url)
    yield found
    found.runtime.close()


def with_roles(visitor: Visitor, person_id: str, *codes: str, why: str = "") -> None:
    """The access roles of this person are these: ticked, reviewed and confirmed."""
    page = visitor.get(f"{HERE}/persons/{person_id}/roles")
    ticks = [f"person|{person_id}|{code}" for code in codes]
    review = visitor.send(page, f"{HERE}/roles/review", cell=ticks)
    order = visitor.send(review, f"{HERE}/roles/confirm", why=why)
    assert "Request R" in order.text, order.text
    visitor.both.deliver()
    assert "Completed" in visitor.get(order.request.path).text


def with_contacts(visitor: Visitor, person_id: str, *codes: str) -> Any:
    """The contact roles of this person are these; returns the last page."""
    page = visitor.get(f"{HERE}/persons/{person_id}/contact-roles")
    ticks = [f"{code}|person|{person_id}" for code in codes]
    review = visitor.send(page, f"{HERE}/contact-roles/review", holding=ticks)
    if review.status_code != 200:
        return review
    done = visitor.send(review, f"{HERE}/contact-roles/confirm", why="new desk")
    visitor.both.deliver()
    return done


def test_a_a_new_person_gets_an_account_and_a_role(both: Both) -> None:
    """A.01 to A.05, RG-04 to RG-06, AR-07, NT-01, NT-02: searched, registered, granted; two mails
    of two senders; nothing before the activation, then the role."""
    admin = both.person(RA)
    searched = admin.get(f"{HERE}/grant?last_name=ivanov")
    assert "No person was found." in searched.text
    assert "Register New Person" in searched.text
    form = admin.get(f"{HERE}/new-person?then=find&last_name=Ivanova")
    review = admin.send(form, f"{HERE}/new-person/review", **NEWCOMER, **ADDRESS)
    assert "The Person ID is given when you confirm." in review.text
    found = admin.send(review, f"{HERE}/new-person/confirm")
    assert "The Person ID is 500001." in found.text
    assert f'href="{HERE}/persons/500001/roles"' in found.text
    assert both.username("500001") is None
    with_roles(admin, "500001", BIDS, why="new trader")
    assert both.username("500001") == "ivanovao"
    told = both.mails("500001")
    assert any("Your user name is ivanovao" in one for one in told)
    assert any("Submit bids and offers" in one for one in told)
    (invited,) = both.world.mails("account_created", to="ivanovao")
    assert "ivanovao" in invited.text
    assert both.world.browser().sign_in("ivanovao", NEW_PASSWORD).status_code == 400
    both.activate("ivanovao")
    assert both.at_emi("ivanovao", NEW_PASSWORD) == ["EMI Bids and Offers"]
    home = both.person(("ivanovao", "500001"), NEW_PASSWORD).get("/")
    assert "Olga Ivanova" in home.text
    assert "Submit bids and offers" in home.text


def test_a_people_from_a_file_get_accounts_and_roles(both: Both) -> None:
    """A.02 to A.05 by a file: nothing before it is confirmed; then a new person and one who is
    registered have what their lines say."""
    admin = both.person(RA)
    new = NEWCOMER | ADDRESS | {"roles": BIDS}
    lines = [",".join(("person_id", *new)), ",".join(("", *new.values())),
             HOLDER[1] + "," * (len(new)) + "manage-resources"]  # fmt: skip
    form = admin.get(f"{HERE}/import")
    review = admin.send(form, f"{HERE}/import/review", text="\n".join(lines))
    assert "1 person would be registered." in review.text
    assert "1 person is registered already." in review.text
    both.deliver()
    before = both.at_emi(HOLDER[0])
    order = admin.send(review, f"{HERE}/import/confirm", why="new desk")
    both.deliver()
    assert "Completed" in admin.get(order.request.path).text
    assert both.at_emi(HOLDER[0]) == sorted([*before, "Manage Resources"])
    both.activate("ivanovao")
    assert both.at_emi("ivanovao", NEW_PASSWORD) == ["EMI Bids and Offers"]


def test_b_a_person_asks_for_a_role_and_gets_it(both: Both) -> None:
    """B.01, B.03 to B.06, NT-03: the request is a task of the administrator; one press grants
    it."""
    holder, admin = both.person(HOLDER), both.person(RA)
    with_roles(admin, HOLDER[1], VIEW)
    assert holder.groups() == ["EMI Market Data Viewer"]
    page = holder.get(f"{HERE}/request-access")
    asked = holder.send(page, f"{HERE}/request-access/confirm", role=BIDS, why="night desk")
    assert "was sent to those who grant roles" in asked.text
    path = asked.request.path
    both.deliver()
    assert holder.groups() == ["EMI Market Data Viewer"]
    assert any("Access requested" in one and "night desk" in one for one in both.mails(RA[1]))
    assert f'href="{path}"' in admin.get("/").text
    before = len(both.mails(HOLDER[1])), len(both.mails(RA[1]))
    answered = admin.send(admin.get(path), f"{HERE}/access-requests/{path[10:]}/approve")
    assert "was sent to the gateway" in answered.text
    both.deliver()
    assert holder.groups() == ["EMI Bids and Offers", "EMI Market Data Viewer"]
    for number, (_, who) in zip(before, (HOLDER, RA), strict=True):
        (mail,) = both.mails(who)[number:]
        assert "Submit bids and offers" in mail
    assert f'href="{path}"' not in admin.get("/").text.split("organizations")[0]


def test_b_a_contact_role_opens_a_system_and_closes_it(both: Both) -> None:
    """B.02, B.04 to B.06, CO-04 to CO-06, NT-03: of a pair that excludes each other, one."""
    representative = both.person(APPREP)
    both_of_them = with_contacts(representative, HOLDER[1], SUBMITTER, VIEWER)
    assert both_of_them.status_code == 409
    assert "cannot hold both" in both_of_them.text
    before = both.at_emi(HOLDER[0])
    with_contacts(representative, HOLDER[1], VIEWER)
    assert both.at_emi(HOLDER[0]) == sorted([*before, "Dispatch Data Viewer"])
    assert "Dispatch Data Viewer" in both.mails(HOLDER[1])[-1]
    assert "Liam Petrov" in both.mails(RA[1])[-1]
    with_contacts(representative, HOLDER[1])
    assert both.at_emi(HOLDER[0]) == before


def test_h_an_administrator_corrects_the_own_record(both: Both) -> None:
    """H.01 to H.04, NT-04, NT-10, NT-12: the gateway has the new name and address; the mails go to
    the old address too, and the access stays."""
    admin = both.person(RA)
    before = admin.groups()
    page = admin.get("/my-information")
    new = {"last_name": "Nwosu-Clarke", "main_email": "amara.clarke@lakes-generation.example"}
    review = admin.send(page, "/my-information/review", **new, **ADDRESS)
    done = admin.send(review, "/my-information/confirm")
    assert "Your information was changed." in done.text
    both.deliver()
    settings = admin.gateway.get("/settings").text
    for text in ("Nwosu-Clarke", new["main_email"]):
        assert text in settings
    addresses = {"amara.nwosu@lakes-generation.example", new["main_email"]}
    assert {str(one["To"]).split("<")[-1].rstrip(">") for one in both.mailer.sent
            if "registered information has changed" in one["Subject"]} == addresses  # fmt: skip
    assert both.world.mails("address_changed")[-1].recipient in addresses
    assert both.world.mails("profile_changed")[-1].recipient == new["main_email"]
    assert admin.groups() == before
    assert admin.get(f"{HERE}/roles").status_code == 200


def test_i_an_administrator_changes_own_access_and_a_fellows(both: Both) -> None:
    """I.03 to I.06, AR-10: marked in the history as own; each gets a mail."""
    admin = both.person(RA)
    assert admin.groups() == ["EMI Market Data Viewer"]
    with_roles(admin, RA[1], VIEW, BIDS, why="stand-in")
    assert admin.groups() == ["EMI Bids and Offers", "EMI Market Data Viewer"]
    with_roles(admin, SECOND_RA[1], BIDS)
    assert both.at_emi(SECOND_RA[0]) == ["EMI Bids and Offers"]
    assert "Submit bids and offers" in both.mails(SECOND_RA[1])[-1]
    with_roles(admin, RA[1], VIEW)
    assert admin.groups() == ["EMI Market Data Viewer"]
    with_roles(admin, SECOND_RA[1])
    assert both.at_emi(SECOND_RA[0]) == []
    assert admin.get(f"{HERE}/roles").status_code == 200
    history = admin.get(f"{HERE}/history").text
    assert "stand-in" in history


def test_i_contact_roles_of_an_administrator(both: Both) -> None:
    """I.01, I.02, I.04 to I.06: by the Applicant Representative; the administrator may not."""
    admin = both.person(RA)
    refused = admin.get(f"{HERE}/persons/{RA[1]}/contact-roles")
    assert refused.status_code == 403
    assert "Sophie Lalonde" in refused.text
    representative = both.person(APPREP)
    with_contacts(representative, RA[1], SUBMITTER)
    assert "Dispatch Data Submitter" in admin.groups()
    assert "Dispatch Data Submitter" in both.mails(RA[1])[-1]
