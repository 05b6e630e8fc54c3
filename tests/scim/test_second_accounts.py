"""A person has one personal account; second ones are for transmission rights, each for one
participant (UI-10, UI-11), at every door."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from idp.directory import accounts
from idp.models import AccountKind, AccountState
from idp.policy.console import OPERATOR, ConsoleRole
from tests.console.desk import Desk
from tests.scim.pusher import EXTENSION, Pusher, fault, user
from tests.scim.test_export import apply, of_csv, steps
from tests.scim.test_groups import GROUPS, group
from tests.shell import good, shell
from tests.world import World

SECOND = {"reason": "transmission_rights", "participantId": "109120"}
TRADER = {"roleGroup": "EMI Trader", "participantId": "109120"}
ELSEWHERE = {"roleGroup": "EMI Trader", "participantId": "111340"}
CLAIM = "urn:ieso:second_account"


@pytest.fixture(autouse=True)
def participants(world: World) -> None:
    for number in ("109120", "111340"):
        world.participant(number)


def second(number: int = 2, **changes: Any) -> dict[str, Any]:
    """A push of another personal account of R00001, the holder of ``user(1)``."""
    extension = {"personId": "R00001"} | changes.pop("extension", {})
    return user(1, externalId=f"reg-{number}", extension=extension, **changes)


@pytest.mark.parametrize("name", [None, "tradejim"])
def test_ui11_a_second_personal_account_without_a_reason_is_refused(
    world: World, pusher: Pusher, name: str | None
) -> None:
    """UI-11: whether the push names ``userName`` or not, alone and in a Bulk; nothing is made."""
    pusher.create(1)
    body = second(userName=name)
    answer = pusher.send("POST", body=body)
    assert fault(answer) == (409, "uniqueness")
    assert answer.json["detail"] == (
        "R00001 has a personal account; a second one needs a reason (transmission_rights) and one "
        "participant."
    )
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1",
                            "data": body}]}  # fmt: skip
    done = pusher.send("POST", "/scim/v2/Bulk", bulk).json["Operations"][0]
    assert (done["status"], done["response"]["scimType"]) == ("409", "uniqueness")
    assert len(world.events("account.created")) == 1
    # Other kinds are no second personal account, and a closed one is none.
    email = {"accountKind": "email"}
    login = second(3, userName="jim1@participant.example", extension=email)
    assert pusher.send("POST", body=login).status_code == 201
    world.set_state("smithbj", AccountState.DEACTIVATED)
    assert pusher.send("POST", body=body).status_code == 201


def test_n72_no_second_account_acts_for_the_operator(world: World, pusher: Pusher) -> None:
    """N72, UI-11: a push makes no account for the gateway's own operator."""
    world.participant(OPERATOR)
    pusher.create(1)
    wanted = {"secondAccount": SECOND | {"participantId": OPERATOR}}
    answer = pusher.send("POST", body=second(extension=wanted))
    assert fault(answer) == (403, None)
    assert answer.json["detail"] == "SCIM cannot change the operator of the gateway."
    assert len(world.events("account.created")) == 1


def test_ui11_eight_concurrent_requests_create_one_account(world: World, pusher: Pusher) -> None:
    """UI-11: the database holds the rule: one is made, the others are told."""
    pusher.create(1, extension={"accountKind": "machine",
                                "registeredNetworks": [{"value": "192.0.2.1"}]})  # fmt: skip
    barrier = threading.Barrier(8, timeout=60)
    statuses: list[int] = []

    def push(number: int) -> None:
        body = second(number, userName=f"tradejim{number}" if number % 2 else None)
        barrier.wait()
        statuses.append(pusher.send("POST", body=body).status_code)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 7


