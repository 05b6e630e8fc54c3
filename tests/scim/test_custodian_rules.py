"""Pushes that name another custodian, and pushes that create what is there, without the
protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from scim2_models import Context, InvalidValueException, PatchOp, UniquenessException

from idp.directory import lifecycle, provisioned_accounts, shown_accounts
from idp.models import AccountKind, AccountState
from idp.transaction import UnitOfWork
from registration_bridge import custodian_changes, earlier_pushes, user_writes
from registration_bridge.bridge_refusals import PreviousCustodiansData
from registration_bridge.earlier_pushes import BY_REGISTRATION
from registration_bridge.pushed_user import PushedHolder
from registration_bridge.resource_document import ResourceKind
from registration_bridge.user_resource import document_of
from registration_bridge.user_schema import provider
from tests.directory.test_provisioning_rules import ALL, HERE, got, scope_of
from tests.scim.pusher import EXTENSION, PATCH
from tests.scim.test_push_rules import NEW
from tests.world import World

PROGRAM = "APIIESO00001"
ADDRESS = [{"value": "new@x.example"}]


@pytest.fixture(autouse=True)
def schemas() -> Iterator[None]:
    with provider():
        yield


@pytest.fixture
def machine(world: World) -> World:
    """A machine account of Ann (R1); Bob (R2), who has the same telephone; a person's account."""
    for name in ("Local", "Other"):
        world.relying_party(
            name, grant_types=("client_credentials",), scopes=("scim",), redirect_uris=(),
            post_logout_redirect_uris=(), home_url="",
        )  # fmt: skip
    world.account(PROGRAM, kind=AccountKind.MACHINE, person_id="R1", given_name="Ann",
                  middle_name="M", family_name="Lee", preferred_name="A",
                  phone="+14169671111")  # fmt: skip
    world.account("bob", person_id="R2", given_name="Bob", middle_name="N", family_name="Roy",
                  preferred_name="B", phone="+14169671111")  # fmt: skip
    return world


def model() -> Any:
    return provider().model_for("User")


def shown(work: UnitOfWork, username: str = PROGRAM) -> Any:
    """The User that the gateway shows."""
    (account,) = shown_accounts.of_keys(work, scope_of(work), [got(work, username).id])
    return document_of(ResourceKind.of(provider(), "User"), account, "").resource()


def sent(work: UnitOfWork, person: str, username: str = PROGRAM, **changes: Any) -> Any:
    """A whole User as a client sends it: as shown, with another person and these changes."""
    body = shown(work, username).model_dump(mode="json", by_alias=True, exclude_none=True)
    body |= changes | {EXTENSION: body[EXTENSION] | {"personId": person}}
    return model().model_validate({k: v for k, v in body.items() if v is not None})


def prepared(work: UnitOfWork, username: str, *operations: dict[str, Any]) -> PushedHolder:
    """Whom the User shows when the operations are about to be applied."""
    user = shown(work, username)
    body = {"schemas": [PATCH], "Operations": list(operations)}
    patch = PatchOp[model()].model_validate(  # type: ignore[misc]
        body, scim_ctx=Context.RESOURCE_PATCH_REQUEST
    )
    custodian_changes.prepare_patch(work, user, patch)
    return PushedHolder.of(user)


def to(person: str, op: str = "replace") -> dict[str, Any]:
    return {"op": op, "path": f"{EXTENSION}:personId", "value": person}


def test_ma10_a_patch_of_the_custodian_starts_from_the_new_one(machine: World) -> None:
    """MA-10: as registered, or from nothing for a person who is not; other operations and other
    accounts start from what they show."""
    ann = PushedHolder.registered
    with machine.work() as work:
        own = ann(got(work, PROGRAM).person)
        bob = ann(got(work, "bob").person)
        nick = {"op": "replace", "path": "nickName", "value": "Z"}
        assert replace(prepared(work, PROGRAM, to("R2")), person_id="R2") == bob
        assert prepared(work, PROGRAM, to("R9")) == PushedHolder("R1")
        assert prepared(work, PROGRAM, to("R1")) == own
        assert prepared(work, PROGRAM, nick) == own
        assert prepared(work, "bob", to("R1")) == bob


def test_ma10_what_is_no_custodian_is_left_to_the_checks_of_a_push(machine: World) -> None:
    """MA-10: a PATCH that names nobody is refused."""
    with machine.work() as work:
        own = PushedHolder.registered(got(work, PROGRAM).person)
        gone = {"op": "remove", "path": f"{EXTENSION}:registeredNetworks"}
        assert prepared(work, PROGRAM, gone) == own
        with pytest.raises(InvalidValueException, match="personId is required"):
            prepared(work, PROGRAM, to(""))


def completed(work: UnitOfWork, replacement: Any, username: str = PROGRAM) -> PushedHolder:
    custodian_changes.complete_replacement(work, shown(work, username), replacement)
    return PushedHolder.of(replacement)


