"""The registration bridge: Users by SCIM (PR-01, PR-04, AC-01, RG-09, N72 to N81, N85)."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from idp.directory import accounts, lifecycle
from idp.models import AccountKind, AccountState
from idp.policy.console import OPERATOR, ConsoleRole
from registration_bridge.message_urns import BULK
from tests.scim.pusher import CORE, EXTENSION, PATCH, USERS, Pusher, fault, user
from tests.world import NEW_PASSWORD, PASSWORD, World

CHOICE = {"password": NEW_PASSWORD, "again": NEW_PASSWORD}
TRADER = {"roleGroup": "EMI Trader", "participantId": "109120"}
VIEWER = {"roleGroup": "EMI Viewer", "participantId": "111340"}


def activate(world: World, username: str) -> Any:
    """By the mailed link."""
    mail = world.mails("account_created", to=username)[-1]
    browser = world.browser()
    page = browser.get(mail.links[0].removeprefix(world.settings.issuer))
    return browser.submit(page, "/activate", **CHOICE)


def test_pr01_from_push_to_token_and_back(world: World, pusher: Pusher) -> None:
    """PR-01, AC-01, PR-04: push, mail, activation, token, change, token, revoke, suspension,
    restore, deactivation; each in the same second."""
    made = pusher.create(extension={"grants": [TRADER]})
    assert made["userName"] == "smithbj"
    assert made["active"]
    assert made[EXTENSION]["grants"] == [TRADER]
    username, key = made["userName"], made["id"]
    assert activate(world, username).request.path == "/"
    rp = world.relying_party("CROW")
    world.role_group("CROW Viewer", rp.client_id)

    def tokens() -> dict[str, Any]:
        code = world.browser().code(rp, username, NEW_PASSWORD)
        return dict(world.redeem(rp, code).json or {})

    assert world.introspect(rp, tokens()["access_token"])["groups"] == []
    crow = {"roleGroup": "CROW Viewer", "participantId": "109120"}
    grants = {"op": "add", "path": f"{EXTENSION}:grants", "value": [crow]}
    assert pusher.patch(key, grants).json[EXTENSION]["grants"] == [crow, TRADER]
    issued = tokens()
    assert world.introspect(rp, issued["access_token"])["groups"] == ["CROW Viewer"]
    gone = {"op": "remove", "path": f'{EXTENSION}:grants[roleGroup eq "CROW Viewer"]'}
    assert pusher.patch(key, gone).json[EXTENSION]["grants"] == [TRADER]
    assert world.introspect(rp, issued["access_token"])["groups"] == []

    browser = world.browser().signed_in(username, NEW_PASSWORD)
    assert pusher.patch(key, {"op": "replace", "value": {"active": False}}).json["active"] is False
    assert "Sign in" in browser.get("/settings").text
    assert world.introspect(rp, issued["access_token"]) == {"active": False}
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400
    assert pusher.patch(key, {"op": "replace", "path": "active", "value": True}).json["active"]
    assert world.browser().sign_in(username, NEW_PASSWORD).request.path == "/"

    assert pusher.send("DELETE", key).status_code == 204
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400
    assert fault(pusher.send("GET", key)) == (404, None)
    names = [e.name for e in world.events() if e.name.startswith("scim.") and not e.reason]
    updated = ["scim.updated"] * 2
    assert names == ["scim.created", *updated, "scim.suspended", *updated, "scim.deleted"]
    actors = {e.actor for e in world.events() if e.name in names}
    assert actors == {"client:registration"}


def test_machine_and_email_accounts(world: World, pusher: Pusher) -> None:
    """MA-02, UI-08, UI-09: kinds, networks, the custodian's mail; another custodian (MA-10)."""
    networks = [{"value": "192.0.2.0/28", "label": "Control room"}, {"value": "2001:db8:7::/48"}]
    mim = {"roleGroup": "MIM", "participantId": "109120"}
    made = pusher.create(
        extension={"accountKind": "machine", "registeredNetworks": networks, "grants": [mim]}
    )
    assert made["userName"] == "APIIESO00001"
    assert made[EXTENSION]["registeredNetworks"] == networks
    assert world.mails("account_created")[-1].recipient == "jim1@participant.example"
    other = pusher.patch(
        made["id"],
        {"op": "replace", "path": f"{EXTENSION}:personId", "value": "R00099"},
        {"op": "replace", "path": "name.givenName", "value": "Chidi"},
        {"op": "replace", "path": "name.familyName", "value": "Eze"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "c@participant.example"},
    )
    assert other.status_code == 200, other.text
    assert other.json["displayName"] == "Chidi Eze"
    assert world.mails("account_created")[-1].recipient == "c@participant.example"
    login = pusher.create(2, userName="workspaces@participant.example",
                          extension={"accountKind": "email"})  # fmt: skip
    assert login["userName"] == "workspaces@participant.example"
    for bad in (
        {"accountKind": "machine"},
        {"accountKind": "machine", "registeredNetworks": [{"value": "0.0.0.0/0"}]},
        {"accountKind": "robot"},
        {"registeredNetworks": networks},
        {"grants": [mim]},
        {"grants": [{"roleGroup": "Nothing", "participantId": "1"}]},
        {"personId": ""},
    ):
        answer = pusher.send("POST", body=user(3, extension=bad))
        assert fault(answer) == (400, "invalidValue"), (bad, answer.text)
    assert world.events("account.created")[-1].data["kind"] == "email"


