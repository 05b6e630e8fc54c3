"""Nobody acts on an account of his own person: in the console, in the shell, by a push (N74)."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from idp.cli import main
from idp.directory import accounts, held_role_groups
from idp.models import AccountKind
from idp.policy.console import ACTIONS, ConsoleRole
from tests.console.desk import Desk
from tests.scim.pusher import EXTENSION, Pusher, fault, user
from tests.shell import Run
from tests.world import World

AGENT, ACCESS, AUDITOR = ConsoleRole.AGENT, ConsoleRole.ACCESS, ConsoleRole.AUDITOR
WHY = ("--reason", "asked on the telephone", "--ticket", "CR-1")
#: The operator's own account, a second one, and a machine account in the operator's custody.
OWN: dict[str, Callable[[World, str], str]] = {
    "first": lambda _world, username: username,
    "second": lambda world, username: second(world, username),
    "machine": lambda world, username: second(world, username, AccountKind.MACHINE),
}


def second(world: World, username: str, kind: AccountKind = AccountKind.PERSONAL) -> str:
    """Another account of the person who holds this one."""
    person = world.account_row(username).person
    return world.account(kind=kind, person_id=person.person_id)


def untouched(world: World, username: str) -> tuple[object, ...]:
    """What no action of an operator may have changed."""
    row = world.account_row(username)
    with world.work() as work:
        held = len(held_role_groups.list_held(work, accounts.by_username(work, username)))
    return row.state, row.password_hash, row.updated_at, held, len(world.mails(to=username))


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("role", [AGENT, ACCESS])
def test_n74_an_operator_cannot_act_on_any_account_of_himself(
    world: World, run: Run, role: ConsoleRole, own: str
) -> None:
    """N74, over all actions: 403 in the console and exit code 1 in the shell, nothing changed, in
    the trail."""
    desk = Desk.of(world, role)
    target = OWN[own](world, desk.username)
    before = untouched(world, target)
    page = desk.open(target).text
    assert desk.verify(target).status_code == 403
    for action in ACTIONS:
        assert desk.act(action, target).status_code == 403, action
        refusal = world.events("console.refused")[-1]
        assert (refusal.actor, refusal.data["action"]) == (desk.username, action)
        assert f"/actions/{action}" not in page
        result = run("account", "act", str(action), target, *WHY, "--as", desk.username)
        assert (result.exit_code, result.stdout) == (1, ""), action
        assert result.stderr.startswith("refused: ")
    assert untouched(world, target) == before


@pytest.mark.parametrize("own", OWN)
def test_n74_an_operator_cannot_change_his_own_role_groups(
    world: World, run: Run, own: str
) -> None:
    """N74: neither granted nor taken, by console or shell, whatever the role group."""
    desk = Desk.of(world, ACCESS)
    kind = "machine" if own == "machine" else "personal"
    world.role_group("EMI Viewer", kind=kind)
    world.role_group("EMI Trader", kind=kind)
    target = OWN[own](world, desk.username)
    world.grant_role(target, "EMI Trader")
    before = untouched(world, target)
    assert "/grant" not in desk.open(target).text
    for door, name in (("grant", "EMI Viewer"), ("revoke", "EMI Trader"), ("grant", ACCESS)):
        sent = {"group": str(name), "participant": "109120"}
        assert desk.post(f"{desk.path(target)}/{door}", **sent).status_code == 403
        assert world.events("console.refused")[-1].actor == desk.username
        command = "assign" if door == "grant" else door
        options = ("--account", target, "--role-group", str(name), "--participant", "109120")
        result = run("role-group", command, *options, "--as", desk.username)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "is an account of the operator who acts" in result.stderr
    assert untouched(world, target) == before


@pytest.mark.parametrize("own", OWN)
def test_n74_an_agent_cannot_verify_himself_as_the_caller(world: World, own: str) -> None:
    """N74, CR-02: no caller is verified, and no code is sent, for one's own person."""
    desk = Desk.of(world, AGENT)
    target = OWN[own](world, desk.username)
    before = len(world.mails(to=target))
    known = ["username", "person_id", "organization"]
    for door in ("caller", "caller/deny", "code", "code/check"):
        path = f"{desk.path(target)}/{door}"
        assert desk.post(path, fact=known, ticket="T", code="123456").status_code == 403
    assert world.events("caller.verified") == []
    assert len(world.mails(to=target)) == before