def test_ma10_a_put_of_another_custodian_is_completed(machine: World) -> None:
    """MA-10: what it leaves out is what is registered of the new one; what it says stays."""
    nothing = {"name": None, "nickName": None, "emails": None, "phoneNumbers": None}
    with machine.work() as work:
        bob = PushedHolder.registered(got(work, "bob").person)
        assert completed(work, sent(work, "R2", **nothing)) == bob
        named = sent(work, "R2", **nothing | {"name": {"givenName": "Bo", "familyName": "Roy"}})
        found = completed(work, named)
        assert found.name is not None
        assert (found.name.given_name, found.name.middle_name) == ("Bo", "N")
        own = nothing | {"name": {"familyName": "Roy", "middleName": "Q"}, "emails": ADDRESS}
        found = completed(work, sent(work, "R2", **own))
        assert found.name is not None
        assert (found.name.middle_name, found.email) == ("Q", "new@x.example")
        got(work, "bob").person.middle_name = ""
        assert completed(work, named).name is not None


@pytest.mark.parametrize(
    ("person", "kept", "words"),
    [
        ("R2", ("name", "emails", "nickName"), "name and e-mail address"),
        ("R2", ("emails",), "e-mail address"),
        ("R2", ("name",), "name"),
        ("R2", ("phoneNumbers",), ""),
        ("R2", ("nickName",), ""),
        ("R9", ("name",), ""),
        ("R9", ("name", "phoneNumbers"), "telephone"),
        ("R9", ("emails", "phoneNumbers"), "e-mail address and telephone"),
        ("R1", ("name", "emails", "phoneNumbers"), ""),
    ],
)
def test_ma10_what_is_of_the_former_custodian_is_not_carried_over(
    machine: World, person: str, kept: tuple[str, ...], words: str
) -> None:
    """MA-10: unless it is the new one's too; an unknown person may have the same name."""
    other = {"name": {"familyName": "New"}, "emails": ADDRESS, "phoneNumbers": None,
             "nickName": None}  # fmt: skip
    changes = {name: value for name, value in other.items() if name not in kept}
    with machine.work() as work:
        if not words:
            assert completed(work, sent(work, person, **changes)).person_id == person
            return
        with pytest.raises(PreviousCustodiansData) as refused:
            completed(work, sent(work, person, **changes))
        assert refused.value.words == words


def test_ma10_only_machine_accounts_change_their_person(machine: World) -> None:
    """MA-10: a PUT of another account is not completed; it is refused by what never changes."""
    with machine.work() as work:
        bare = sent(work, "R1", "bob", nickName=None)
        assert completed(work, bare, "bob").preferred_name is None
        same = sent(work, "R1", nickName=None)
        assert completed(work, same).preferred_name is None
        without_name = sent(work, "R9", name=None, emails=ADDRESS, phoneNumbers=None)
        assert completed(work, without_name).name is None


# Pushes that create what is there


def test_pr06_a_repetition_is_answered_while_it_is_true(machine: World) -> None:
    """PR-06: an account that was suspended or closed since is told as such, with the way out."""
    with machine.work() as work:
        scope = scope_of(work, "other")
        account, _ = user_writes.create(work, scope, NEW, "x")
        row = provisioned_accounts.registration(work, account)
        assert row is not None

        def outcome(is_same: bool = True, **changes: Any) -> Any:
            user = replace(NEW, **changes)
            try:
                return earlier_pushes.repeated(work, scope, user, row, is_same=is_same)
            except UniquenessException as refused:
                return str(refused.detail)

        used = "externalId is already in use by "
        own = f"{used}the User {account.subject}"
        assert outcome() is account
        assert outcome(is_same=False) == f"{own}."
        lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=BY_REGISTRATION)
        assert outcome() == f"{own}, which is suspended: PATCH active to true."
        assert outcome(active=False) is account
        account.state_reason = "operator"
        assert outcome() == f"{own}, which an operator suspended: contact Customer Relations."
        account.state = AccountState.ACTIVE
        account.ends_at = work.now
        closed = (
            f"{used}a deactivated account. It cannot be reactivated. Create a new account with "
            "another externalId."
        )
        assert outcome() == closed
        account.ends_at = None
        lifecycle.change_state(work, account, AccountState.DEACTIVATED, reason=BY_REGISTRATION)
        assert outcome() == closed


def test_n76_a_name_that_is_taken_is_told_as_far_as_the_client_may_know(machine: World) -> None:
    """N76: an account that it does not see is another account."""
    with machine.work() as work:
        every, local = scope_of(work, "other"), scope_of(work, "local", ALL, HERE)
        user = replace(NEW, username="BOB")
        told = "userName is already in use by {}; a UserID is never reused.".format
        subject = got(work, "bob").subject
        assert earlier_pushes.taken(work, every, user, "x") == told(f"the User {subject}")
        assert earlier_pushes.taken(work, local, user, "x") == told("another account")
        free = replace(NEW, username="free")
        assert earlier_pushes.taken(work, every, free, "It is taken") == "It is taken."