def test_rg09_a_change_applies_to_every_account_of_the_person(world: World, pusher: Pusher) -> None:
    """RG-09, AC-08: a machine account shows the new name too; the old activation link is dead."""
    made = pusher.create()
    pusher.create(2, extension={"personId": "R00001", "accountKind": "machine",
                                "registeredNetworks": [{"value": "192.0.2.1"}]},
                  name={"givenName": "Jim", "familyName": "Smithb"},
                  emails=[{"value": "jim1@participant.example"}])  # fmt: skip
    link = world.mails("account_created", to="smithbj")[-1].links[0]
    changed = pusher.patch(made["id"], {"op": "Replace", "value": {
        "emails": [{"value": "new@participant.example", "primary": True}],
        "name.familyName": "Jones",
    }})  # fmt: skip
    assert changed.status_code == 200, changed.text
    assert changed.json["userName"] == "smithbj"
    machine = pusher.send("GET", f'{USERS}?filter=userName eq "APIIESO00001"').json["Resources"][0]
    assert machine["name"]["familyName"] == "Jones"
    assert machine["emails"][0]["value"] == "new@participant.example"
    assert world.browser().get(link.removeprefix(world.settings.issuer)).status_code == 400
    assert world.mails("address_changed")[-1].recipient == "jim1@participant.example"
    assert world.mails("account_created", to="smithbj")[-1].recipient == "new@participant.example"


def test_a_repeated_creation_gets_the_same_answer(world: World, pusher: Pusher) -> None:
    """The same externalId with the same content is answered as the first time."""
    first = pusher.send("POST", body=user())
    again = pusher.send("POST", body=user())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert len(world.mails("account_created")) == 1
    other = user() | {"nickName": "Jimmy"}
    assert fault(pusher.send("POST", body=other)) == (409, "uniqueness")
    elsewhere = Pusher.of(world, "Other")
    answer = elsewhere.send("POST", body=user() | {"userName": "smithbj"})
    assert fault(answer) == (409, "uniqueness")


def test_n76_an_existing_account_is_not_adopted(world: World, pusher: Pusher) -> None:
    """N76: a taken user name, another person's address: no adoption, no change."""
    taken = world.account("smithbj", person_id="L1", given_name="Local")
    for name in ("smithbj", "SMITHBJ", "ＳmithBJ"):
        answer = pusher.send("POST", body=user(userName=name))
        assert answer.status_code in (400, 409), name
    assert world.account_row(taken).person.given_name == "Local"
    made = pusher.create(emails=[{"value": "smithbj@participant.example"}])
    assert made["userName"] != "smithbj"