@pytest.mark.parametrize("name", [None, "tradejim"])
def test_ui10_a_second_account_for_one_participant(
    world: World, pusher: Pusher, name: str | None
) -> None:
    """UI-10: its own UserID, shown in the resource, the claims and the console; one for each
    participant; role groups there only."""
    pusher.create(1)
    extension = {"secondAccount": SECOND, "grants": [TRADER]}
    answer = pusher.send("POST", body=second(userName=name, extension=extension))
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert made["userName"] == (name or "smithji")
    assert made[EXTENSION]["secondAccount"] == SECOND
    again = pusher.send("POST", body=second(3, extension=extension))
    assert fault(again) == (409, "uniqueness")
    assert "has a second account for participant 109120" in again.text
    other = {"secondAccount": SECOND | {"participantId": "111340"}}
    assert pusher.send("POST", body=second(4, extension=other)).status_code == 201

    add = {"op": "add", "path": f"{EXTENSION}:grants", "value": [ELSEWHERE]}
    refused = pusher.patch(made["id"], add)
    assert fault(refused) == (400, "invalidValue")
    assert "acts for participant 109120 only" in refused.text
    member = group(made["id"], role={"participantId": "111340"})
    assert fault(pusher.send("POST", GROUPS, member)) == (400, "invalidValue")

    assert "Company 109120 (109120)" in Desk.of(world).open(made["userName"]).text
    # Never changed, kept by a PUT that does not say it.
    body = second(userName=None, extension={"grants": [TRADER]}, nickName="Jimmy")
    kept = pusher.send("PUT", made["id"], body)
    assert kept.json[EXTENSION]["secondAccount"] == SECOND
    for operation in (
        {"op": "replace", "path": f"{EXTENSION}:secondAccount", "value": other["secondAccount"]},
        {"op": "remove", "path": f"{EXTENSION}:secondAccount"},
    ):
        assert fault(pusher.patch(made["id"], operation)) == (400, "mutability")


def test_ui10_relying_parties_get_the_second_account_claim(world: World) -> None:
    """UI-10: the claim comes with the profile, for second accounts only."""
    rp = world.relying_party("TRA")
    first = world.account(person_id="P1")
    beside = world.account(person_id="P1")
    for username, expected in (
        (first, None),
        (beside, {"reason": "transmission_rights", "participant": "109120"}),
    ):
        token = world.signed_in_tokens(rp, username)["access_token"]
        claims = world.app.test_client(use_cookies=False).get(
            "/oauth2/v1/userinfo",
            headers={"Authorization": f"Bearer {token}"},
            base_url=world.settings.issuer,
        ).json  # fmt: skip
        assert claims.get(CLAIM) == expected
    discovery = world.app.test_client().get(
        "/.well-known/openid-configuration", base_url=world.settings.issuer
    ).json  # fmt: skip
    assert CLAIM in discovery["claims_supported"]


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        ({"secondAccount": SECOND | {"reason": "convenience"}}, "one of transmission_rights"),
        ({"secondAccount": SECOND | {"participantId": "999999"}}, "999999 is not registered"),
        ({"secondAccount": {"reason": "transmission_rights"}}, ""),
        ({"secondAccount": {"participantId": "109120"}}, ""),
        ({"secondAccount": SECOND, "accountKind": "machine",
          "registeredNetworks": [{"value": "192.0.2.1"}]}, "only a personal account"),
        ({"secondAccount": SECOND, "grants": [ELSEWHERE]}, "acts for participant 109120 only"),
    ],
)  # fmt: skip
def test_ui10_an_invalid_second_account_is_refused(
    world: World, pusher: Pusher, extension: dict[str, Any], words: str
) -> None:
    """UI-10: named, nothing made."""
    answer = pusher.send("POST", body=second(extension=extension))
    assert fault(answer) == (400, "invalidValue"), answer.text
    assert words in answer.text
    assert world.events("account.created") == []


def test_ui10_an_export_makes_second_accounts(pusher: Pusher) -> None:
    """UI-10, PR-07: the column ``secondAccount``; afterwards nothing differs."""
    jim = {"externalId": "reg-1", "personId": "R1", "givenName": "Jim", "familyName": "Smith",
           "email": "jim@participant.example", "secondAccount": ""}  # fmt: skip
    rows = (jim, jim | {"externalId": "reg-2"}, jim | {
        "externalId": "reg-3", "secondAccount": "transmission_rights@109120"})  # fmt: skip
    assert apply(pusher, steps(pusher, of_csv(*rows))) == ["201", "409", "201"]
    assert steps(pusher, of_csv(rows[0], rows[2])) == []
    moved = of_csv(rows[2] | {"secondAccount": "transmission_rights@111340"})
    assert apply(pusher, steps(pusher, moved)) == ["400"]


