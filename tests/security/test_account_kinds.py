"""Kinds of account: each opens its own applications and holds its own role groups (EN-03, UI-09,
MA-04, MA-07)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.clients import client_data, registry
from idp.directory import accounts, participants, role_group_assignments, role_groups
from idp.errors import Invalid, Refused
from idp.models import AccountKind
from tests.world import Rp, World, answer_of

EMAIL = "ada@participant.example"


@pytest.fixture
def workspaces(world: World) -> Rp:
    """An application of e-mail accounts beside one of UserID accounts, and Ada with one of each."""
    world.relying_party("EMI")
    rp = world.relying_party("Workspaces", account_kinds=(AccountKind.EMAIL,))
    world.role_group("EMI Viewer", "emi")
    world.role_group("Member", "workspaces", kind="email")
    world.account("moreaua", person_id="P1", email=EMAIL)
    world.account(EMAIL, kind=AccountKind.EMAIL, person_id="P1", email=EMAIL)
    world.grant_role("moreaua", "EMI Viewer")
    world.grant_role(EMAIL, "Member")
    return rp


def emi(world: World) -> Rp:
    return Rp("emi", "", "https://emi.rp.test/callback")


def take_kinds(world: World, client_id: str, *kinds: AccountKind) -> None:
    with world.work() as work:
        row = registry.get(work, client_id)
        registry.update(work, row, replace(client_data.current_data(row), account_kinds=kinds))


def test_en03_a_userid_session_must_switch_to_the_email_account(
    world: World, workspaces: Rp
) -> None:
    """EN-03: the page says which account is needed and why; the other account goes on to the
    application; the same one meets the page again."""
    browser = world.browser().signed_in("moreaua")
    page = browser.authorize(workspaces)
    assert page.request.path == "/signin/other-account"
    assert (
        "You are signed in as moreaua. This account does not have access to Workspaces."
        in page.text
    )
    assert "Workspaces requires an e-mail account" in page.text
    form = browser.submit(page, "/signin/other-account", choice="other")
    assert form.request.path == "/signin"
    again = browser.sign_in("moreaua", page=form)
    assert again.request.path == "/signin/other-account"
    form = browser.submit(again, "/signin/other-account", choice="other")
    done = browser.sign_in(EMAIL, page=form)
    assert answer_of(done)["code"]


def test_en03_an_email_session_must_switch_to_the_userid_account(
    world: World, workspaces: Rp
) -> None:
    """EN-03: the same the other way round; whoever has none goes back with an error."""
    browser = world.browser().signed_in(EMAIL)
    page = browser.authorize(emi(world))
    assert "EMI requires a UserID account" in page.text
    back = browser.submit(page, "/signin/other-account", choice="back")
    assert answer_of(back)["error"] == "access_denied"
    code = browser.authorize(workspaces)
    assert answer_of(code)["code"]


def test_en03_prompt_none_with_the_wrong_kind_is_an_error(world: World, workspaces: Rp) -> None:
    """OIDC Core 3.1.2.6: ``prompt=none`` cannot ask."""
    browser = world.browser().signed_in("moreaua")
    answer = answer_of(browser.authorize(workspaces, prompt="none"))
    assert answer["error"] == "account_selection_required"


def test_ma07_a_machine_account_cannot_sign_in_to_either(world: World) -> None:
    """MA-07: whatever kinds a client takes, machines have no browser sign-on."""
    rp = world.relying_party("Any", account_kinds=tuple(AccountKind))
    world.account("APIIESO00001", kind=AccountKind.MACHINE)
    answer = answer_of(world.browser().signed_in("APIIESO00001").authorize(rp))
    assert answer["error"] == "access_denied"


def test_tokens_end_when_the_client_no_longer_accepts_the_kind(
    world: World, workspaces: Rp
) -> None:
    """A client that takes other kinds from now on: code, refresh and access token of the others are
    worth nothing."""
    browser = world.browser().signed_in(EMAIL)
    tokens = world.redeem(workspaces, browser.code(workspaces, EMAIL)).json
    code = answer_of(browser.authorize(workspaces))["code"]
    take_kinds(world, "workspaces", AccountKind.PERSONAL)
    assert world.redeem(workspaces, code).json["error"] == "invalid_grant"
    assert not world.introspect(workspaces, tokens["access_token"])["active"]
    assert world.refresh(workspaces, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_tiles_show_only_applications_for_the_account_kind(world: World, workspaces: Rp) -> None:
    """GW-05: one tile for each account; no tile that would refuse."""
    for name, mine, other in (("moreaua", "emi", "workspaces"), (EMAIL, "workspaces", "emi")):
        page = world.browser().signed_in(name).get("/").text
        assert f"https://{mine}.rp.test/signin" in page
        assert f"https://{other}.rp.test/signin" not in page
    take_kinds(world, "workspaces", AccountKind.PERSONAL)
    page = world.browser().signed_in(EMAIL).get("/").text
    assert "https://workspaces.rp.test/signin" not in page


@pytest.mark.parametrize("group", list(AccountKind))
@pytest.mark.parametrize("kind", list(AccountKind))
def test_ma04_a_role_group_is_for_one_kind(world: World, kind: AccountKind, group: str) -> None:
    """MA-04, EN-03, AR-03: granted to that kind and to no other."""
    name = world.account("x@y.example" if kind is AccountKind.EMAIL else None, kind=kind)
    world.role_group("Group", kind=group)
    world.participant("109120")
    with world.work() as work:
        account, row = accounts.by_username(work, name), role_groups.by_name(work, "Group")
        participant = participants.by_number(work, "109120")
        if kind == group:
            assert role_group_assignments.assign(work, account, row, participant)
            return
        with pytest.raises(Refused) as refused:
            role_group_assignments.assign(work, account, row, participant)
        assert refused.value.detail == f"Group is for {group} accounts"


@pytest.mark.parametrize("kinds", [(), ("robot",)])
def test_a_client_accepts_only_known_kinds_of_account(world: World, kinds: tuple[str, ...]) -> None:
    """At least one."""
    with pytest.raises(Invalid, match="account_kinds are one or several of"):
        world.relying_party("App", account_kinds=kinds)