def test_n81_a_user_id_is_never_reused(world: World, pusher: Pusher) -> None:
    """N81, UI-06: after a DELETE the name stays taken; a new account is another subject."""
    made = pusher.create()
    pusher.send("DELETE", made["id"])
    answer = pusher.send("POST", body=user(2, userName="smithbj"))
    assert fault(answer) == (409, "uniqueness")
    assert "never reused" in answer.text
    again = pusher.send("POST", body=user())
    assert fault(again) == (409, "uniqueness")
    for method, body in (("PUT", user()), ("DELETE", None)):
        assert fault(pusher.send(method, made["id"], body)) == (404, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": ""},
        {"id": "made-up", "meta": {"created": "2000-01-01T00:00:00Z", "version": "x"}},
        {"groups": [{"value": "Gateway Access Management"}], "Roles": ["admin"]},
        {"entitlements": ["all"], "userType": "admin", "title": "root"},
        {"displayName": "Somebody else", "locale": "fr-CA"},
    ],
)
def test_n75_read_only_and_foreign_attributes_are_ignored(
    world: World, pusher: Pusher, changes: dict[str, Any]
) -> None:
    """N75: dropped, in any case; nothing of it is in the account."""
    made = pusher.create(**changes)
    assert made["id"] != "made-up"
    assert made["displayName"] == "Jim Smithb"
    row = world.account_row("smithbj")
    assert row.password_hash is None
    assert row.state == AccountState.PENDING
    changed = pusher.send("PUT", made["id"], user(**changes))
    assert changed.status_code == 200, changed.text
    assert not world.account_row("smithbj").password_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"isAdmin": True},
        {"mfa": {"enrolled": True}},
        {"emailVerified": True},
        {"urn:example:evil": {"a": 1}},
        {"extension": {"state": "active"}},
        {"activ": True},
    ],
)
def test_n75_unknown_attributes_are_refused(
    world: World, pusher: Pusher, changes: dict[str, Any]
) -> None:
    """N75: a typing mistake is no success without effect; nothing is written."""
    answer = pusher.send("POST", body=user(**changes))
    assert answer.status_code == 400, answer.text
    assert world.events("account.created") == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("userName", "another"), (f"{EXTENSION}:personId", "R00002"),
     (f"{EXTENSION}:accountKind", "machine"), ("id", "another")],
)  # fmt: skip
def test_n75_immutable_attributes_are_not_changed(
    world: World, pusher: Pusher, attribute: str, value: str
) -> None:
    """N75: user name, person and kind of an account."""
    made = pusher.create()
    answer = pusher.patch(made["id"], {"op": "replace", "path": attribute, "value": value})
    assert fault(answer) == (400, "mutability")
    assert world.account_row("smithbj").kind == AccountKind.PERSONAL


def test_n72_n74_a_push_cannot_change_operators(world: World, pusher: Pusher) -> None:
    """N72, N74: neither changed nor closed nor made by a push; the trail has it."""
    made = pusher.create()
    world.role_group(ConsoleRole.AGENT)
    answer = pusher.patch(made["id"], {"op": "add", "path": f"{EXTENSION}:grants", "value": [
        {"roleGroup": ConsoleRole.AGENT, "participantId": OPERATOR}]})  # fmt: skip
    assert fault(answer) == (403, None)
    world.grant_role("smithbj", ConsoleRole.AGENT, OPERATOR)
    off = {"op": "replace", "path": "active", "value": False}
    assert fault(pusher.patch(made["id"], off)) == (403, None)
    assert fault(pusher.send("DELETE", made["id"])) == (403, None)
    assert fault(pusher.send("PUT", made["id"], user(nickName="x"))) == (403, None)
    assert world.account_row("smithbj").state == AccountState.PENDING
    assert world.events("scim.refused")[-1].reason == "Forbidden"


def test_n74_an_operators_address_is_not_changed_by_another_account(
    world: World, pusher: Pusher
) -> None:
    """N74, N76: name and address are the person's: an operator gets no new account by a push, and
    none of the accounts of that person is changed."""
    made = pusher.create()
    login = {"userName": "other@participant.example", "externalId": "reg-other"}
    kind = {"personId": "R00001", "accountKind": "email"}
    other = pusher.create(**login, extension=kind)
    world.role_group(ConsoleRole.AGENT)
    world.grant_role(made["userName"], ConsoleRole.AGENT, OPERATOR)
    taken = [{"value": "thief@participant.example", "type": "work", "primary": True}]
    mine = {"userName": "third@participant.example", "externalId": "reg-third"}
    answer = pusher.send("POST", body=user(**mine, emails=taken, extension=kind))
    assert fault(answer) == (403, None)
    change = {"op": "replace", "path": "emails", "value": taken}
    assert fault(pusher.patch(other["id"], change)) == (403, None)
    assert fault(pusher.send("PUT", other["id"], user(emails=taken))) == (403, None)
    assert world.account_row(made["userName"]).person.email == "jim1@participant.example"
    assert world.mails("address_changed") == []
    assert fault(pusher.send("POST", body=user(**mine, extension=kind))) == (403, None)
    change = {"op": "replace", "path": "active", "value": False}
    assert fault(pusher.patch(other["id"], change)) == (403, None)


