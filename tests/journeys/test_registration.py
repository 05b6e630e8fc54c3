"""Procedures A, B, C, D, G, H, I and J of the manual as the gateway sees them, step by step: what
the registration system pushes, what the holder gets and can do, for people, machines and Rights
Administrators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from idp.models import AccountState
from tests.scim.pusher import EXTENSION, Pusher, fault
from tests.security.test_machines import INSIDE, token
from tests.world import NEW_PASSWORD, Rp, World

PARTICIPANT = "109120"
NETWORK = {"value": "192.0.2.0/28", "label": "Control room"}
ROLES = {
    "person": ("EMI Trader", "EMI Viewer"),
    "machine": ("MIM Bids", "MIM Reports"),
    "ra": ("Registration Rights Administrator", "EMI Viewer"),
}


def grant(role: str, participant: str = PARTICIPANT) -> dict[str, str]:
    return {"roleGroup": role, "participantId": participant}


@dataclass
class Subscriber:
    """An account of registration, and what its holder does."""

    world: World
    pusher: Pusher
    kind: str
    rp: Rp
    user: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.user["userName"])

    @property
    def first(self) -> str:
        return ROLES[self.kind][0]

    @property
    def second(self) -> str:
        return ROLES[self.kind][1]

    def register(self, *grants: dict[str, str]) -> None:
        """A.02 and A.03, G.01 and G.02: the push of a new account."""
        for number in {PARTICIPANT, *(entry["participantId"] for entry in grants)}:
            self.world.participant(number)
        extension: dict[str, Any] = {"grants": list(grants), "requestNumber": "Q-1"}
        if self.kind == "machine":
            extension |= {"accountKind": "machine", "registeredNetworks": [NETWORK]}
        self.user = self.pusher.create(1, extension=extension)

    def change(self, *operations: dict[str, Any]) -> None:
        answer = self.pusher.patch(self.user["id"], *operations)
        assert answer.status_code == 200, answer.text
        self.user = dict(answer.json or {})

    def set_roles(self, *grants: dict[str, str]) -> None:
        """B.04, I.04: the whole truth about the role groups."""
        path = f"{EXTENSION}:grants"
        self.change({"op": "replace", "path": path, "value": list(grants)} if grants
                    else {"op": "remove", "path": path})  # fmt: skip

    def activate(self) -> None:
        """A.05, G.04, K: by the mailed link."""
        mail = self.world.mails("account_created", to=self.name)[-1]
        assert self.name in mail.text
        browser = self.world.browser()
        page = browser.get(mail.links[0].removeprefix(self.world.settings.issuer))
        done = browser.submit(page, "/activate", password=NEW_PASSWORD, again=NEW_PASSWORD)
        assert done.status_code == 200, done.text

    def groups(self) -> list[str]:
        """The role groups of a fresh token of the application."""
        if self.kind == "machine":
            answer = token(self.world, client_id=self.name, client_secret=NEW_PASSWORD,
                           resource=self.rp.client_id, ip=INSIDE)  # fmt: skip
            if answer.status_code != 200:
                return []
            issued = answer.json["access_token"]
        else:
            code = self.world.browser().code(self.rp, self.name, NEW_PASSWORD)
            issued = (self.world.redeem(self.rp, code).json or {})["access_token"]
        found: list[str] = self.world.introspect(self.rp, issued).get("groups", [])
        return sorted(found)

    def can_sign_in(self) -> bool:
        return self.world.browser().sign_in(self.name, NEW_PASSWORD).status_code == 200

    def mailed(self, kind: str) -> str:
        return str(self.world.mails(kind, to=self.name)[-1].text)


@pytest.fixture(params=["person", "machine", "ra"])
def subscriber(request: pytest.FixtureRequest, world: World) -> Subscriber:
    """Somebody whom registration does not know yet."""
    rp = world.relying_party("App")
    for kind, names in ROLES.items():
        for name in names:
            if not any(e.data.get("group") == name for e in world.events("role_group.created")):
                world.role_group(name, rp.client_id,
                                 kind="machine" if kind == "machine" else "personal")  # fmt: skip
    return Subscriber(world, Pusher.of(world), request.param, rp)


def test_a_g_application_and_enrolment(world: World, subscriber: Subscriber) -> None:
    """A.03 to A.05, G.02 to G.04, NT-02: created and mailed in one; nothing works before the
    activation, all of it afterwards; the first push once more changes nothing."""
    subscriber.register(grant(subscriber.first))
    assert world.account_row(subscriber.name).state == AccountState.PENDING
    assert not subscriber.can_sign_in()
    assert len(world.mails("account_created")) == 1
    subscriber.activate()
    assert subscriber.can_sign_in()
    assert subscriber.groups() == [subscriber.first]
    page = world.browser().signed_in(subscriber.name, NEW_PASSWORD).get("/").text
    assert ("https://app.rp.test/signin" in page) == (subscriber.kind != "machine")
    assert world.events("scim.created")[-1].data["after"][EXTENSION]["requestNumber"] == "Q-1"


def test_g_an_existing_account_gets_the_role(world: World) -> None:
    """G.02: no second account, no second activation; a notice of the new role."""
    rp = world.relying_party("App")
    for name in ROLES["ra"]:
        world.role_group(name, rp.client_id)
    holder = Subscriber(world, Pusher.of(world), "ra", rp)
    holder.register(grant(holder.second))
    holder.activate()
    holder.set_roles(grant(holder.first), grant(holder.second))
    assert holder.groups() == sorted([holder.first, holder.second])
    assert len(world.mails("account_created")) == 1
    assert holder.first in holder.mailed("access_changed")
    again = holder.pusher.send("POST", body={
        "schemas": list(holder.user["schemas"]), "externalId": "other",
        "name": {"givenName": "Jim", "familyName": "Smithb"},
        "emails": [{"value": "jim1@participant.example"}],
        EXTENSION: {"personId": "R00001"}})  # fmt: skip
    assert fault(again) == (409, "uniqueness")


def test_b_i_change_of_roles(world: World, subscriber: Subscriber) -> None:
    """B.04 to B.06, I.04 to I.06, NT-03: the next token, the open session and the holder's mail
    show it at once; another participant's role stays."""
    subscriber.register(grant(subscriber.first), grant(subscriber.first, "111340"))
    subscriber.activate()
    subscriber.set_roles(grant(subscriber.second), grant(subscriber.first, "111340"))
    assert subscriber.groups() == sorted([subscriber.first, subscriber.second])
    mails = "".join(mail.text for mail in world.mails("access_changed", to=subscriber.name))
    assert f"{subscriber.second} ({PARTICIPANT})" in mails
    assert f"{subscriber.first} ({PARTICIPANT})" in mails
    subscriber.set_roles()
    assert subscriber.groups() == []
    if subscriber.kind != "machine":
        page = world.browser().signed_in(subscriber.name, NEW_PASSWORD).get("/").text
        assert "https://app.rp.test/signin" not in page


