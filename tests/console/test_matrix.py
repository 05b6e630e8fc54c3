"""Who may open what in the console, route by route."""

from __future__ import annotations

import re

import pytest

from idp.models import AccountKind
from idp.policy.console import ACTIONS, ConsoleRole
from idp.web.console.gate import ROUTES
from tests.console.desk import Desk
from tests.world import World

AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR
ANY, HELP = {AGENT, ACCESS, AUDITOR}, {AGENT, ACCESS}
TABS = ("access", "factors", "sessions", "sign-ins", "history", "programs")
#: Written apart from the table of the code: the two must say the same.
ALLOWED = {
    "GET /console": ANY,
    "GET /console/people": ANY,
    "GET /console/people/export": {ACCESS, AUDITOR},
    "GET /console/accounts/<subject>": ANY,
    **{f"GET /console/accounts/<subject>/{tab}": ANY for tab in TABS},
    "GET /console/accounts/new": {ACCESS},
    "POST /console/accounts/new": {ACCESS},
    "GET /console/accounts/<subject>/person": {ACCESS},
    "POST /console/accounts/<subject>/person": {ACCESS},
    "POST /console/accounts/<subject>/custodian": {ACCESS},
    "POST /console/accounts/<subject>/sessions/<public_id>/end": HELP,
    "POST /console/accounts/<subject>/keys/<kid>/remove": {ACCESS},
    "POST /console/accounts/<subject>/caller": HELP,
    "POST /console/accounts/<subject>/caller/deny": HELP,
    "POST /console/accounts/<subject>/code": HELP,
    "POST /console/accounts/<subject>/code/check": HELP,
    **{f"POST /console/accounts/<subject>/actions/{name}": HELP for name in ACTIONS},
    "POST /console/accounts/<subject>/actions/deactivate": {ACCESS},
    "POST /console/accounts/<subject>/grant": {ACCESS},
    "POST /console/accounts/<subject>/revoke": {ACCESS},
    "GET /console/clients": {ACCESS, AUDITOR},
    "GET /console/clients/new": {ACCESS},
    "POST /console/clients/new": {ACCESS},
    "GET /console/clients/<client_id>": {ACCESS, AUDITOR},
    "POST /console/clients/<client_id>": {ACCESS},
    "POST /console/clients/<client_id>/secret": {ACCESS},
    "POST /console/clients/<client_id>/logo": {ACCESS},
    "POST /console/clients/<client_id>/logo/use": {ACCESS},
    "POST /console/clients/<client_id>/disable": {ACCESS},
    "POST /console/clients/<client_id>/enable": {ACCESS},
    "POST /console/clients/<client_id>/end-old-secret": {ACCESS},
    "GET /console/initial-tokens": {ACCESS, AUDITOR},
    "POST /console/initial-tokens": {ACCESS},
    "POST /console/initial-tokens/<public_id>/revoke": {ACCESS},
    "GET /console/proposals": {ACCESS},
    "POST /console/proposals/<public_id>/confirm": {ACCESS},
    "POST /console/proposals/<public_id>/withdraw": {ACCESS},
    "GET /console/role-groups": {ACCESS, AUDITOR},
    "GET /console/role-groups/<int(max=9223372036854775807):number>": {ACCESS, AUDITOR},
    "POST /console/role-groups/<int(max=9223372036854775807):number>/members": {ACCESS},
    "POST /console/role-groups/<int(max=9223372036854775807):number>/texts": {ACCESS},
    "POST /console/role-groups/new": {ACCESS},
    "POST /console/role-groups/rule": {ACCESS},
    "GET /console/keys": {ACCESS, AUDITOR},
    "POST /console/keys/rotate": {ACCESS},
    "POST /console/keys/<kid>/revoke": {ACCESS},
    "GET /console/messages": {ACCESS},
    "POST /console/messages/<int(max=9223372036854775807):number>/retry": {ACCESS},
    "GET /console/settings": {ACCESS, AUDITOR},
    "GET /console/alarms": {ACCESS, AUDITOR},
    "POST /console/alarms/breaker": {ACCESS},
    "GET /console/audit": {AUDITOR},
    "GET /console/audit/export": {AUDITOR},
    "GET /console/participants": {ACCESS, AUDITOR},
    "GET /console/participants/<number>": {ACCESS, AUDITOR},
    "POST /console/participants/contact": {ACCESS},
    "POST /console/audit/verify": {AUDITOR},
    "GET /console/access": {AUDITOR},
    "GET /console/access/export": {AUDITOR},
}


def routes(world: World) -> dict[str, str]:
    """Every route of the console as "METHOD /path", with its endpoint."""
    found = {}
    for rule in world.app.url_map.iter_rules():
        if not rule.endpoint.startswith("console."):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if "<any(" in rule.rule:
                head, rest = rule.rule.split("<any(")
                names = re.findall(r"'([^']+)'", rest)
                found |= {f"{method} {head}{name}": rule.endpoint for name in names}
            else:
                found[f"{method} {rule.rule}"] = rule.endpoint
    return found


def filled(path: str, subject: str) -> str:
    return (
        path.replace("<subject>", subject)
        .replace("<client_id>", "no-such-client")
        .replace("<number>", "no-such-participant")
        .replace("<kid>", "no-such-key")
        .replace("<public_id>", "no-such-proposal")
        .replace("<int(max=9223372036854775807):number>", "999999")
    )


def test_n72_every_route_has_an_entry(world: World) -> None:
    """N72: a new route without an entry, here or in the code, fails."""
    found = routes(world)
    assert set(found) == set(ALLOWED)
    assert set(found.values()) == set(ROUTES)