def test_n80_only_an_active_token_with_the_scope_is_accepted(world: World, pusher: Pusher) -> None:
    """N80: nothing, empty, null, another scheme, two, a person's, without scope, revoked."""
    good = f"Bearer {pusher.token}"
    rp = world.relying_party("CROW")
    person = world.signed_in_tokens(rp, world.account())["access_token"]
    for given in ("", "Bearer ", "Bearer null", "Bearer undefined", "Basic eDp5", pusher.token,
                  f"Bearer {pusher.token}x", f"Bearer {person}"):  # fmt: skip
        answer = pusher.send("GET", headers={"Authorization": given})
        assert fault(answer) == (401, None), given
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert pusher.send("GET", headers={"Authorization": good.lower().replace(
        pusher.token.lower(), pusher.token)}).status_code == 200  # fmt: skip
    other = Pusher.of(world, "Robot", scope="market.read")
    assert fault(other.send("GET")) == (403, None)
    assert fault(other.send("POST", body=user())) == (403, None)
    with world.work() as work:
        from idp.clients import registry

        registry.disable(work, registry.get(work, "registration"))
    assert fault(pusher.send("GET")) == (401, None)


FILTERS = {
    'userName eq "SMITHBJ"': ["smithbj"],
    'userName sw "smith"': ["smithbj", "smithcj"],
    'externalId eq "reg-2"': ["smithcj"],
    'externalId eq "REG-2"': [],
    'emails eq "jim1@participant.example"': ["smithbj"],
    'emails.value co "JIM2@"': ["smithcj"],
    'emails[type eq "work" and value co "jim2"]': ["smithcj"],
    'emails[type eq "home"]': [],
    'name.familyName eq "smithb" or name.givenName eq "nobody"': ["smithbj"],
    'not (name.familyName eq "smithb")': ["smithcj"],
    "active eq true": ["smithbj"],
    "active eq false": ["smithcj"],
    "nickName pr": [],
    "userName pr and externalId pr": ["smithbj", "smithcj"],
    'meta.lastModified gt "2020-01-01T00:00:00Z"': ["smithbj", "smithcj"],
    'meta.created lt "2020-01-01T00:00:00Z"': [],
    f'{EXTENSION}:personId eq "R00001"': ["smithbj"],
    f'{EXTENSION}:grants[roleGroup eq "EMI Trader" and participantId eq "109120"]': ["smithbj"],
    f'{EXTENSION}:grants[roleGroup eq "EMI Trader" and participantId eq "111340"]': [],
    f'{EXTENSION}:grants.roleGroup eq "EMI Viewer"': ["smithbj"],
    'userName eq "x\\" or 1=1--"': [],
    "userName eq \"' or ''='\"": [],
    'userName co "%"': [],
    'userName co "_"': [],
}


@pytest.mark.parametrize("filter_", FILTERS)
def test_filters_are_database_conditions(world: World, pusher: Pusher, filter_: str) -> None:
    """N77: and, or, not, co, sw, pr, dates, the extension by URN, one grant as a whole."""
    pusher.create(1, extension={"grants": [TRADER, VIEWER]})
    pusher.create(2, active=False)
    assert pusher.found(filter_) == FILTERS[filter_]


@pytest.mark.parametrize(
    "filter_",
    [
        "userName", 'userName eq', '(((', 'userName like "x"', 'evil eq "x"', 'password eq "x"',
        'password sw "a"', "active gt true", 'meta.created eq "yesterday"',
        "(" * 1000 + 'userName eq "a"' + ")" * 1000,
        " or ".join(f'userName eq "u{n}"' for n in range(40)),
        'userName eq "' + "x" * 65536 + '"',
    ],
)  # fmt: skip
def test_n77_unsupported_filters_are_refused(pusher: Pusher, filter_: str) -> None:
    """N77, G5, G6: named, quickly, never a fault of ours."""
    from urllib.parse import quote

    answer = pusher.send("GET", f"{USERS}?filter={quote(filter_)}")
    assert fault(answer) == (400, "invalidFilter")


def test_n78_pages_are_bounded(world: World, pusher: Pusher) -> None:
    """N78: count, startIndex and sortBy, whatever is sent."""
    for number in range(1, 5):
        pusher.create(number)
    page = pusher.send("GET", f"{USERS}?sortBy=userName&sortOrder=descending&count=2").json
    assert [row["userName"] for row in page["Resources"]] == ["smithej", "smithdj"]
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (4, 2, 1)
    page = pusher.send("GET", f"{USERS}?startIndex=4&count=1000000000").json
    assert len(page["Resources"]) == 1
    for query in ("startIndex=-1", "startIndex=0", "count=0", "count=-5"):
        answer = pusher.send("GET", f"{USERS}?{query}")
        assert answer.status_code in (200, 400), query
    assert pusher.send("GET", f"{USERS}?startIndex={'9' * 30}").json["totalResults"] == 4
    for query in ("count=x", "sortBy=evil", "sortBy=userName;drop"):
        assert pusher.send("GET", f"{USERS}?{query}").status_code == 400, query
    only = pusher.send("GET", f"{USERS}?attributes=userName").json["Resources"][0]
    assert set(only) == {"schemas", "id", "userName"}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": 'userName eq "smithbj"'}  # fmt: skip
    assert pusher.send("POST", f"{USERS}/.search", body).json["totalResults"] == 1