def test_c_h_change_of_attributes(world: World, subscriber: Subscriber) -> None:
    """C.02 to C.04, H.02 to H.04, NT-04, NT-12, UI-06: the new name and address in tokens and
    mails, a mail to the old address too; the UserID and the password stay."""
    subscriber.register(grant(subscriber.first))
    subscriber.activate()
    name = subscriber.name
    subscriber.change(
        {"op": "replace", "path": "name.familyName", "value": "Jones"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "j@participant.example"},
        {"op": "add", "path": "phoneNumbers", "value": [{"value": "tel:+14169671111"}]},
    )
    assert subscriber.name == name
    assert subscriber.can_sign_in()
    assert world.mails("address_changed")[-1].recipient == "jim1@participant.example"
    assert world.mails("profile_changed")[-1].recipient == "j@participant.example"
    page = world.browser().signed_in(name, NEW_PASSWORD).get("/settings").text
    for text in ("Jim Jones", "j@participant.example", "967-1111"):
        assert text in page, text


def test_c_another_custodian(world: World) -> None:
    """C.03, MA-10: the new custodian is told and chooses the password; the old one has no way in
    and the programs wait for it."""
    rp = world.relying_party("App")
    world.role_group(ROLES["machine"][0], rp.client_id, kind="machine")
    machine = Subscriber(world, Pusher.of(world), "machine", rp)
    machine.register(grant(machine.first))
    machine.activate()
    assert machine.groups() == [machine.first]
    machine.change(
        {"op": "replace", "path": f"{EXTENSION}:personId", "value": "R00042"},
        {"op": "replace", "path": "name", "value": {"givenName": "Chidi", "familyName": "Okafor"}},
        {"op": "replace", "path": "emails", "value": [{"value": "chidi@participant.example"}]},
    )
    assert machine.groups() == []
    assert not machine.can_sign_in()
    assert world.mails("custodian_left")[-1].recipient == "jim1@participant.example"
    mail = world.mails("custodian_changed")[-1]
    assert mail.recipient == "chidi@participant.example"
    browser = world.browser()
    page = browser.get(mail.links[0].removeprefix(world.settings.issuer))
    other = "Crimson-Paddle9-harbour"
    browser.submit(page, "/recover/open", password=other, again=other)
    assert token(world, client_id=machine.name, client_secret=other,
                 resource="app").status_code == 200  # fmt: skip


def test_d_j_de_provisioning_and_termination(world: World, subscriber: Subscriber) -> None:
    """D.03 to D.06, J.01 to J.04, PR-04, UI-06, N81: access ends first, then the account; sessions
    and tokens with it; the holder is told, the name is never given again."""
    subscriber.register(grant(subscriber.first))
    subscriber.activate()
    browser = world.browser().signed_in(subscriber.name, NEW_PASSWORD)
    subscriber.set_roles()
    assert subscriber.groups() == []
    reason = {"Deactivation-Reason": "left_organization"}
    done = subscriber.pusher.send("DELETE", subscriber.user["id"], headers=reason)
    assert done.status_code == 204
    assert "Sign in" in browser.get("/settings").text
    assert not subscriber.can_sign_in()
    assert subscriber.name in subscriber.mailed("account_deactivated")
    assert world.events("scim.deleted")[-1].data["why"] == "left_organization"
    later = subscriber.pusher.create(
        2, name={"givenName": "Jim", "familyName": "Smithb"},
        **({"extension": {"accountKind": "machine", "registeredNetworks": [NETWORK]}}
           if subscriber.kind == "machine" else {}))  # fmt: skip
    assert later["userName"] != subscriber.name
