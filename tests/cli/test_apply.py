"""``gateway apply`` and ``gateway export``: a file says which clients, role groups and participants
there are (PR-02, RG-12, TM-01, GW-05)."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import func, select

from idp.cli import main
from idp.clients import registry
from idp.declarations import builtin_sets, declared_file
from idp.directory import contacts, participants, participations, role_groups
from idp.errors import Unstorable
from idp.models import Event, OutboxMessage
from idp.policy.console import ConsoleRole
from tests.shell import Run, good
from tests.world import World

FILE = """\
addresses:
  app: https://app.example.org
participants:
  "0200001":
    name: Erie Wind
    participations:
      market: [Energy Market]
      program: [Demand Response]
    contacts:
      rights_administrator: ["1001"]
role_groups:
  Bids:
    description: Submit bids
    participation: Energy Market
    second_factor: always
  Programs:
    kind: machine
clients:
  app:
    name: no
    redirect_uris: ["${app}/callback"]
    account_kinds: [personal]
    role_groups: [Bids, Programs]
  api:
    name: Data service
    grant_types: []
    scopes: []
    is_resource_server: true
    auth_method: none
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, FILE)


@pytest.fixture
def holder(world: World) -> None:
    """Somebody who can be a contact: an account of person 1001."""
    world.account("holder", person_id="1001")


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def applied(run: Run, path: Path, *more: str) -> Any:
    return good(run("apply", str(path), "--yes", "--json", *more))


def changes(result: Any) -> list[tuple[str, str, str]]:
    return [(one["section"], one["name"], one["action"]) for one in result["changes"]]


@pytest.mark.usefixtures("holder")
def test_the_first_run_creates_everything_and_the_second_changes_nothing(
    world: World, run: Run, file: Path
) -> None:
    """Through the services of the other commands, with their events and mails."""
    first = applied(run, file)
    assert changes(first) == [
        ("participants", "0200001", "created"),
        ("role_groups", "Bids", "created"),
        ("role_groups", "Programs", "created"),
        ("clients", "app", "created"),
        ("clients", "api", "created"),
    ]
    assert list(first["client_secrets"]) == ["app"]
    assert first["applied"] is True
    with world.work() as work:
        row = participants.by_number(work, "0200001")
        assert {(p.name, p.kind) for p in participations.list_participations(work, row)} == {
            ("Energy Market", "market"),
            ("Demand Response", "program"),
        }
        assert [c.person.person_id for c in contacts.list_contacts(work, row)] == ["1001"]
        group = role_groups.by_name(work, "Bids")
        assert (group.participation, group.second_factor) == ("Energy Market", "always")
        app = registry.get(work, "app")
        # YAML's "no" is a name where a name belongs.
        assert (app.name, app.account_kinds) == ("no", ["personal"])
        assert app.redirect_uris == ["https://app.example.org/callback"]
        assert [group.name for group in app.role_groups] == ["Bids", "Programs"]
    assert world.mails("contact_added")
    names = {event.name for event in world.events()}
    assert {"client.created", "role_group.created", "participant.registered"} <= names
    count = len(world.events())
    second = applied(run, file)
    assert (second["changes"], second["client_secrets"]) == ([], {})
    assert len(world.events()) == count


@pytest.mark.usefixtures("holder")
def test_the_changes_are_shown_before_the_question(world: World, run: Run, file: Path) -> None:
    """A refusal of the question, and --dry-run, leave no row, mail or event."""
    before = counted(world)
    shown = CliRunner().invoke(main, ["apply", str(file)], input="n\n")
    assert shown.exit_code == 1
    assert "+ client app: created\n" in shown.stdout
    assert '    name: "no"\n' in shown.stdout
    assert "    role_groups: +Bids  +Programs\n" in shown.stdout
    assert "Make these changes? [y/N]: n" in shown.stdout
    dry = run("apply", str(file), "--dry-run")
    assert dry.exit_code == 0
    assert dry.stdout.startswith("+ participant 0200001: created\n")
    assert good(run("apply", str(file), "--dry-run", "--json"))["applied"] is False
    assert counted(world) == before
    done = CliRunner().invoke(main, ["apply", str(file)], input="y\n")
    assert "Done: 5 changes.\nSave the client secrets now." in done.stdout
    assert run("apply", str(file)).stdout.startswith("No changes.\n")