def test_versions_and_if_match(world: World, pusher: Pusher) -> None:
    """RFC 7644 3.14: a stale If-Match is 412, If-None-Match 304; a change changes the version."""
    made = pusher.create()
    key, version = made["id"], made["meta"]["version"]
    assert pusher.send("GET", key).headers["ETag"] == version
    assert pusher.send("GET", key, headers={"If-None-Match": version}).status_code == 304
    nick = {"op": "add", "path": "nickName", "value": "Jimmy"}
    world.clock.advance(seconds=1)
    changed = pusher.patch(key, nick, headers={"If-Match": version})
    assert changed.status_code == 200
    assert changed.json["meta"]["version"] != version
    assert changed.json["meta"]["lastModified"] > made["meta"]["lastModified"]
    for method, body in (("PATCH", {"schemas": [PATCH], "Operations": [nick]}), ("DELETE", None),
                         ("PUT", user())):  # fmt: skip
        answer = pusher.send(method, key, body, headers={"If-Match": version})
        assert fault(answer)[0] == 412, method
    before = len(world.events("scim.updated"))
    assert pusher.patch(key, nick).status_code == 200
    assert len(world.events("scim.updated")) == before


def test_a_stale_sequence_changes_nothing(world: World, pusher: Pusher) -> None:
    """PR-06: out of order, it is refused and audited, alone, in a Bulk and as a dry run: what was
    not done is not answered like a success."""
    made = pusher.create(extension={"sequence": 5})
    body = user(nickName="Late", extension={"sequence": 4})
    late = pusher.send("PUT", made["id"], body)
    words = "sequence 4 is lower than 5, the last one applied to this account. Nothing was changed."
    assert (fault(late), late.json["detail"]) == ((409, None), words)
    (event,) = world.events("scim.stale")
    assert event.data["sequence"] == 4
    operation = {"method": "PUT", "path": f"/Users/{made['id']}", "bulkId": "1", "data": body}
    for query, count in (("", 2), ("?dryRun=true", 2)):
        several = {"schemas": [BULK], "Operations": [operation]}
        answer = pusher.send("POST", f"/scim/v2/Bulk{query}", several)
        (result,) = answer.json["Operations"]
        assert (result["status"], result["response"]["detail"]) == ("409", words)
        assert len(world.events("scim.stale")) == count
    assert "nickName" not in pusher.send("GET", made["id"]).json
    same = pusher.send("PUT", made["id"], user(nickName="Same", extension={"sequence": 5}))
    assert same.json["nickName"] == "Same"
    newer = pusher.send("PUT", made["id"], user(nickName="New", extension={"sequence": 6}))
    assert newer.json["nickName"] == "New"
    assert newer.json[EXTENSION]["sequence"] == 6


def test_a_put_keeps_active_and_extension_values_that_it_omits(
    world: World, pusher: Pusher
) -> None:
    """G8: absence never activates nor suspends, nor takes access away."""
    made = pusher.create(extension={"grants": [TRADER]})
    pusher.patch(made["id"], {"op": "replace", "path": "active", "value": False})
    body = user(active=None, nickName="Jimmy")
    del body[EXTENSION]
    body["schemas"] = [CORE]
    kept = pusher.send("PUT", made["id"], body)
    assert kept.status_code == 200, kept.text
    assert (kept.json["active"], kept.json["nickName"]) == (False, "Jimmy")
    assert kept.json[EXTENSION]["grants"] == [TRADER]


def test_an_operators_suspension_is_not_lifted_by_a_push(world: World, pusher: Pusher) -> None:
    """Never overwritten: what Customer Relations closed stays closed."""
    made = pusher.create()
    with world.work() as work:
        account = accounts.by_username(work, "smithbj")
        lifecycle.change_state(work, account, AccountState.SUSPENDED, reason="operator")
    on = {"op": "replace", "path": "active", "value": True}
    assert fault(pusher.patch(made["id"], on)) == (400, "invalidValue")
    assert world.account_row("smithbj").state == AccountState.SUSPENDED


