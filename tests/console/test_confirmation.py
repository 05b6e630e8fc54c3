"""Acts that reach far are confirmed on a page that says what they do, to how many, and why."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from werkzeug.test import TestResponse

from idp.clients import client_proposals, client_secrets, registry
from idp.directory import accounts
from idp.grants import signing_keys
from idp.machines import machine_keys
from idp.models import AccountKind, AccountState, KeyState
from idp.policy.console import ACTIONS, ActReason, ConsoleRole
from idp.session import sessions
from idp.web.console.confirmed_acts import ACTS
from idp.web.console.gate import ROUTES
from tests.console.desk import Desk, trip_breaker
from tests.console.test_actions import prepared
from tests.console.test_fresh_factor import CONFIRMED, kept, send, stale, with_app
from tests.console.test_two_operators import DATA
from tests.factor_steps import code
from tests.world import OTHER_KEY, World, hidden_fields

AGENT, ACCESS = ConsoleRole.AGENT, ConsoleRole.ACCESS
#: POST routes that act at once: they make something, give it back, or send a code.
AT_ONCE = {
    "console.verify_caller", "console.deny_caller", "console.send_code", "console.check_code",
    "console.new_account", "console.new_client", "console.update_client", "console.enable_client",
    "console.confirm_proposal", "console.issue_initial_token", "console.revoke_initial_token",
    "console.new_group", "console.set_rule", "console.describe_group", "console.add_member",
    "console.grant",
    "console.retry_message", "console.verify_trail", "console.upload_logo", "console.set_logo",
}  # fmt: skip


def test_every_console_form_is_confirmed_or_listed_as_an_exception(world: World) -> None:
    """A new form that changes something is in one of the two tables."""
    sent = {
        rule.endpoint
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint in ROUTES and "POST" in (rule.methods or set())
    }
    assert sent == AT_ONCE | set(ACTS)
    assert not AT_ONCE & set(ACTS)


def state(world: World) -> dict[str, object]:
    """What the acts of the table change."""
    with world.work() as work:
        rows = {
            row.username: (row.state, row.password_hash) for row in accounts.stream_accounts(work)
        }
        client = registry.get(work, "emi")
        return {
            "accounts": rows,
            "client": (client.disabled_at, client.secret_digest, client.former_secret_digest),
            "keys": [(key.kid, key.state) for key in signing_keys.every_key(work)],
            "proposals": len(client_proposals.list_pending(work)),
        } | {"mails": len(world.mails())}


def acts(world: World) -> dict[str, tuple[str, dict[str, str]]]:
    """Where the form of every confirmed act goes, and what it holds."""
    # The next key has been published long enough.
    world.clock.advance(days=1)
    world.relying_party()
    world.role_group("Trader", "emi")
    holder = world.account()
    world.grant_role(holder, "Trader")
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for action in ACTIONS:
        target = prepared(world, action)
        path = f"/console/accounts/{world.account_row(target).subject}/actions/{action}"
        found[f"act {action}"] = (path, {})
    subject, proposer = world.account_row(holder).subject, world.operator(ACCESS)
    with world.work(actor=proposer) as work:
        client_secrets.rotate(work, registry.get(work, "emi"), overlap_hours=5)
        operator = accounts.by_username(work, proposer)
        work.origin = type(work.origin)(actor=proposer, person_id=operator.person_id)
        proposal = client_proposals.create(work, DATA, client_id="registration").proposal
        public_id = proposal.public_id if proposal else ""
        active = [k for k in signing_keys.every_key(work) if k.state == KeyState.ACTIVE]
        kid = next(key.kid for key in active if key.alg == "ES256")
        person_id = operator.person.person_id
    desk = Desk.of(world, ACCESS)
    contact = {"number": "109120", "person_id": person_id, "function": "primary_contact"}
    assert (
        desk.post("/console/participants/contact", change="appoint", **contact).status_code == 303
    )
    pair = {"group": "Trader", "participant": "109120"}
    program = world.account(kind=AccountKind.MACHINE)
    machine = f"/console/accounts/{world.account_row(program).subject}"
    other = world.account()
    world.browser().sign_in(other)
    with world.work() as work:
        pem = OTHER_KEY.as_pem(private=False).decode()
        key = machine_keys.add(work, accounts.by_username(work, program), pem, label="Mill")
        machine_kid = key.kid
        (session,) = sessions.active(work, accounts.by_username(work, other))
        session_id = session.public_id
    ended = f"/console/accounts/{world.account_row(other).subject}/sessions/{session_id}/end"
    found |= {
        "remove_machine_key": (f"{machine}/keys/{machine_kid}/remove", {}),
        "change_custodian": (f"{machine}/custodian", {"person_id": person_id}),
        "end_session": (ended, {}),
        "correct_person": (
            f"/console/accounts/{subject}/person",
            {"given_name": "Grace", "family_name": "Moreau", "email": "grace@x.example"},
        ),
        "revoke": (f"/console/accounts/{subject}/revoke", pair),
        "set_contact": ("/console/participants/contact", {"change": "dismiss", **contact}),
        "end_old_secret": ("/console/clients/emi/end-old-secret", {}),
        "rotate_secret": ("/console/clients/emi/secret", {"overlap_hours": "0"}),
        "disable_client": ("/console/clients/emi/disable", {}),
        "withdraw_proposal": (f"/console/proposals/{public_id}/withdraw", {}),
        "rotate_key": ("/console/keys/rotate", {"alg": "RS256"}),
        "revoke_key": (f"/console/keys/{kid}/revoke", {}),
    }
    # The events of the circuit breaker count within an hour; the test signs in a day later.
    trip_breaker(world, days=1)
    found["confirm_mass_change"] = ("/console/alarms/breaker", {})
    assert {f"console.{name.split()[0]}" for name in found} == set(ACTS)
    return found


def test_no_far_reaching_action_is_done_without_confirmation(world: World) -> None:
    """Each is shown first and changes nothing, whatever the form claims; confirmed, it is done and
    the reason and the ticket are in the trail."""
    found = acts(world)
    desk, other = Desk.of(world, ACCESS), Desk.of(world, ACCESS)
    for name, (path, fields) in found.items():
        before, number = state(world), len(world.events())
        answers = {"reason": "maintenance", "details": "", "ticket": "CH-7"}
        for forged in ("", "1", "0.x", f"{int(world.clock.now().timestamp())}.x", "٣.x"):
            page = desk.send(path, confirmation=forged, **fields, **answers)
            assert page.status_code == (409 if forged else 200), (name, forged)
            assert 'name="confirmation"' in page.text, name
        # The confirmation of another operator counts as none.
        theirs = hidden_fields(other.send(path, **fields).text, path)["confirmation"]
        assert desk.send(path, confirmation=theirs, **fields, **answers).status_code == 409
        assert state(world) == before, name
        assert len(world.events()) == number, name
        page = desk.send(path, **fields)
        done = desk.confirm(path, page, reason="maintenance", details="", ticket="CH-7")
        assert done.status_code in (200, 303), (name, done.text)
        said = [event.data for event in world.events()[number:] if event.data.get("ticket")]
        assert [(data["why"], data["ticket"]) for data in said] == [("maintenance", "CH-7")], name


def shown(page: TestResponse) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page.text))


def test_the_confirmation_page_counts_what_the_action_affects(world: World) -> None:
    """Sessions, applications, browsers, role groups; how it is undone, or that it is not."""
    desk, holder = Desk.of(world, ACCESS), world.account()
    rp = world.relying_party()
    world.role_group("Trader", rp.client_id)
    world.grant_role(holder, "Trader")
    world.signed_in_tokens(rp, holder)
    world.browser().sign_in(holder, remember="1")
    page = desk.send(f"{desk.path(holder)}/actions/suspend")
    for sentence in (
        "Ends 2 sessions: the account holder is signed out everywhere.",
        "Ends the tokens of 1 application.",
        "Forgets 1 remembered browser.",
        "Select “Reactivate” on the account page.",
    ):
        assert sentence in shown(page), sentence
    assert 'class="danger"' in page.text
    assert f'href="{desk.path(holder)}"' in page.text
    final = shown(desk.send(f"{desk.path(holder)}/actions/deactivate"))
    assert "Revokes 1 role group." in final
    assert "You cannot undo this." in final
    disabled = desk.send("/console/clients/emi/disable")
    assert "Ends the tokens of 1 person." in shown(disabled)
    assert "program" not in shown(disabled)
    unused = world.relying_party("Crow")
    page = shown(desk.send(f"/console/clients/{unused.client_id}/disable"))
    assert "Ends the tokens" not in page
    revoked = desk.send(f"{desk.path(holder)}/revoke", group="Trader", participant="109120")
    assert "Applications that see this role group: EMI." in shown(revoked)
    assert 'class="danger"' not in desk.send(f"{desk.path(locked(world))}/actions/unlock").text


def locked(world: World) -> str:
    return world.account(state=AccountState.LOCKED)


Change = Callable[[World, str], None]
CHANGES: dict[str, Change] = {
    "locked": lambda world, holder: world.set_state(holder, AccountState.LOCKED),
    "late": lambda world, _holder: world.clock.advance(seconds=900),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_stale_confirmation_is_refused_with_its_reason(world: World, change: str) -> None:
    """The state changed since the page was shown, or a quarter of an hour passed: 409, nothing is
    done, and the page describes the present state."""
    desk, holder = Desk.of(world, ACCESS), world.account()
    path = f"{desk.path(holder)}/actions/suspend"
    page = desk.send(path)
    CHANGES[change](world, holder)
    answer = desk.confirm(path, page)
    assert answer.status_code == 409
    assert "Nothing was done. Read the page again before you confirm." in shown(answer)
    assert world.events("console.suspend") == []
    assert desk.confirm(path, answer).status_code == 303
    assert world.account_row(holder).state == AccountState.SUSPENDED


def test_a_confirmation_is_valid_for_one_action_and_its_values(world: World) -> None:
    """That of one account, action or role group confirms no other."""
    desk, holder, other = Desk.of(world, ACCESS), world.account(), world.account()
    for name in ("Trader", "Viewer"):
        world.role_group(name)
        world.grant_role(holder, name)
    token = hidden_fields(
        desk.send(f"{desk.path(holder)}/actions/lock").text, f"{desk.path(holder)}/actions/lock"
    )["confirmation"]
    answers = {"confirmation": token, "reason": "correction", "ticket": "T-1"}
    for target, action in ((holder, "deactivate"), (other, "lock")):
        answer = desk.send(f"{desk.path(target)}/actions/{action}", **answers)
        assert answer.status_code == 409
    path, pair = f"{desk.path(holder)}/revoke", {"participant": "109120"}
    page = desk.send(path, group="Trader", **pair)
    assert desk.confirm(path, page, group="Viewer").status_code == 409
    assert desk.confirm(path, page).status_code == 303
    assert {world.account_row(name).state for name in (holder, other)} == {AccountState.ACTIVE}


def test_another_reason_is_described(world: World) -> None:
    """TM-14: a list of reasons, and words for what it does not have."""
    desk, holder = Desk.of(world, ACCESS), world.account()
    page = desk.send(f"{desk.path(holder)}/actions/lock")
    assert all(f'<option value="{reason}"' in page.text for reason in ActReason)
    answer = desk.act("lock", holder, reason="other", details=" ")
    assert (answer.status_code, "Describe the reason." in answer.text) == (400, True)
    assert 'value="CR-1001"' in answer.text
    assert desk.act("lock", holder, reason="other", details="a court asked").status_code == 303
    (event,) = world.events("console.lock")
    assert (event.data["why"], event.data["details"]) == ("other", "a court asked")


def test_n74_a_forbidden_action_has_no_confirmation_page(world: World) -> None:
    """N74: no page for an act that the operator may never do, or may not do yet."""
    agent, manager = Desk.of(world), Desk.of(world, ACCESS)
    holder = world.account()
    assert agent.send(f"{agent.path(manager.username)}/actions/lock").status_code == 403
    assert manager.send(f"{manager.path(manager.username)}/actions/lock").status_code == 403
    assert agent.send(f"{agent.path(holder)}/actions/deactivate").status_code == 403
    refused = agent.send(f"{agent.path(holder)}/actions/lock")
    assert (refused.status_code, "Verify the caller first" in refused.text) == (400, True)
    sent = {"group": str(ACCESS), "participant": "IESO"}
    assert manager.send(f"{manager.path(holder)}/revoke", **sent).status_code == 403


def test_the_confirmation_goes_through_the_fresh_factor(world: World) -> None:
    """N66: confirm first, prove next, then it is done; the trail has the act once."""
    desk = Desk.of(world, ACCESS)
    secret = with_app(world, desk.username)
    world.relying_party()
    path = "/console/clients/emi/secret"
    page = desk.send(path, overlap_hours="0")
    stale(world)
    proof = send(desk, path, [*kept(page, path, 'name="confirmation"'), *CONFIRMED])
    assert "Verify your identity" in proof.text
    assert world.events("console.confirmed") == []
    done = send(desk, path, [*kept(proof, path), ("code", code(world, secret))])
    assert done.status_code == 200
    (event,) = world.events("console.confirmed")
    assert event.client_id == "emi"
    assert event.data["act"] == "rotate_secret"
    assert event.data["details"] == "a < b"


def test_unknown_targets_have_no_page(world: World) -> None:
    """404 before anything else."""
    desk = Desk.of(world, ACCESS)
    for path in ("clients/none/disable", "keys/none/revoke", "proposals/none/withdraw"):
        assert desk.send(f"/console/{path}").status_code == 404
