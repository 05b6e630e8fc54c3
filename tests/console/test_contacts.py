"""Contacts of participants at the console (NT-03, NT-06)."""

from __future__ import annotations

from idp.policy.console import ConsoleRole
from tests.console.desk import Desk
from tests.world import World


def test_access_management_sets_contacts(world: World) -> None:
    """Appointed, shown, told, dismissed; an unknown participant or person is named."""
    desk = Desk.of(world, ConsoleRole.ACCESS)
    world.participant("200001", "Erie Wind")
    world.account("ra", person_id="ID-ra", given_name="Rosa")
    sent = {"number": "200001", "person_id": "ID-ra", "function": "rights_administrator"}
    assert desk.post("/console/participants/contact", change="appoint", **sent).status_code == 303
    page = desk.browser.get("/console/participants/200001").text
    assert "Rosa Moreau (ID-ra), Rights Administrator" in page
    assert world.mails("contact_added")[0].recipient == "ra@participant.example"
    assert world.events("participant.contact_added")[0].actor == desk.username
    assert desk.post("/console/participants/contact", change="dismiss", **sent).status_code == 303
    assert "Rosa" not in desk.browser.get("/console/participants/200001").text
    wrong = desk.post("/console/participants/contact", change="appoint", **(
        sent | {"person_id": "ID-none"}))  # fmt: skip
    assert (
        wrong.status_code,
        "Person ID-none has no account and cannot be a contact." in wrong.text,
    ) == (400, True)
    assert desk.browser.get("/console/participants/9").status_code == 404