def test_a_suspension_before_activation_sends_a_new_link_afterwards(
    world: World, pusher: Pusher
) -> None:
    """The link that was on its way ended; the restored account can still be activated."""
    made = pusher.create()
    for active in (False, True):
        pusher.patch(made["id"], {"op": "replace", "path": "active", "value": active})
    assert activate(world, "smithbj").request.path == "/"


def restored(world: World, pusher: Pusher, made: dict[str, Any]) -> list[str]:
    """Suspend and restore by pushes; the kinds of mail that the second one sends."""
    off, on = ({"op": "replace", "path": "active", "value": value} for value in (False, True))
    assert pusher.patch(made["id"], off).status_code == 200
    before = len(world.mails())
    assert pusher.patch(made["id"], on).json["active"] is True
    return [mail.kind for mail in world.mails()[before:]]


def test_nt05_the_holder_of_a_restored_account_is_notified(world: World, pusher: Pusher) -> None:
    """NT-05: one mail, by the state that comes back: activate, sign in, choose a new password; a
    lock that lay under the suspension says so."""
    made = pusher.create()
    assert restored(world, pusher, made) == ["account_created"]
    activate(world, made["userName"])
    assert restored(world, pusher, made) == ["account_restored"]
    with world.work() as work:
        account = accounts.by_username(work, made["userName"])
        lifecycle.require_reset(work, account, reason="test")
    assert restored(world, pusher, made) == ["account_restored_reset"]
    link = world.mails("account_restored_reset")[-1].links[0]
    browser = world.browser()
    page = browser.get(link.removeprefix(world.settings.issuer))
    other = "Crimson-Paddle9-harbour"
    browser.submit(page, "/recover/open", password=other, again=other)
    assert world.account_row(made["userName"]).state == AccountState.ACTIVE
    world.set_state(made["userName"], AccountState.LOCKED)
    assert restored(world, pusher, made) == ["account_locked"]


@pytest.mark.parametrize("kind", ["personal", "machine"])
def test_nt02_new_people_get_one_mail(world: World, pusher: Pusher, kind: str) -> None:
    """NT-02, NT-03: the activation, also when role groups and networks come with the account or
    before it is activated; after it they are told of each change."""
    networks = [{"value": "192.0.2.1"}] if kind == "machine" else None
    first, second = (
        {"roleGroup": name, "participantId": "109120"}
        for name in (("MIM", "MIM 2") if kind == "machine" else ("EMI Trader", "EMI Viewer"))
    )
    world.role_group("MIM 2", kind="machine")
    about = {"accountKind": kind, "registeredNetworks": networks, "grants": [first]}
    made = pusher.create(extension=about)
    add = {"op": "add", "path": f"{EXTENSION}:grants", "value": [second]}
    assert pusher.patch(made["id"], add).status_code == 200
    if kind == "machine":
        path = f"{EXTENSION}:registeredNetworks"
        pusher.patch(made["id"], {"op": "add", "path": path, "value": [{"value": "192.0.2.2"}]})
    assert [mail.kind for mail in world.mails()] == ["account_created"]
    activate(world, made["userName"])
    gone = {"op": "remove", "path": f"{EXTENSION}:grants"}
    assert pusher.patch(made["id"], gone).status_code == 200
    assert [mail.kind for mail in world.mails()][-1] == "access_changed"


@pytest.mark.parametrize(
    "reason",
    ["no_longer_required", "left_organization", "affiliation_change", "bankruptcy", "compromise",
     "superseded", "registered_in_error", "other"],
)  # fmt: skip
def test_pr04_every_reason_of_the_manual_is_accepted(
    world: World, pusher: Pusher, reason: str
) -> None:
    """PR-04, TM-14: kept in the trail; what is none of them is refused."""
    made = pusher.create()
    bad = pusher.send("DELETE", made["id"], headers={"Deactivation-Reason": "because"})
    assert fault(bad) == (400, "invalidValue")
    assert reason in bad.text
    headers = {"Deactivation-Reason": reason}
    assert pusher.send("DELETE", made["id"], headers=headers).status_code == 204
    assert world.events("scim.deleted")[-1].data["why"] == reason


DIALECTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "okta suspends": ([{"op": "replace", "value": {"active": False}}], {"active": False}),
    "entra: capital op, word for a boolean": (
        [{"op": "Replace", "path": "active", "value": "False"}], {"active": False},
    ),
    "entra: address by type": (
        [{"op": "Replace", "path": 'emails[type eq "work"].value', "value": "e@x.example"}],
        {"emails": [{"value": "e@x.example", "type": "work", "primary": True}]},
    ),
    "entra: telephone that is not there yet": (
        [{"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "416 967 1111"}],
        {"phoneNumbers": [{"value": "tel:+14169671111", "type": "work", "primary": True}]},
    ),
    "path by full URN": (
        [{"op": "replace", "path": f"{CORE}:nickName", "value": "Jimmy"}], {"nickName": "Jimmy"},
    ),
    "dotted key without a path": (
        [{"op": "replace", "value": {"name.givenName": "James"}}],
        {"name": {"familyName": "Smithb", "givenName": "James"}},
    ),
    "null is unassigned": (
        [{"op": "add", "path": "nickName", "value": "x"},
         {"op": "replace", "path": "nickName", "value": None}], {},
    ),
    "a removed attribute that is absent": ([{"op": "remove", "path": "nickName"}], {}),
    "what is not ours": (
        [{"op": "replace", "path": "title", "value": "x"},
         {"op": "add", "value": {"nickName": "Jimmy", "userType": "x"}}], {"nickName": "Jimmy"},
    ),
    "case of names": ([{"Op": "REPLACE", "Path": "NickName", "Value": "J"}], {"nickName": "J"}),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_requests_of_common_clients_are_accepted(world: World, pusher: Pusher, name: str) -> None:
    """The bodies of Okta, Entra and others."""
    operations, expected = DIALECTS[name]
    made = pusher.create()
    answer = pusher.patch(made["id"], *operations)
    assert answer.status_code == 200, answer.text
    names = ("active", "emails", "phoneNumbers", "name", "nickName")
    shown = {k: answer.json.get(k) for k in names}
    before = {k: made.get(k) for k in shown}
    assert shown == before | expected


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/scim+json; charset=utf-8"]
)
def test_plain_json_is_accepted(world: World, pusher: Pusher, content_type: str) -> None:
    """The answer is application/scim+json."""
    answer = pusher.send("POST", raw=json.dumps(user()).encode(),
                         headers={"Content-Type": content_type})  # fmt: skip
    assert answer.status_code == 201
    assert answer.mimetype == "application/scim+json"
    assert answer.headers["Location"] == f"https://gateway.test{USERS}/{answer.json['id']}"


BAD_BODIES = {
    "nothing": b"", "no JSON": b"{", "a list": b"[]", "a word": b'"x"', "null": b"null",
    "repeated key": b'{"schemas": [], "schemas": []}',
    "repeated key in another case": b'{"userName": "a", "username": "b"}',
    "deep": b"[" * 100_000,
    "large": b'{"x": "' + b"y" * 300_000 + b'"}',
    "bad UTF-8": b'{"x": "\xff"}',
    "lone surrogate": b'{"schemas": ["\\ud800"]}',
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_n79_n86_bad_bodies_are_refused_in_the_protocols_form(
    world: World, pusher: Pusher, name: str, method: str
) -> None:
    """N79, N86, G11: 400 or 413, nothing written, never a fault of ours."""
    key = pusher.create()["id"] if method != "POST" else USERS
    answer = pusher.send(method, key, raw=BAD_BODIES[name])
    assert answer.status_code in (400, 413), (name, answer.text)


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "replace"}], [{"op": "explode", "path": "active"}], [{"op": "remove"}], ["x"], "x",
        [{"op": "replace", "path": "active", "value": "perhaps"}],
        [{"op": "replace", "path": "emails[", "value": "x"}],
        [{"op": "replace", "path": "evil", "value": "x"}],
        [{"op": "replace", "path": "nickName", "value": "half"},
         {"op": "replace", "path": "evil", "value": "x"}],
        [{"op": "add", "path": "nickName", "value": "x"}] * 101,
        [{"op": "replace", "path": "emails", "value": [{"value": "a@x.example\r\nBcc: b@x"}]}],
        [{"op": "replace", "path": "emails", "value": [{"value": "a@x.example, b@x.example"}]}],
        [{"op": "replace", "path": "nickName", "value": "\u202egnp"}],
        [{"op": "replace", "path": "nickName", "value": "a\x00b"}],
        [{"op": "replace", "path": "name.familyName", "value": "x" * 300}],
        [{"op": "remove", "path": f"{EXTENSION}:personId"}],
    ],
)  # fmt: skip
def test_n79_n85_a_patch_is_applied_whole_or_not_at_all(
    world: World, pusher: Pusher, operations: Any
) -> None:
    """N79, N85, G4, G10, G12: named errors; the account is as before."""
    made = pusher.create()
    body = {"schemas": [PATCH], "Operations": operations}
    answer = pusher.send("PATCH", made["id"], body)
    assert fault(answer)[0] == 400, answer.text
    assert pusher.send("GET", made["id"]).json == made