def counted(world: World) -> tuple[int, int, int]:
    """Events, messages, clients."""
    with world.work() as work:
        rows = [
            work.db.scalar(select(func.count()).select_from(model)) or 0
            for model in (Event, OutboxMessage)
        ]
        return rows[0], rows[1], len(registry.list_clients(work))


@pytest.mark.usefixtures("holder")
def test_a_change_shows_the_old_and_the_new_value(world: World, run: Run, file: Path) -> None:
    """Only fields that the file names are changed; lists are compared without their order."""
    applied(run, file)
    good(run("client", "update", "app", "--minimum-acr", "phr", "--json"))
    text = FILE.replace("name: no", "name: Bids").replace(
        '"${app}/callback"', '"${app}/two", "${app}/callback"'
    )
    text = text.replace("[Bids, Programs]", "[Programs, Bids]").replace("Submit bids", "Send bids")
    text = text.replace("    second_factor: always\n", "    second_factor: default\n")
    text = text.replace("program: [Demand Response]", "program: []")
    path = write(file.parent, text)
    shown = run("apply", str(path), "--dry-run").stdout.splitlines()
    assert shown[:8] == [
        "~ participant 0200001: changed",
        '    participations: {"market": ["Energy Market"], "program": ["Demand Response"]} -> '
        '{"market": ["Energy Market"]}',
        "~ role group Bids: changed",
        '    description: "Submit bids" -> "Send bids"',
        '    second_factor: "always" -> none',
        "~ client app: changed",
        '    name: "no" -> "Bids"',
        "    redirect_uris: +https://app.example.org/two",
    ]
    applied(run, path)
    with world.work() as work:
        client = registry.get(work, "app")
        assert (client.name, client.minimum_acr) == ("Bids", "phr")
    assert applied(run, path)["changes"] == []


FAULTY = """\
clients:
  bad id:
    name: Bad
    redirect_uris: [https://one.example/callback]
  two:
    name: Two
    grant_types: [implicit]
    redirect_uris: ["http://two.example/callback", "https://${nowhere}/"]
  three:
    name: Three
    redirect_uris: ["http://three.example/callback"]
    role_groups: [Nobody, Robots]
    id_token_alg: HS256
    trusted: perhaps
  four:
    name: Four
    redirect_uris: ["http://four.example/callback"]
    role_groups: [Nobody, Robots]
    id_token_alg: HS256
  four:
    name: Again
  five: {}
  six: text
role_groups:
  Robots:
    kind: robot
participants:
  "1 2":
    name: Space
  "200002":
    contacts: {rights_administrator: ["9999"]}
  "200003":
    name: Third
    contacts: {king: ["1001"]}
    colour: red
applications: {}
"""