@pytest.mark.parametrize("role", [None, *ConsoleRole])
def test_n72_each_role_may_open_its_routes_and_no_others(
    world: World, role: ConsoleRole | None
) -> None:
    """N72: exactly the table; what is refused is 403 and in the trail."""
    target = world.account()
    if role is None:
        username = world.account()
        desk = Desk(world, username, world.browser().signed_in(username))
    else:
        desk = Desk.of(world, role)
        desk.prove()
    subject = world.account_row(target).subject
    token = desk.token()
    for route, roles in ALLOWED.items():
        method, path = route.split(" ", 1)
        before = len(world.events("console.refused"))
        answer = desk.browser.client.open(
            filled(path, subject),
            method=method,
            data={"csrf_token": token} if method == "POST" else None,
            base_url=desk.browser.base,
        )
        refused = answer.status_code == 403
        assert refused == (role not in roles), (route, answer.status_code)
        assert len(world.events("console.refused")) - before == (1 if refused else 0)
        answer.close()


@pytest.mark.parametrize("route", ALLOWED)
def test_n72_no_console_page_answers_without_a_session(world: World, route: str) -> None:
    """N72: without a session no page of the console answers, whatever is asked."""
    method, path = route.split(" ", 1)
    browser = world.browser()
    token = ""
    if method == "POST":
        page = browser.get("/signin").text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
    answer = browser.client.open(
        filled(path, "x"),
        method=method,
        data={"csrf_token": token} if method == "POST" else None,
        base_url=browser.base,
    )
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/signin?next=")


def test_n72_a_machine_account_is_no_operator(world: World) -> None:
    """N72: it cannot hold the groups, and its session opens nothing here."""
    world.operator(AGENT)
    machine = world.account(kind=AccountKind.MACHINE)
    browser = world.browser().signed_in(machine)
    assert browser.get("/console").status_code == 403


def test_n72_a_console_role_at_another_participant_gives_no_access(world: World) -> None:
    """N74: the groups count for the operator's own organization only."""
    world.operator(AGENT)
    other = world.account()
    world.grant_role(other, AGENT, "109120")
    assert world.browser().signed_in(other).get("/console").status_code == 403


def test_n58_a_revoked_console_role_ends_at_once(world: World) -> None:
    """N58: the next request of an open session is refused."""
    desk = Desk.of(world)
    assert desk.browser.get("/console").status_code == 200
    world.revoke_role(desk.username, AGENT, "IESO")
    assert desk.browser.get("/console").status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", [AGENT, ACCESS])
def test_n74_an_operator_cannot_act_on_himself_or_on_access_management(
    world: World, action: str, role: ConsoleRole
) -> None:
    """N74: 403, nothing changed, and it is in the trail."""
    desk = Desk.of(world, role)
    for target in (desk.username, world.operator(ACCESS)):
        before = world.account_row(target)
        assert desk.verify(target).status_code == 403
        assert desk.act(action, target).status_code == 403
        after = world.account_row(target)
        assert (after.state, after.password_hash) == (before.state, before.password_hash)
        refusal = world.events("console.refused")[-1]
        assert (refusal.actor, refusal.data["action"]) == (desk.username, action)


@pytest.mark.parametrize("target_role", [AGENT, AUDITOR])
def test_n74_an_agent_does_not_act_on_operators(world: World, target_role: ConsoleRole) -> None:
    """N74: Access Management does that; the agent is not even offered it."""
    target = world.operator(target_role)
    agent, manager = Desk.of(world), Desk.of(world, ACCESS)
    assert agent.act("lock", target).status_code == 403
    assert "/actions/lock" not in agent.open(target).text
    assert "/actions/lock" in manager.open(target).text
    assert manager.act("lock", target).status_code == 303
    assert world.account_row(target).state == "locked"


def test_n74_no_operator_grants_console_roles(world: World) -> None:
    """N74: not to himself, not to others, not by an agent at all."""
    manager, agent = Desk.of(world, ACCESS), Desk.of(world)
    holder = world.account()
    world.role_group("EMI Viewer")
    for desk, target, group in (
        (manager, manager.username, "EMI Viewer"),
        (manager, holder, str(ACCESS)),
        (manager, holder, str(AUDITOR)),
        (agent, holder, "EMI Viewer"),
        (agent, agent.username, str(ACCESS)),
    ):
        sent = {"group": group, "participant": "IESO"}
        assert desk.post(f"{desk.path(target)}/grant", **sent).status_code == 403
        assert desk.post(f"{desk.path(target)}/revoke", **sent).status_code == 403
    with world.work() as work:
        from idp.directory import accounts, held_role_groups

        assert held_role_groups.list_held(work, accounts.by_username(work, holder)) == []


def test_pr02_access_management_grants_and_revokes_by_hand(world: World) -> None:
    """PR-02, B.06: audited with the operator's name, told to the holder, seen at the next token."""
    manager, holder = Desk.of(world, ACCESS), world.account()
    rp = world.relying_party()
    world.role_group("EMI Viewer", rp.client_id)
    world.grant_role(world.account(), "EMI Viewer")
    sent = {"group": "EMI Viewer", "participant": "109120"}
    assert manager.post(f"{manager.path(holder)}/grant", **sent).status_code == 303
    assert world.events("role_group.assigned")[-1].actor == manager.username
    tokens = world.signed_in_tokens(rp, holder)
    assert tokens["access_token"]
    assert manager.post(f"{manager.path(holder)}/revoke", **sent).status_code == 303
    assert [m.kind for m in world.mails(to=holder)].count("access_changed") == 2
    unknown = manager.post(f"{manager.path(holder)}/grant", group="No such", participant="1")
    assert unknown.status_code == 400
