"""A push that creates the account of a new person gathers its rows (docs/decisions/0087)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import account_load, accounts
from idp.models import AccountKind
from registration_bridge import new_users
from service_base.prepared import Prepared, Rows
from tests.scim.pusher import USERS, Pusher, fault, user


@pytest.fixture
def gathered(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each push gathered its rows."""
    seen: list[bool] = []
    create = new_users.create

    def noted(*arguments: Any) -> Any:
        made = create(*arguments)
        seen.append(made is not None)
        return made

    monkeypatch.setattr(new_users, "create", noted)
    return seen


GRANTS = {"grants": [{"roleGroup": "EMI Trader", "participantId": "109120"}]}


@pytest.mark.parametrize(
    "pushed",
    [user(1, userName="jim1"), user(1), user(1, userName="jim1", extension=GRANTS),
     user(1, userName="jim@participant.example", extension={"accountKind": AccountKind.EMAIL})],
    ids=["named", "generated", "with a role group", "of an e-mail address"],
)  # fmt: skip
def test_a_new_person_is_gathered_and_reads_as_it_was_answered(
    pusher: Pusher, gathered: list[bool], pushed: dict[str, Any]
) -> None:
    answer = pusher.send("POST", body=pushed)
    made = answer.json or {}
    assert (answer.status_code, gathered) == (201, [True])
    found = pusher.send("GET", made["id"])
    assert (found.json, found.headers["ETag"]) == (made, answer.headers["ETag"])
    # The same push again is a repetition, with the same answer (PR-06).
    again = pusher.send("POST", body=pushed)
    assert (again.status_code, again.json, gathered) == (200, made, [True, False])


def test_what_needs_more_is_done_alone(pusher: Pusher, gathered: list[bool]) -> None:
    """A registered person, a suspended account, and a second one of a generated name."""
    pusher.create(1)
    made = pusher.create(2, name={"givenName": "Jim", "familyName": "Smithb"})
    again = pusher.create(3, name={"givenName": "Jim", "familyName": "Smithb"})
    assert (gathered, made["userName"] != again["userName"]) == ([True, True, True], True)
    pusher.create(4, active=False)
    second = {"reason": "transmission_rights", "participantId": "109120"}
    pusher.create(5, extension={"personId": "R00001", "secondAccount": second})
    assert gathered[3:] == [False, False]
    tried = pusher.send("POST", f"{USERS}?dryRun=true", user(6))
    assert (tried.status_code, gathered[5:]) == (201, [False])


class TooEarly(Prepared):
    """Finds nothing, as if another transaction had come first."""

    def run(self, *arguments: Any) -> Any:
        return Rows([(False, *super().run(*arguments).one()[1:])], 1)


@pytest.mark.parametrize("name", ["taken", None], ids=["named", "generated"])
def test_r03_a_name_that_is_taken_meanwhile(
    pusher: Pusher, gathered: list[bool], monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    """It is free when it is read. A given name is refused, and another one is generated."""
    first = pusher.create(1, userName=name)
    known, names, asked = account_load._known, accounts.TAKEN_NAMES, list[Any]()
    read = names._read

    def too_early(work: Any, keys: Any) -> Any:
        asked.append(keys)
        return {} if len(asked) == 1 else read(work, keys)

    monkeypatch.setattr(account_load, "_known", lambda dialect: TooEarly(known(dialect).statement))
    if name is None:
        monkeypatch.setattr(names, "_read", too_early)
    answer = pusher.send("POST", body=user(2, userName=name) | {"name": user(1)["name"]})
    assert gathered == [True, False]
    if name is None:
        assert answer.status_code == 201
        assert (answer.json or {})["userName"] != first["userName"]
    else:
        assert fault(answer) == (409, "uniqueness")
    # Nothing of the first attempt is left.
    made = pusher.create(3)
    assert len(pusher.found('externalId sw "reg-"')) == 2 + (name is None)
    assert pusher.send("GET", made["id"]).status_code == 200
