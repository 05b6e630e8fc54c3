"""Many accounts for the demo: found, reported on, and in nobody's way."""

from __future__ import annotations

from idp.demo import crowd
from idp.directory import access_report, account_search, accounts
from idp.directory.access_report import AccessQuery
from idp.models import AccountKind
from tests.world import World


def test_invented_accounts_are_added_once_and_can_be_administered(world: World) -> None:
    """As many as asked, whole batches and a rest; accounts made afterwards go on behind them."""
    world.role_group("EMI Viewer")
    told: list[int] = []
    with world.work() as work:
        assert crowd.missing(work, 50) == 50
        crowd.add(work, 50, told.append)
    assert sum(told) == 50
    with world.work() as work:
        assert crowd.missing(work, 50) == 0
        assert crowd.missing(work, 60) == 10
        everyone = list(accounts.stream_accounts(work))
        assert len(everyone) == 50
        some = everyone[7]
        assert some.username in {
            a.username for a in account_search.search(work, some.username).accounts
        }
        held = list(access_report.stream_all(work, AccessQuery(at=work.now)))
        assert held
    username = world.account("granite")
    assert world.browser().sign_in(username).status_code == 200
    with world.work() as work:
        person = accounts.by_username(work, username).person
        assert person.id > 50
        again = accounts.create_account(
            work, person, kind=AccountKind.MACHINE, username="APIIESO00077"
        )
        assert again.id > accounts.by_username(work, username).id


def test_invented_accounts_cannot_sign_in(world: World) -> None:
    """They have no password; not even an empty one."""
    world.role_group("EMI Viewer")
    with world.work() as work:
        crowd.add(work, 3, lambda _: None)
        names = [account.username for account in accounts.stream_accounts(work)]
    for name in names:
        assert world.browser().sign_in(name, "").status_code == 400