def test_all_faults_are_listed_with_their_lines_and_nothing_is_created(
    world: World, run: Run, tmp_path: Path
) -> None:
    """One run names them all: of the file and of the services."""
    before = counted(world)
    path = write(tmp_path, FAULTY)
    result = run("apply", str(path), "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    said = result.stderr.splitlines()
    assert said[-1] == f"refused: {len(said) - 1} faults. Nothing was changed."
    faults = [
        "line 2: bad id: a client ID has 3 to 100 letters, digits and ._~-",
        "line 8: the section addresses has no 'nowhere'",
        "line 14: trusted is true or false",
        "line 17: four: redirect URI 'http://four.example/callback' must use https",
        "line 18: four: no role group 'Nobody'",
        "line 19: four: id_token_alg is one of RS256, ES256",
        "line 20: four is in clients already, in line 15",
        "line 22: five: a new client needs a name",
        "line 23: six has fields with values",
        "line 26: Robots: the kind must be one of personal, machine, email",
        "line 28: 1 2: a participant's number is 1 to 20 ASCII letters",
        "line 30: 200002: a new participant needs a name",
        "line 35: 200003: there is no field 'colour'",
        "line 36: there is no section 'applications'",
    ]
    missing = [fault for fault in faults if not any(line.startswith(fault) for line in said)]
    assert (missing, len(said) - 1) == ([], len(faults)), result.stderr
    found = run("apply", str(path), "--yes", "--json")
    assert (found.exit_code, len(json.loads(found.stdout)["faults"])) == (1, len(faults))
    assert counted(world) == before


def test_a_database_error_ends_the_run_and_names_the_entry(
    world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is lost: the entry is named, and nothing after it is tried."""

    def lost(*_: Any, **__: Any) -> None:
        raise Unstorable("22001")

    monkeypatch.setattr(role_groups, "create", lost)
    path = write(tmp_path, "role_groups:\n  One: {}\n  Two: {}\n")
    assert run("apply", str(path), "--yes").stderr == (
        "line 2: One: the database refused it (22001)\nrefused: 1 fault. Nothing was changed.\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clients: [", "line 1: not YAML: "),
        ("a: 1\n---\nb: 2\n", "line 2: not YAML: "),
        ("- a\n", "line 1: the file has fields with values"),
        ("clients:\n  a: !!python/object/apply:os.system [ls]\n", "line 2: a has fields"),
        ("clients:\n  abc:\n    name: !!binary aGk=\n", "line 3: name is a text"),
        ("clients:\n  abc:\n    name: [a]\n", "line 3: name is a text"),
        ("clients:\n  abc:\n    scopes: openid\n", "line 3: scopes is a list"),
        ("clients:\n  ? [a]\n  : b\n", "line 2: a name in clients is a text"),
        ("clients: &a\n  abc: *a\n", "line 1: "),
        ("[" * 5000, "the file is too large or nested too deeply"),
        ("a: \0", "not YAML: "),
    ],
    ids=range(11),
)
def test_an_invalid_declaration_is_refused_with_its_line(
    run: Run, tmp_path: Path, text: str, said: str
) -> None:
    """Tags of programs, aliases of themselves and wrong shapes: a fault, never a trace."""
    result = run("apply", str(write(tmp_path, text)), "--dry-run")
    assert result.exit_code == 1
    assert said in result.stderr


def test_an_empty_file_declares_nothing(run: Run, tmp_path: Path) -> None:
    """No change, and what is there is named as left."""
    good(run("role-group", "create", "Here", "--json"))
    result = run("apply", str(write(tmp_path, "# nothing\n")), "--yes")
    assert result.stdout == "No changes.\nNot in the file, left as is: role group Here\n"


@pytest.mark.usefixtures("holder")
def test_prune_disables_clients_by_name_and_deletes_nothing(
    world: World, run: Run, file: Path
) -> None:
    """Without it they stay; a file without clients cannot prune."""
    good(run("client", "create", "--client-id", "old", "--name", "Old", "--redirect-uri",
             "https://old.example/c", "--json"))  # fmt: skip
    assert applied(run, file)["not_in_the_file"]["clients"] == ["old"]
    shown = run("apply", str(file), "--prune", "--dry-run").stdout
    assert "- client old: disabled\n" in shown
    assert changes(applied(run, file, "--prune")) == [("clients", "old", "disabled")]
    assert good(run("client", "show", "old", "--json"))["disabled"] is True
    assert applied(run, file, "--prune")["changes"] == []
    empty = write(file.parent, "role_groups: {}\n")
    refused = run("apply", str(empty), "--prune", "--yes")
    assert refused.stderr.startswith("prune disables clients, and the file has no clients\n")


@pytest.mark.usefixtures("holder")
def test_clients_and_participants_are_disabled_and_enabled_again(
    world: World, run: Run, file: Path
) -> None:
    """``disabled`` and ``ended``."""
    applied(run, file)
    off = FILE.replace("  app:\n    name: no", "  app:\n    disabled: true\n    name: no")
    off = off.replace("    name: Erie Wind", "    ended: true\n    name: Erie Wind")
    assert changes(applied(run, write(file.parent, off))) == [
        ("participants", "0200001", "ended"),
        ("clients", "app", "disabled"),
    ]
    on = off.replace("true\n    name", "false\n    name")
    assert changes(applied(run, write(file.parent, on))) == [
        ("participants", "0200001", "restored"),
        ("clients", "app", "enabled"),
    ]


def test_n72_a_client_with_the_scope_scim_needs_a_second_operator(
    world: World, run: Run, tmp_path: Path
) -> None:
    """N72, N74: the file only proposes it, once; --as is needed; another operator confirms."""
    one, other = world.operator(ConsoleRole.ACCESS), world.operator(ConsoleRole.ACCESS)
    path = write(
        tmp_path,
        "clients:\n  push:\n    name: Push\n    grant_types: [client_credentials]\n"
        "    scopes: [scim]\n  app:\n    name: App\n    redirect_uris: [https://a.example/c]\n",
    )
    refused = run("apply", str(path), "--yes")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(
        "line 5: push: a change to a client with the scope scim requires approval by a second "
        "operator; name the operator with --as\n"
    )
    first = applied(run, path, "--as", one)
    assert changes(first) == [("clients", "push", "proposed"), ("clients", "app", "created")]
    assert list(first["client_secrets"]) == ["app"]
    proposal = first["changes"][0]["proposal"]
    assert {event.actor for event in world.events("client.proposed")} == {one}
    again = applied(run, path, "--as", one)
    assert (again["changes"], again["waiting"]) == ([], {"push": proposal})
    assert run("client", "confirm", proposal, "--as", one).exit_code == 1
    assert "client_secret" in run("client", "confirm", proposal, "--as", other).stdout
    third = applied(run, path)
    assert (third["changes"], third["waiting"]) == ([], {})


def test_secrets_go_to_a_new_file_of_the_owner(world: World, run: Run, tmp_path: Path) -> None:
    """Mode 600; a file that is there is not replaced, and then nothing is made."""
    secrets = tmp_path / "secrets.json"
    path = write(
        tmp_path, "clients:\n  app:\n    name: A\n    redirect_uris: [https://a.example/c]\n"
    )
    secrets.write_text("mine")
    result = run("apply", str(path), "--yes", "--secrets", str(secrets))
    assert result.exit_code == 2
    assert (secrets.read_text(), counted(world)[2]) == ("mine", 0)
    secrets.unlink()
    old = os.umask(0)
    try:
        result = run("apply", str(path), "--yes", "--secrets", str(secrets))
    finally:
        os.umask(old)
    secret = json.loads(secrets.read_text())["app"]
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert f"The client secrets are in {secrets}.\n" in result.stdout
    assert secret not in result.stdout


@pytest.mark.usefixtures("holder")
def test_changes_are_shown_again_if_they_differ_from_those_confirmed(
    world: World, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changes that are made are those that were confirmed."""

    def meanwhile(*_: Any, **__: Any) -> bool:
        with world.work() as work:
            role_groups.create(work, "Bids")
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    result = run("apply", str(file))
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The gateway has changed since the changes were shown. Start again.\n"
    )
    assert counted(world)[2] == 0


@pytest.mark.usefixtures("holder")
def test_an_export_applied_again_changes_nothing(world: World, run: Run, file: Path) -> None:
    """In the gateway that it comes from; in an empty one it makes the same."""
    applied(run, file)
    good(run("client", "update", "app", "--minimum-acr", "phr", "--second-factor", "always",
             "--push-participant", "0200001", "--json"))  # fmt: skip
    text = run("export").stdout
    path = write(file.parent, text)
    result = applied(run, path)
    assert (result["changes"], result["not_in_the_file"]) == ([], {})
    state = yaml.safe_load(text)
    assert state["participants"]["0200001"]["contacts"] == {"rights_administrator": ["1001"]}
    assert "secret_digest" not in text


def test_the_set_of_the_package_has_the_applications_of_the_manual(world: World, run: Run) -> None:
    """GW-05, EN-03, MA-07, MA-08: every application, its kinds of account, and role groups for
    people and programs; a second run and its export change nothing."""
    result = good(run("apply", "--builtin", "ieso", "--yes", "--json"))
    made = {one["name"] for one in result["changes"] if one["section"] == "clients"}
    assert made >= {
        "emi", "crow", "reports", "tra", "prudential", "dispatch", "workspaces", "mim",
        "registration-system", "meter-trouble-reports", "notice-of-disagreement",
        "reliability-compliance", "capacity-auction", "energy-limited-forecast",
        "settlement-forms", "manage-resources", "online-ieso-services",
    }  # fmt: skip
    with world.work() as work:
        kinds = {row.client_id: set(row.account_kinds) for row in registry.list_clients(work)}
        groups = {
            row.client_id: {group.kind for group in row.role_groups}
            for row in registry.list_clients(work)
        }
    assert kinds["workspaces"] == groups["workspaces"] == {"email"}
    assert kinds["mim"] == groups["mim"] == {"machine"}
    # A kind of account that may open an application has a role group there.
    assert groups == kinds
    again = good(run("apply", "--builtin", "ieso", "--yes", "--json"))
    assert (again["changes"], again["not_in_the_file"]) == ([], {})


def test_example_addresses_never_replace_real_ones(world: World, run: Run) -> None:
    """The set of the package again, after the real addresses were given."""
    shown = run("apply", "--builtin", "ieso", "--yes", "--address", "emi=https://emi.test/")
    assert "Clients with example addresses: crow, " in shown.stdout
    changed = good(
        run("apply", "--builtin", "ieso", "--yes", "--json", "--address", "crow=https://crow.test")
    )
    assert changes(changed) == [("clients", "crow", "changed")]
    with world.work() as work:
        assert registry.get(work, "emi").redirect_uris == ["https://emi.test/callback"]
        assert registry.get(work, "crow").home_url == "https://crow.test/signin"
    unknown = run("apply", "--builtin", "ieso", "--yes", "--address", "x=https://x.test")
    assert unknown.stderr.startswith("the file has no address 'x'\n")


def test_the_set_can_be_printed_and_usage_is_checked(run: Run, tmp_path: Path) -> None:
    """A copy to change; one source; a question needs a terminal."""
    printed = run("apply", "--builtin", "ieso", "--print").stdout
    assert printed == builtin_sets.text_of("ieso")
    assert declared_file.read(printed).faults == []
    path = str(write(tmp_path, "clients: {}\n"))
    for order in (
        ["apply"],
        ["apply", path, "--builtin", "ieso"],
        ["apply", path, "--json"],
        ["apply", path, "--yes", "--address", "emi"],
    ):
        assert run(*order).exit_code == 2, order
    (tmp_path / "gateway.yaml").write_bytes(b"\xff\xfe")
    assert run("apply", path, "--yes").exit_code == 2


def test_the_example_in_the_documentation_is_accepted(
    world: World, run: Run, tmp_path: Path
) -> None:
    """docs/operations.md: the file as it is printed there."""
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    text = document.partition("```yaml\n")[2].partition("```")[0]
    world.account("holder", person_id="100231")
    assert len(changes(applied(run, write(tmp_path, text)))) == 5
    assert applied(run, tmp_path / "gateway.yaml")["changes"] == []
