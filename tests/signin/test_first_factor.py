"""The first factor: which hash counts, which reason is recorded, when a hash is made again."""

from __future__ import annotations

from dataclasses import replace

import bcrypt
import pytest

from idp.credentials import links, temporary_passwords
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Purpose
from idp.directory import accounts
from idp.factors.passkeys import Fault
from idp.models import AccountState, Link
from idp.networks import NetworkSet
from idp.recovery import account_recovery
from idp.signin import first_factor
from idp.signin.signin_refusals import SignInRefusal
from idp.transaction import Origin, UnitOfWork
from tests.console.desk import Desk
from tests.security.test_lockout import ELSEWHERE, browser_at, fail, gets_in
from tests.world import NEW_PASSWORD, PASSWORD, World

WRONG = "Wrong-Heron7-lantern"


def stored(world: World, username: str) -> str:
    return world.account_row(username).password_hash or ""


def rotate_pepper(world: World) -> None:
    """From now on new hashes are made under another pepper; the earlier one still verifies."""
    peppers = ("k2:" + "q" * 32, *world.settings.password_peppers)
    settings = replace(world.settings, password_peppers=peppers)
    world.app.extensions["hasher"] = PasswordHasher(settings)


def reasons(world: World) -> list[str | None]:
    return [event.reason for event in world.events("signin.refused")]


def test_a_correct_password_renews_a_hash_with_older_parameters(world: World) -> None:
    """PW-10: by the sign-in that shows the password; a current hash stays as it is."""
    username = world.account()
    before = stored(world, username)
    assert gets_in(world, username)
    assert stored(world, username) == before
    rotate_pepper(world)
    fail(world, username, 1)
    assert stored(world, username) == before
    assert gets_in(world, username)
    after = stored(world, username)
    assert after.startswith("v1$k2$")
    assert gets_in(world, username)
    assert stored(world, username) == after