@pytest.mark.parametrize(
    "command",
    [
        ("account", "create", "--person-id", "{person}", "--kind", "machine", "--json"),
        ("account", "networks", "{machine}", "--network", "192.0.2.0/24"),
        ("account", "keys", "{machine}", "--remove", "any"),
        ("account", "custodian", "{machine}", "--person-id", "{other}"),
        ("account", "custodian", "{foreign}", "--person-id", "{person}"),
        ("person", "update", "{person}", "--email", "elsewhere@participant.example"),
    ],
)
def test_n74_an_operator_cannot_run_a_command_on_himself(
    world: World, run: Run, command: tuple[str]
) -> None:
    """N74: no new account, network, key, custody or address either; for somebody else each of
    these is done."""
    manager = world.operator(ACCESS)
    helper = world.operator(ACCESS)
    machine = second(world, manager, AccountKind.MACHINE)
    values = {
        "machine": machine,
        "foreign": world.account(kind=AccountKind.MACHINE),
        "person": world.account_row(manager).person.person_id,
        "other": world.account_row(world.account()).person.person_id,
    }
    words = [word.format(**values) for word in command]
    before = len(world.events())
    result = run(*words, "--as", manager)
    assert result.exit_code == 1
    assert "the operator who acts" in result.stderr
    assert len(world.events()) == before
    done = run(*words, "--as", helper)
    # There is no key to remove: that is found out after who may do it.
    assert done.exit_code == 0 or "no key any" in done.stderr, done.output
    if done.exit_code == 0:
        assert {event.actor for event in world.events()[before:]} == {helper}


def test_the_command_line_records_the_operator_and_the_system_login(world: World, run: Run) -> None:
    """TM-12: the trail shows both; without the option it is the login alone."""
    manager, target = world.operator(ACCESS), world.account()
    assert run("account", "act", "lock", target, *WHY, "--as", manager).exit_code == 0
    row = world.events("console.lock")[-1]
    assert row.actor == manager
    assert (row.user_agent or "").startswith("cli:")
    other = world.account()
    assert run("account", "act", "lock", other, *WHY).exit_code == 0
    assert (world.events("console.lock")[-1].actor or "").startswith("cli:")


def test_the_command_line_enforces_the_rules_of_the_console(world: World, run: Run) -> None:
    """N74: with --as, an agent needs a verified caller, acts on no operator, and manages nothing;
    who is no operator, or is locked, does nothing at all."""
    agent, manager, target = world.operator(AGENT), world.operator(ACCESS), world.account()
    lock = ("account", "act", "lock")
    unverified = run(*lock, target, *WHY, "--as", agent)
    assert (unverified.exit_code, unverified.stderr) == (
        1,
        "refused: verify the caller in the console first\n",
    )
    assert run(*lock, manager, *WHY, "--as", agent).exit_code == 1
    assert run(*lock, world.operator(ACCESS), *WHY, "--as", manager).exit_code == 1
    assert run("key", "rotate", "--force", "--as", agent).exit_code == 1
    assert run(*lock, target, *WHY, "--as", world.account()).exit_code == 1
    assert run(*lock, target, *WHY, "--as", "nobody").stderr == "refused: no account nobody\n"
    assert run(*lock, manager, *WHY).exit_code == 0
    assert run(*lock, target, *WHY, "--as", manager).stderr == f"refused: {manager} is locked\n"
    assert world.account_row(target).state == "active"


def commands(group: click.Group, *path: str) -> dict[str, click.Command]:
    """Every command below a group, by its words."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            found |= commands(command, *path, name)
        else:
            found[" ".join((*path, name))] = command
    return found


#: Commands that change nobody's access: they read, run the service, or keep the database.
WITHOUT_OPERATOR = {
    "account show", "account list", "account diagnose", "audit archive", "audit export",
    "audit verify",
    "client show", "client list", "client proposals", "db upgrade", "demo", "doctor", "export",
    "initial-token list", "key list",
    "participant list", "participant contacts", "person show", "purge", "restore",
    "registration status", "risk evaluate", "risk simulate", "role-group list",
    "scim authenticate", "scim diff", "scim push", "serve", "settings", "worker",
}  # fmt: skip


def test_n74_every_command_that_changes_access_takes_an_operator() -> None:
    """N74: a new command is held to the rules, or stands in the list above."""
    found = commands(main)
    without = {
        words
        for words, command in found.items()
        if not any("--as" in option.opts for option in command.params)
    }
    assert without - WITHOUT_OPERATOR == set()


@pytest.mark.parametrize("own", OWN)
def test_n74_a_push_cannot_change_any_account_of_an_operator(world: World, own: str) -> None:
    """N72, N74: suspended, closed, given or taken a role group: 403, by whichever account."""
    rp = world.relying_party()
    world.role_group("EMI Trader", rp.client_id)
    world.role_group("MIM", rp.client_id, kind="machine")
    pusher, operator = Pusher.of(world), world.operator(AUDITOR)
    target = OWN[own](world, operator)
    before, subject = untouched(world, target), world.account_row(target).subject
    group = "MIM" if own == "machine" else "EMI Trader"
    access = [{"participantId": "109120", "roleGroup": group}]
    for change in (
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": "preferredLanguage", "value": "fr"},
        {"op": "replace", "path": "name.familyName", "value": "Else"},
        {"op": "add", "path": f"{EXTENSION}:grants", "value": access},
    ):
        answer = pusher.patch(subject, change)
        assert fault(answer)[0] == 403, (change, answer.text)
    assert pusher.send("DELETE", subject).status_code == 403
    person = world.account_row(operator).person.person_id
    more = user(2, extension={"personId": person}, userName="another")
    assert fault(pusher.send("POST", body=more))[0] == 403
    assert untouched(world, target) == before
