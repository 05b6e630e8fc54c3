"""Filters as conditions: the accounts, groups and participants that each finds (N77)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from scim2_models import InvalidFilterException, ScimFilter

from idp.directory import (
    participants,
    provisioned_accounts,
    provisioned_groups,
    provisioned_participants,
    role_groups,
)
from idp.directory.provisioned_accounts import Push
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.result_pages import PageRequest
from idp.machines import registered_networks
from idp.models import AccountKind, AccountState
from idp.transaction import UnitOfWork
from registration_bridge import filter_attributes, filters
from registration_bridge.user_schema import provider
from tests.directory.test_provisioning_rules import got, scope_of
from tests.scim.pusher import EXTENSION
from tests.world import World, registered

HERE, THERE, ENDED = "109120", "111340", "300001"


def parsed(kind: str, text: str) -> Any:
    return ScimFilter[provider().model_for(kind)](text)  # type: ignore[misc]


@pytest.fixture(autouse=True)
def schemas() -> Iterator[None]:
    with provider():
        yield


@pytest.fixture
def filled(world: World) -> World:
    """Two people, the second without a telephone and suspended; a machine; a role group."""
    world.relying_party(
        "Other", grant_types=("client_credentials",), scopes=("scim",), redirect_uris=(),
        post_logout_redirect_uris=(), home_url="",
    )  # fmt: skip
    for group, kind in (("Trader", "personal"), ("Viewer", "personal"), ("Feed", "machine")):
        world.role_group(group, kind=kind)
    world.account("ann", person_id="R1", phone="+14169671111", preferred_name="Annie")
    world.account("bob", person_id="R2", given_name="Bob", state=AccountState.SUSPENDED)
    world.account("APIIESO00001", kind=AccountKind.MACHINE, person_id="R1")
    for username, group, number in (
        ("ann", "Trader", HERE), ("ann", "Viewer", THERE), ("APIIESO00001", "Feed", THERE),
    ):  # fmt: skip
        world.participant(number, "Erie" if number == HERE else "Huron")
        world.grant_role(username, group, number)
    with world.work() as work:
        scope = scope_of(work, "other")
        provisioned_accounts.register(work, scope, got(work, "ann"), Push("A", "Q-1", 5))
        registered_networks.replace(work, got(work, "APIIESO00001"), [("192.0.2.7", "Desk")])
        for number, name in ((HERE, "Traders"), (THERE, "Others")):
            provisioned_groups.create(
                work, scope, role_groups.by_name(work, "Trader"), registered(work, number),
                display_name=name, external_id=None if number == THERE else "g-1",
            )  # fmt: skip
        participants.end(work, registered(work, ENDED))
    return world


EVERYBODY = {"ann", "bob", "APIIESO00001"}
USERS: dict[str, set[str]] = {
    "schemas pr": EVERYBODY, "meta pr": EVERYBODY, "active pr": EVERYBODY, "name pr": EVERYBODY,
    "evil pr": set(), "id pr": EVERYBODY,
    "active eq true": {"ann", "APIIESO00001"}, "active eq false": {"bob"},
    "active ne true": {"bob"}, "active ne false": {"ann", "APIIESO00001"},
    'emails.type eq "work"': EVERYBODY, 'emails.type ne "work"': set(),
    'emails.type eq "home"': set(), 'emails.type ne "home"': EVERYBODY,
    'emails.type sw "work"': set(), "emails.type pr": EVERYBODY,
    "emails.primary eq true": EVERYBODY,
    'phoneNumbers.type eq "work"': {"ann", "APIIESO00001"},
    'phoneNumbers.type ne "work"': {"bob"}, "phoneNumbers.type pr": {"ann", "APIIESO00001"},
    'phoneNumbers.type ne "home"': EVERYBODY, "phoneNumbers pr": {"ann", "APIIESO00001"},
    "not (phoneNumbers pr)": {"bob"},
    'phoneNumbers[type eq "work" and value sw "+1416"]': {"ann", "APIIESO00001"},
    'phoneNumbers[type eq "work"] and userName eq "ann"': {"ann"},
    'meta.resourceType eq "User"': EVERYBODY, 'meta.resourceType eq "Group"': set(),
    'title eq null': set(), 'title ne "x"': EVERYBODY, 'title eq "x"': set(),
    'nickName eq "Annie"': {"ann", "APIIESO00001"}, "nickName eq null": {"bob"},
    "nickName ne null": {"ann", "APIIESO00001"}, 'nickName ne "Annie"': {"bob"},
    'userName gt "ann" and userName lt "c"': {"bob", "APIIESO00001"}, 'userName ew "b"': {"bob"},
    f"{EXTENSION}:sequence gt 4": {"ann"}, f"{EXTENSION}:sequence ge 6": set(),
    f'{EXTENSION}:requestNumber eq "Q-1"': {"ann"},
    'meta.created gt "2000-01-01T00:00:00Z"': EVERYBODY,
    'meta.created gt "2100-01-01T00:00:00+01:00"': set(),
    f"{EXTENSION}:grants pr": {"ann", "APIIESO00001"},
    f'{EXTENSION}:grants.roleGroup eq "Viewer"': {"ann"},
    f"{EXTENSION}:grants.participantId pr": {"ann", "APIIESO00001"},
    f"{EXTENSION}:grants[roleGroup pr]": {"ann", "APIIESO00001"},
    f'{EXTENSION}:grants[roleGroup eq "Trader" and participantId eq "{HERE}"]': {"ann"},
    f'{EXTENSION}:grants[roleGroup eq "Trader" and participantId eq "{THERE}"]': set(),
    f'{EXTENSION}:grants[not (roleGroup eq "Trader")]': {"ann", "APIIESO00001"},
    f"{EXTENSION}:registeredNetworks pr": {"APIIESO00001"},
    f'{EXTENSION}:registeredNetworks.value sw "192."': {"APIIESO00001"},
    f'{EXTENSION}:registeredNetworks[value eq "192.0.2.7/32"]': {"APIIESO00001"},
    f'{EXTENSION}:registeredNetworks[value eq "192.0.2.8/32"]': set(),
    f'{EXTENSION}:accountKind eq "machine"': {"APIIESO00001"},
}  # fmt: skip


def rows_of(
    page: Callable[..., Any], work: UnitOfWork, scope: ProvisioningScope, condition: Any
) -> list[Any]:
    return list(page(work, scope, condition, PageRequest(count=50)).rows)


def test_n77_the_users_that_a_filter_finds(filled: World) -> None:
    """N77, RFC 7644 section 3.4.2.2: constants, lists, one grant as a whole, absent values."""
    with filled.work() as work:
        scope = scope_of(work, "other")
        assert filters.of_users(None, scope) is None
        for text, names in USERS.items():
            condition = filters.of_users(parsed("User", text), scope)
            rows = rows_of(provisioned_accounts.page, work, scope, condition)
            assert {row.username for row in rows} == names, text
        local = scope_of(work, "other", ("read",), HERE)
        for text, names in (
            (f"{EXTENSION}:grants pr", {"ann"}),
            (f'{EXTENSION}:grants[participantId eq "{THERE}"]', set()),
            (f'{EXTENSION}:grants.participantId eq "{THERE}"', set()),
        ):
            condition = filters.of_users(parsed("User", text), local)
            rows = rows_of(provisioned_accounts.page, work, local, condition)
            assert {row.username for row in rows} == names, text


def test_n77_the_groups_and_participants_that_a_filter_finds(filled: World) -> None:
    """N77: by members too; a group always has members that are Users."""
    with filled.work() as work:
        scope = scope_of(work, "other")
        ann, bob = got(work, "ann").subject, got(work, "bob").subject
        groups = {
            'displayName eq "Traders"': {"Traders"}, 'externalId eq "g-1"': {"Traders"},
            'members.type eq "User"': {"Traders", "Others"}, 'members.type eq "Group"': set(),
            f'members eq "{ann}"': {"Traders"}, f'members.value eq "{bob}"': set(),
            f'members[value eq "{ann}"]': {"Traders"}, "members pr": {"Traders"},
            'meta.resourceType eq "Group"': {"Traders", "Others"},
        }  # fmt: skip
        for text, names in groups.items():
            condition = filters.of_groups(parsed("Group", text))
            rows = rows_of(provisioned_groups.page, work, scope, condition)
            assert {row.display_name for row in rows} == names, text
        both = {HERE, THERE, ENDED}
        for text, numbers in {
            'status eq "ended"': {ENDED}, 'name sw "Er"': {HERE}, "name pr": both,
            'meta.resourceType eq "Participant"': both, 'meta.resourceType eq "User"': set(),
            f'participantId eq "{HERE}" or id eq "{THERE}"': {HERE, THERE},
        }.items():  # fmt: skip
            condition = filters.of_participants(parsed("Participant", text))
            rows = rows_of(provisioned_participants.page, work, scope, condition)
            assert {row.number for row in rows} & both == numbers, text
        assert filters.of_groups(None) is filters.of_participants(None) is None


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('active eq "true"', "active must be compared with true or false."),
        (f"{EXTENSION}:sequence eq true", "sequence must be compared with an integer."),
        (f'{EXTENSION}:sequence eq "1"', "sequence must be compared with an integer."),
        (f"{EXTENSION}:sequence sw 1", "This attribute supports eq, ne, gt, ge, lt and le only."),
        ('meta.created co "2026-01-01T00:00:00Z"',
         "This attribute supports eq, ne, gt, ge, lt and le only."),
        ('meta.created gt "2026-01-01T00:00:00"', "A date and time needs a time zone."),
        ('meta.created gt "0001-01-01T00:00:00+14:00"',
         "Write a date and time as 2026-11-25T00:00:00Z."),
        (f'{EXTENSION}:grants[grantedBy eq "x"]',
         "A filter on grants supports roleGroup and participantId only."),
        (" or ".join(["userName pr"] * 33), "A filter must not exceed 32 terms."),
        (" or ".join(['userName eq "a"'] * 33), "A filter must not exceed 32 terms."),
    ],
)  # fmt: skip
def test_n77_why_a_filter_is_refused(text: str, detail: str) -> None:
    """N77: with what to write instead."""
    scope = ProvisioningScope(None, frozenset(), frozenset())  # type: ignore[arg-type]
    with pytest.raises(InvalidFilterException) as refused:
        filters.of_users(parsed("User", text), scope)
    assert refused.value.detail == detail


def test_n77_the_limits_of_a_filter() -> None:
    """N77: the longest and the deepest that are read, and one more."""
    for fits, over in (("a" * 2048, "a" * 2049), ("(" * 20 + "[" * 12, "(" * 20 + "[" * 13)):
        filters.check_filter(fits)
        with pytest.raises(InvalidFilterException) as refused:
            filters.check_filter(over)
        assert refused.value.detail == "A filter must not exceed 2048 characters and 32 terms."
    scope = ProvisioningScope(None, frozenset(), frozenset())  # type: ignore[arg-type]
    most = " or ".join(["userName pr"] * 32)
    assert filters.of_users(parsed("User", most), scope) is not None


def test_n78_what_can_be_sorted() -> None:
    """N78: with or without the schema, in any case."""
    attributes = filter_attributes.SORTED_USERS
    assert filters.sort_attribute("UserName", attributes) is attributes["username"]
    assert filters.sort_attribute(f"{EXTENSION}:personId", attributes) is attributes["personid"]
    with pytest.raises(InvalidFilterException) as refused:
        filters.sort_attribute("password", attributes)
    assert refused.value.detail == "Sorting by password is not supported."


def test_n77_times_are_compared_in_utc() -> None:
    """N77."""
    assert filters._time("2026-01-01T01:00:00+01:00") == datetime(2026, 1, 1, tzinfo=UTC)