@pytest.mark.parametrize("kind", ["wrong", "locked", "denied"])
def test_n47_a_refused_password_is_hashed_once(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """N47, N49: no refusal makes a new hash, or its time would tell that the password was right."""
    username = world.account()
    before = stored(world, username)
    rotate_pepper(world)
    if kind == "locked":
        fail(world, username, 10)
    elif kind == "denied":
        deny(world, ELSEWHERE)
    made: list[str] = []
    hasher: PasswordHasher = world.app.extensions["hasher"]
    monkeypatch.setattr(hasher, "hash", lambda password: made.append(password) or before)
    password = WRONG if kind == "wrong" else PASSWORD
    assert browser_at(world, ELSEWHERE).sign_in(username, password).status_code == 400
    assert made == []
    assert stored(world, username) == before


def test_n47_no_account_costs_the_hash_of_a_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N47: of the same cost, matched by no password. The start makes no hash for it."""
    with monkeypatch.context() as patch:
        patch.setattr(bcrypt, "hashpw", None)
        hasher = PasswordHasher(world.settings)
    checked: list[bytes] = []
    check = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *a: checked.append(a[1]) or check(*a))
    assert not hasher.verify("no account has this password", None)
    assert hasher.verify(WRONG, hasher.hash(WRONG))
    nobody, somebody = checked
    assert (nobody[:7], len(nobody)) == (somebody[:7], len(somebody))


def test_n71_a_temporary_password_keeps_the_previous_hash(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N71: the old hash stays in the history of passwords, not replaced by the temporary one; the
    trail says that it was used."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    before = stored(world, username)
    rotate_pepper(world)
    hasher: PasswordHasher = world.app.extensions["hasher"]
    made: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(hasher, "hash", lambda password: made.append(password) or before)
        page = world.browser().sign_in(username, temporary)
    assert page.request.path == "/signin/password"
    assert (made, stored(world, username)) == ([], before)
    (event,) = world.events("temporary_password.used")
    assert event.account_id == world.account_row(username).id


def deny(world: World, address: str) -> None:
    """The operator blocks this address."""
    runtime = world.app.extensions["runtime"]
    ports = replace(runtime.ports, denied_networks=NetworkSet([f"{address}/32"]))
    world.app.extensions["runtime"] = replace(runtime, ports=ports)


def test_the_first_reason_of_a_refusal_is_recorded(world: World) -> None:
    """N47: a denied network or a lock-out does not hide that the password was wrong."""
    username = world.account()
    fail(world, username, 11)
    assert not gets_in(world, username)
    assert reasons(world)[-2:] == ["wrong_password", "throttled"]
    deny(world, ELSEWHERE)
    fail(world, username, 1)
    fail(world, "nobody1", 1)
    assert reasons(world)[-2:] == ["wrong_password", "unknown_account"]
    world.clock.advance(minutes=15)
    assert not gets_in(world, username)
    assert reasons(world)[-1] == "network_denied"


class Beside(PasswordHasher):
    """A hasher while whose work another sign-in uses the same temporary password."""

    work: UnitOfWork
    username: str

    def verify(self, password: str, stored: str | None) -> bool:
        matched = super().verify(password, stored)
        row = temporary_passwords.find_active(
            self.work, accounts.by_username(self.work, self.username)
        )
        assert row is not None
        assert temporary_passwords.spend(self.work, row)
        return matched


def test_n71_one_of_two_concurrent_sign_ins_with_a_temporary_password_succeeds(
    world: World,
) -> None:
    """N71: the password was still unused when it was compared; the other was first."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    hasher = Beside(world.settings)
    with world.work() as work:
        hasher.work, hasher.username = work, username
        attempt = first_factor.find_attempt(work, username, "")
        found = first_factor.authenticate_password(work, hasher, attempt, password=temporary)
        assert found is None
    assert reasons(world)[-1] == "temporary_password_used"
    assert world.events("temporary_password.used") == []
    assert world.account_row(username).state == AccountState.RESET_REQUIRED


def test_n58_a_temporary_password_of_an_expired_account_is_refused(world: World) -> None:
    """N58, N71: the account ends while its temporary password is still valid."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    with world.work() as work:
        accounts.by_username(work, username).ends_at = work.now
    assert world.browser().sign_in(username, temporary).status_code == 400
    assert reasons(world)[-1] == "account_deactivated"
    assert world.browser().sign_in(username, NEW_PASSWORD).status_code == 400


def test_n71_a_temporary_password_works_without_an_earlier_password(world: World) -> None:
    """N47: an account that has no other password; the trail says "wrong", not "none"."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    with world.work() as work:
        accounts.by_username(work, username).password_hash = None
    fail(world, username, 1)
    assert reasons(world)[-1] == "wrong_password"
    assert world.browser().sign_in(username, temporary).request.path == "/signin/password"


def test_n50_refusals_of_one_network_do_not_fill_the_trail(world: World) -> None:
    """I7: who is refused has proved nothing, also when the request names an account."""
    username = world.account()
    for _ in range(60):
        with world.work() as work:
            work.origin = Origin(ip="203.0.113.9")
            account = accounts.by_username(work, username)
            reason = SignInRefusal.WRONG_PASSWORD
            first_factor._record_refusal(work, reason, account, None, method="password")
    assert 0 < len(reasons(world)) < 60


def test_n71_a_temporary_password_is_accepted_only_while_a_reset_is_required(world: World) -> None:
    """N71: the holder was quicker with a link: the new password is right, and is not changed
    again; the temporary one is wrong, although its time is not over."""
    username = world.account()
    temporary = Desk.of(world).temporary_password(username)
    with world.work() as work:
        account = accounts.by_username(work, username)
        token = links.issue(work, account, Purpose.RESET, work.after(seconds=60))
        link = links.look_up(work, Purpose.RESET, token)
        assert isinstance(link, Link)
        hasher = world.app.extensions["hasher"]
        done = account_recovery.reset_password(work, hasher, link, account, NEW_PASSWORD, answer="")
        assert done == ()
    assert world.browser().sign_in(username, temporary).status_code == 400
    page = world.browser().sign_in(username, NEW_PASSWORD)
    assert (page.status_code, page.request.path) == (200, "/")
    assert world.events("temporary_password.used") == []


def test_the_first_reason_of_a_refused_passkey_is_recorded(world: World) -> None:
    """N47: a denied network does not hide that the passkey was wrong."""
    deny(world, ELSEWHERE)
    with world.work() as work:
        work.origin = Origin(ip=ELSEWHERE)
        assert isinstance(first_factor.authenticate_passkey(work, "browser", "{}"), Fault)
    (reason,) = reasons(world)
    assert reason != "network_denied"
