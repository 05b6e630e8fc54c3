"""What ends between the look at a secret and its use is not used (N68, N71, N63)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idp.credentials import links, one_time_codes, temporary_passwords
from idp.credentials.links import Problem, Purpose
from idp.credentials.one_time_codes import CodePurpose
from idp.directory import accounts
from idp.models import Account, Link
from idp.transaction import UnitOfWork
from tests.world import World

Kind = tuple[Callable[[UnitOfWork, Account], Any], Any]


def _link(work: UnitOfWork, account: Account) -> Any:
    token = links.issue(work, account, Purpose.RESET, work.after(seconds=600))
    return links.look_up(work, Purpose.RESET, token)


def _temporary(work: UnitOfWork, account: Account) -> Any:
    temporary_passwords.issue(work, account, "hash")
    return temporary_passwords.find_active(work, account)


def _code(work: UnitOfWork, account: Account) -> Any:
    one_time_codes.issue(work, account, CodePurpose.RESET, "flow")
    return one_time_codes.latest(work, CodePurpose.RESET, "flow")


KINDS: dict[str, Kind] = {
    "link": (_link, links),
    "temporary password": (_temporary, temporary_passwords),
    "code": (_code, one_time_codes),
}


@pytest.mark.parametrize("end", ["nothing", "replaced", "late", "used"])
@pytest.mark.parametrize("kind", KINDS)
def test_n68_a_secret_that_ends_between_check_and_use_is_refused(
    world: World, kind: str, end: str
) -> None:
    """N68, N71, N63: the look and the use are two statements; another request, or the clock, may
    come between them."""
    look, module = KINDS[kind]
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        row = look(work, account)
        work.db.flush()
        if end == "replaced":
            module.invalidate_all(work, account)
        elif end == "late":
            work.now = row.expires_at
        elif end == "used":
            assert module.spend(work, row)
        assert module.spend(work, row) is (end == "nothing")


@pytest.mark.parametrize("purpose", Purpose)
def test_n68_a_newer_link_invalidates_the_older_except_those_of_notices(
    world: World, purpose: Purpose
) -> None:
    """N68: "this was not me" of each notice stays good, since each reports another event."""
    username = world.account()
    with world.work() as work:
        account = accounts.by_username(work, username)
        expires = work.after(seconds=600)
        older, newer = (links.issue(work, account, purpose, expires) for _ in range(2))
        assert isinstance(links.look_up(work, purpose, newer), Link)
        found = links.look_up(work, purpose, older)
        lasts = purpose is Purpose.DISOWN
        assert (found is not Problem.SUPERSEDED) is isinstance(found, Link) is lasts