def test_ui10_ui11_the_command_line_requires_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UI-10, UI-11: by name or not; shown; grants of a second account at its participant only."""
    run = shell(world.settings, monkeypatch)
    world.account("moreaua", person_id="P1")
    world.role_group("EMI Trader")
    create = ("account", "create", "--person-id", "P1")
    for more in ((), ("--username", "moreau2")):
        refused = run(*create, *more)
        assert refused.exit_code == 1
        assert "P1 has a personal account; a second one needs a reason" in refused.stderr
    assert run(*create, "--second-reason", "transmission_rights").exit_code == 2
    about = ("--second-reason", "transmission_rights", "--second-participant", "109120")
    made = good(run(*create, *about, "--username", "moreau2", "--json"))
    assert (made["second_reason"], made["second_participant"]) == ("transmission_rights", "109120")
    assert "109120" in run("account", "show", "moreau2").stdout
    assert world.account_row("moreau2").kind == AccountKind.PERSONAL
    who = ("--account", "moreau2", "--role-group", "EMI Trader")
    assign = ("role-group", "assign", *who, "--participant")
    assert run(*assign, "109120").exit_code == 0
    elsewhere = run(*assign, "111340")
    assert elsewhere.exit_code == 1
    assert "acts for participant 109120 only" in elsewhere.stderr


@pytest.fixture
def older(world: World) -> str:
    """A second account as an upgrade leaves it."""
    world.account("trader", person_id="P1")
    username = world.account("trader2", person_id="P1")
    with world.work() as work:
        row = accounts.by_username(work, username)
        row.second_reason, row.second_participant = "unstated", None
    return username


def test_ui10_the_reason_of_an_older_account_is_stated_once(
    world: World, monkeypatch: pytest.MonkeyPatch, older: str
) -> None:
    """UI-10: by the operator, never of an account of one's own; from then on it is as any other."""
    run = shell(world.settings, monkeypatch)
    world.role_group("EMI Trader")
    world.grant_role(older, "EMI Trader", "111340")
    order = ("account", "second", older, "--reason", "transmission_rights", "--participant")
    held = run(*order, "109120")
    assert (held.exit_code, held.stderr) == (
        1, f"refused: {older} holds a role group at participant 111340: revoke it first\n"
    )  # fmt: skip
    assert run(*order, "999999").exit_code == 1
    assert run(*order[:-1]).exit_code == 2
    assert world.account_row(older).second_reason == "unstated"
    assert world.events("account.second") == []
    done = run(*order, "111340")
    assert done.stdout == (
        f"{older} is a second account (transmission_rights) for participant 111340.\n"
    )
    (event,) = world.events("account.second")
    assert event.data == {"second": "transmission_rights", "participant": "111340"}
    shown = good(run("account", "show", older, "--json"))
    assert (shown["second_reason"], shown["second_participant"]) == (
        "transmission_rights",
        "111340",
    )
    for name in (older, "trader"):
        again = run("account", "second", name, *order[3:], "109120")
        assert again.exit_code == 1
        assert "is no second account without a stated reason" in again.stderr


def test_n74_an_operator_cannot_state_the_reason_for_his_own_account(
    world: World, monkeypatch: pytest.MonkeyPatch, older: str
) -> None:
    """N74, UI-11: nor is there another account for the same participant."""
    world.role_group(ConsoleRole.ACCESS)
    world.grant_role("trader", ConsoleRole.ACCESS, OPERATOR)
    run = shell(world.settings, monkeypatch)
    order = (
        "account",
        "second",
        older,
        "--reason",
        "transmission_rights",
        "--participant",
        "109120",
    )
    refused = run(*order, "--as", "trader")
    assert refused.exit_code == 1
    assert "is an account of the operator who acts" in refused.stderr
    stated = world.account(person_id="P1")
    assert world.account_row(stated).second_reason == "transmission_rights"
    taken = run(*order)
    assert taken.exit_code == 1
    assert "P1 has a second account for participant 109120" in taken.stderr
    assert world.account_row(older).second_reason == "unstated"