def test_unknown_addresses_answer_in_the_protocols_form(world: World, pusher: Pusher) -> None:
    """Never a page of HTML; unknown ids, other methods, no such route."""
    for method, path in (("GET", "/scim/v2/Nothing"), ("GET", f"{USERS}/nobody"),
                         ("DELETE", f"{USERS}/nobody")):  # fmt: skip
        assert fault(pusher.send(method, path))[0] in (404, 501), path
    assert fault(pusher.send("DELETE", USERS))[0] in (405, 501)
    for path in ("ServiceProviderConfig", "Schemas", "ResourceTypes"):
        answer = pusher.send("GET", f"/scim/v2/{path}")
        assert answer.status_code == 200
        assert answer.mimetype == "application/scim+json"
    answer = pusher.send("GET", f"{USERS}?filter=userName%20eq%20%22x%22&startIndex=1&count=100")
    assert (answer.status_code, answer.json["totalResults"]) == (200, 0)


def test_g7_locations_are_the_configured_address(world: World, pusher: Pusher) -> None:
    """G7, N60: another Host header is refused before anything else."""
    made = pusher.create()
    assert made["meta"]["location"] == f"https://gateway.test{USERS}/{made['id']}"
    answer = pusher.send("GET", made["id"], headers={"Host": "evil.example"})
    assert answer.status_code == 400


def test_g1_no_concurrent_change_to_an_account_is_lost(world: World, pusher: Pusher) -> None:
    """G1, R03: six pushes at the same moment without If-Match: six successes, nothing lost."""
    made = pusher.create()
    for number in range(6):
        world.role_group(f"Group {number}")
    barrier = threading.Barrier(6, timeout=60)
    statuses: list[int] = []

    def push(number: int) -> None:
        grant = {"roleGroup": f"Group {number}", "participantId": "109120"}
        operation = {"op": "add", "path": f"{EXTENSION}:grants", "value": [grant]}
        barrier.wait()
        statuses.append(pusher.patch(made["id"], operation).status_code)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    held = pusher.send("GET", made["id"]).json[EXTENSION]["grants"]
    assert {grant["roleGroup"] for grant in held} == {f"Group {n}" for n in range(6)}


def test_sixteen_concurrent_creations_of_the_same_name_make_one_account(
    world: World, pusher: Pusher
) -> None:
    """UI-07 over the protocol: sixteen accounts, sixteen UserIDs, no fault."""
    barrier = threading.Barrier(16, timeout=60)
    answers: list[tuple[int, str]] = []

    def push(number: int) -> None:
        body = user(number, name={"givenName": "Jim", "familyName": "Smith"})
        barrier.wait()
        answer = pusher.send("POST", body=body)
        answers.append((answer.status_code, (answer.json or {}).get("userName", answer.text)))

    threads = [threading.Thread(target=push, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [201] * 16, answers
    assert len({name for _, name in answers}) == 16


def test_a_refused_push_leaves_only_the_event_of_its_refusal(world: World, pusher: Pusher) -> None:
    """PR-03: the reason is in the trail, with who pushed and where."""
    pusher.send("POST", body=user(extension={"personId": "R1", "grants": [
        {"roleGroup": "Nothing", "participantId": "109120"}]}))  # fmt: skip
    assert world.events("account.created") == []
    assert world.mails() == []
    refused = world.events("scim.refused")[-1]
    assert refused.reason == "InvalidValue"
    assert (refused.data["pusher"], refused.data["path"]) == ("registration", USERS)


def test_signing_in_by_password_is_not_pushed(world: World, pusher: Pusher) -> None:
    """N75: whoever was pushed has no password until the mailed link is used."""
    pusher.create()
    assert fault(pusher.send("POST", body=user(password=PASSWORD))) == (400, "invalidValue")
    assert world.browser().sign_in("smithbj", PASSWORD).status_code == 400


def test_rg10_a_personal_account_stays_that_of_its_person(world: World, pusher: Pusher) -> None:
    """RG-10: whether the other person is known or not; only the custodian of a machine changes."""
    made, other = pusher.create(), pusher.create(2)
    for person in (other[EXTENSION]["personId"], "R00099"):
        path = f"{EXTENSION}:personId"
        answer = pusher.patch(made["id"], {"op": "replace", "path": path, "value": person})
        assert fault(answer) == (400, "mutability"), answer.text
    assert world.account_row(made["userName"]).person.person_id == "R00001"
