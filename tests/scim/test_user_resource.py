"""A User as the gateway shows it: each value, and nothing for what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from scim2_models import Context

from idp.directory import provisioned_accounts, shown_accounts
from idp.directory.provisioned_accounts import Push
from idp.machines import registered_networks
from idp.models import AccountKind, AccountState
from idp.transaction import UnitOfWork
from registration_bridge.resource_document import ResourceKind
from registration_bridge.user_resource import document_of
from registration_bridge.user_schema import provider
from tests.directory.test_provisioning_rules import got, holder, reach, scope_of
from tests.scim.pusher import CORE, EXTENSION
from tests.world import World

__all__ = ["reach"]
HERE, THERE = "109120", "111340"
BASE = "https://gateway.example/scim/v2"


@pytest.fixture(autouse=True)
def schemas() -> Iterator[None]:
    with provider():
        yield


def shown(work: UnitOfWork, username: str) -> Any:
    (account,) = shown_accounts.of_keys(work, scope_of(work), [got(work, username).id])
    return document_of(ResourceKind.of(provider(), "User"), account, BASE)


def body(user: Any) -> dict[str, Any]:
    """The values of the document, which is what the library writes of it."""
    values = dict(user.content)
    read = user.model.model_validate(values)
    assert read.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE) == values
    meta = values.pop("meta")
    assert (meta["resourceType"], meta["version"]) == ("User", user.meta.version)
    assert meta["location"] == f"{BASE}/Users/{values['id']}"
    assert len(meta["version"]) == len('W/""') + 32
    return values


def test_pr01_a_whole_user_and_a_bare_one(reach: World) -> None:
    """PR-01: what is empty is left out."""
    full = holder(reach, THERE, HERE, person_id="R1", middle_name="M", preferred_name="A",
                  phone="+14169671111 ext 5")  # fmt: skip
    bare = reach.account("bare", person_id="R2", given_name="", state=AccountState.SUSPENDED)
    with reach.work() as work:
        account = got(work, full)
        provisioned_accounts.register(work, scope_of(work), account, Push("key", "Q-1", 3))
        account.ends_at = work.after(days=3)
        found = body(shown(work, full))
        end = account.ends_at.isoformat().replace("+00:00", "Z")
        assert found == {
            "schemas": [CORE, EXTENSION], "id": account.subject, "externalId": "key",
            "userName": full, "displayName": "Ada Moreau", "preferredLanguage": account.locale,
            "timezone": account.zoneinfo, "active": True, "nickName": "A",
            "name": {"familyName": "Moreau", "givenName": "Ada", "middleName": "M"},
            "emails": [{"value": account.person.email, "type": "work", "primary": True}],
            "phoneNumbers": [
                {"value": "tel:+14169671111;ext=5", "type": "work", "primary": True}],
            EXTENSION: {
                "personId": "R1", "accountKind": "personal", "endDate": end,
                "requestNumber": "Q-1", "sequence": 3,
                "grants": [{"roleGroup": "Trader", "participantId": HERE},
                           {"roleGroup": "Trader", "participantId": THERE}],
            },
        }  # fmt: skip
        account = got(work, bare)
        assert body(shown(work, bare)) == {
            "schemas": [CORE, EXTENSION], "id": account.subject, "userName": bare,
            "displayName": "Moreau", "preferredLanguage": account.locale,
            "timezone": account.zoneinfo, "active": False, "name": {"familyName": "Moreau"},
            "emails": [{"value": account.person.email, "type": "work", "primary": True}],
            EXTENSION: {"personId": "R2", "accountKind": "personal"},
        }  # fmt: skip


def test_ui10_ma06_second_accounts_and_networks_are_shown(reach: World) -> None:
    """UI-10, MA-06: with their grounds, and their labels if they have any."""
    reach.account("first", person_id="R1")
    reach.account("second", person_id="R1")
    reach.account("APIIESO00001", kind=AccountKind.MACHINE, person_id="R1")
    with reach.work() as work:
        registered_networks.replace(
            work, got(work, "APIIESO00001"), [("192.0.2.7", "Desk"), ("192.0.2.8", "")]
        )
        assert body(shown(work, "APIIESO00001"))[EXTENSION] == {
            "personId": "R1", "accountKind": "machine",
            "registeredNetworks": [
                {"value": "192.0.2.7/32", "label": "Desk"}, {"value": "192.0.2.8/32"}],
        }  # fmt: skip
        second = got(work, "second")
        grounds = {"reason": "transmission_rights", "participantId": HERE}
        assert body(shown(work, "second"))[EXTENSION]["secondAccount"] == grounds
        second.second_participant = None
        assert body(shown(work, "second"))[EXTENSION]["secondAccount"] == {
            "reason": "transmission_rights"
        }


def test_a_version_is_that_of_what_is_shown(reach: World) -> None:
    """RFC 7644 section 3.14: the same for the same values; times alone change none."""
    username = holder(reach)
    with reach.work() as work:
        before = shown(work, username).resource().meta
        got(work, username).updated_at += timedelta(minutes=5)
        after = shown(work, username).resource().meta
        assert (after.version, after.last_modified) == (
            before.version, before.last_modified + timedelta(minutes=5),
        )  # fmt: skip
        got(work, username).person.preferred_name = "Z"
        assert shown(work, username).meta.version != before.version
