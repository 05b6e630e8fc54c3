"""What commands print for people: every command runs to its end, and nothing is cut."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idp.cli import common, main
from idp.settings import Settings
from tests.world import World

#: Commands whose text is tested where the processes, logs or exports are that they need.
ELSEWHERE = {
    "account diagnose": "below: it ends with 1",
    "account second": "tests/scim/test_second_accounts.py",
    "client confirm": "tests/console/test_two_operators.py",
    "client withdraw": "tests/console/test_two_operators.py",
    "serve": "tests/demo",
    "worker": "tests/messages/test_killed_worker.py",
    "demo": "tests/demo",
    "doctor": "tests/cli/test_doctor.py",
    "risk simulate": "tests/risk_lab/test_evaluation.py",
    "risk evaluate": "tests/risk_lab/test_evaluation.py",
    "import": "tests/scim/test_first_load.py",
    "scim push": "tests/scim/test_export.py",
    "scim diff": "tests/scim/test_export.py",
}
#: Command lines in an order in which they work, and what each prints.
SAID = [
    (
        'client create --client-id mim --name "Market Information" --auth-method private_key_jwt '
        "--second-factor always --grant-type client_credentials --scope mim --key-file key.pem",
        r"client_id      mim\n",
    ),
    ("client create --client-id emi --name EMI --redirect-uri https://emi.example/callback",
     r"client_secret  \S{43}\nSave the secret now"),
    ('client create --client-id prices --name "Prices API" --audience https://prices.example '
     "--resource-server", r"client_secret  \S{43}\n"),
    ("client update emi --second-factor always --id-token-alg ES256", r"second_factor +always\n"),
    ("client show mim", r"auth_method +private_key_jwt\n"),
    ("client list", r"(?m)^mim +Market Information +private_key_jwt +client_credentials"),
    ("client rotate-secret emi", r"client_secret  \S{43}\n(?s:.*)end-old-secret emi\n$"),
    ("client end-old-secret emi", r"^emi: the previous secret has ended\.\n$"),
    ("client proposals", r"^No proposals\.\n$"),
    ("initial-token issue Vendor --uses 2 --no-require-pkce",
     r"(?s)^id +\S+\nname +Vendor\n.*token +\S{43}\nSave the token now"),
    ("initial-token list", r"(?m)^\S+ +Vendor +"),
    ("initial-token revoke TOKEN_ID", r"^The initial access token of Vendor is revoked\.\n$"),
    ("client disable emi", r"^emi is disabled\. Its tokens are revoked\.\n$"),
    ("client enable emi", r"^emi is enabled\.\n$"),
    ("account create --username moreaua --person-id 1001 --given-name Ada --family-name Moreau "
     "--email ada@participant.example", r"^moreaua is pending. The activation e-mail is queued"),
    ("account create --kind machine --person-id 1001", r"^APIIESO00001 is pending"),
    ("account create --kind personal --person-id 1002 --given-name Noah --family-name Okafor "
     "--email noah@participant.example", r"^okaforn is pending"),
    ("account create --kind email --username ada@community.example --person-id 1001",
     r"^ada@community.example is pending"),
    ("account show moreaua", r"(?s)^username +moreaua\n.*No role groups\..*account\.created"),
    ("account list", r"(?m)^APIIESO00001 +machine +pending +Ada Moreau +ada@participant.example"),
    ("account networks APIIESO00001", r"^No networks\.\n$"),
    ('account networks APIIESO00001 --network 192.0.2.0/28="Control room"',
     r"(?m)^192\.0\.2\.0/28 +Control room$"),
    ("account keys APIIESO00001", r"^No keys\.\n$"),
    ("account keys APIIESO00001 --add key.pem --label Robot", r"(?m)^\S{43} +Robot +\d{4}-"),
    ("account custodian APIIESO00001 --person-id 1002",
     r"^1002 is now the custodian of APIIESO00001\. State: pending\.\n$"),
    ("person show 1001", r"(?s)person_id +1001\n.*moreaua +personal +pending"),
    ("person update 1001 --preferred-name Addie", r"^1001: preferred_name changed\.\n$"),
    ("role-group create MIM --kind machine --client mim --description Prices",
     r"^MIM was created\.\n$"),
    ("role-group set MIM --second-factor always", r"^MIM: extra verification always\.\n$"),
    ("role-group list", r"(?m)^MIM +machine +mim +always +Prices$"),
    ('participant create 200001 "Erie Wind"', r"^200001 is registered: Erie Wind\.\n$"),
    ('participant rename 200001 "Erie Wind Inc."', r"^200001 is Erie Wind Inc\.\n$"),
    ('participant enter 200001 "Demand Response" --kind program',
     r"^200001 participates in Demand Response\.\n$"),
    ('role-group set MIM --participation "Energy Market"',
     r"^MIM: required participation Energy Market\.\n$"),
    ('role-group set MIM --participation ""', r"^MIM: required participation none\.\n$"),
    ("participant list", r"(?m)^200001 +Erie Wind Inc\. +active +Demand Response$"),
    ('participant leave 200001 "Demand Response"',
     r"^200001 no longer participates in Demand Response\.\n$"),
    ("participant appoint 200001 1001", r"^1001 is rights_administrator of 200001\.\n$"),
    ("participant contacts 200001",
     r"(?m)^1001 +Ada Moreau +ada@participant\.example +rights_administrator$"),
    ("participant dismiss 200001 1001",
     r"^1001 is no longer rights_administrator of 200001\.\n$"),
    ("participant end 200001", r"^200001 has ended\. 0 assignments were revoked\.\n$"),
    ("participant restore 200001", r"^200001 is active\n$"),
    ("role-group assign --account APIIESO00001 --role-group MIM --participant 109120",
     r"^APIIESO00001 holds MIM for 109120\n$"),
    ("role-group revoke --account APIIESO00001 --role-group MIM --participant 109120",
     r"^APIIESO00001 does not hold MIM for 109120\n$"),
    ("account act suspend moreaua --reason Leave --ticket T-1",
     r"^moreaua: suspend succeeded\. State: suspended\.\n$"),
    ("registration status", r"^open: \d+ of \d+ accounts in the last hour\n$"),
    ("registration confirm --reason Reviewed", r"^open: \d+ of \d+ accounts in the last hour\n$"),
    ("key list", r"(?m)^\S{43} +RS256 +active"),
    ("key rotate --alg RS256 --force", r"^RS256 tokens are now signed with \S{43}\n$"),
    ("key revoke KID", r"^\S{43} is revoked\n$"),
    ("key reencrypt --dry-run", r"(?m)^signing_key +\d+ +0 +0$"),
    ("key reencrypt", r"(?m)^0 values are encrypted again\.$"),
    ("settings", r"(?m)^IDP_BCRYPT_COST +4 +environment +\d+ +"),
    ("db upgrade", r"^The database is up to date\.\n$"),
    ("audit verify", r"^Integrity check passed: \d+ records, 0 not sealed yet\.\n$"),
    ("apply --builtin ieso --dry-run", r"(?m)^\+ client crow: created$"),
    ("export", r"(?m)^  emi:\n    name: EMI$"),
    ("audit export", r'"name": "client\.created"'),
    ("audit archive old.jsonl.gz --before 2020-01-01",
     r"^No records to archive; 0 of earlier archives removed\.\n$"),
    ("purge", r"(?m)^\S+ +\d+$"),
    ("restore --reason Trial", r"(?s)sessions +\d+\n.*Without --trail, changes since the backup"),
]  # fmt: skip


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public key in the present folder."""
    monkeypatch.chdir(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    Path("key.pem").write_bytes(pem)


@pytest.mark.usefixtures("key_file")
def test_every_command_prints_its_text(world: World, run: Any) -> None:
    """Each command to its end without --json, with what it prints; a new one joins the list."""
    named = {name for name, _ in commands(main)}
    tried = {next(n for n in named if line.startswith(f"{n} ") or line == n) for line, _ in SAID}
    assert tried | ELSEWHERE.keys() == named
    # So that the participant is there.
    world.role_group("Viewer")
    world.grant_role(world.account("holder"), "Viewer", "109120")
    kid = token_id = ""
    for line, said in SAID:
        typed = line.replace("KID", kid).replace("TOKEN_ID", token_id)
        result = run(*shlex.split(typed))
        assert result.exit_code == 0, (line, result.output, result.exception)
        assert re.search(said, result.stdout), (line, result.stdout)
        if line.startswith("key rotate"):
            kid = result.stdout.split()[-1]
        if line.startswith("initial-token issue"):
            token_id = result.stdout.split()[1]


def test_diagnose_says_why_a_program_would_be_refused(world: World, run: Any) -> None:
    """Diagnose: exit code 1, a line for each check."""
    world.account("holder")
    result = run("account", "diagnose", "holder", "--from", "192.0.2.7")
    assert result.exit_code == 1
    assert re.search(r"(?m)^\S.* +NO +\S", result.stdout), result.stdout


def test_choices_are_shown_as_their_values() -> None:
    """Members of enumerations are typed by value in every command, as documented."""
    found = [
        (name, option.name, value)
        for name, command in commands(main)
        for option in command.params
        if isinstance(option.type, click.Choice)
        for value in option.type.choices
    ]
    assert ("client create", "auth_method", "private_key_jwt") in found
    assert ("account create", "kind", "machine") in found
    assert [entry for entry in found if isinstance(entry[2], Enum)] == []


def test_no_text_is_truncated_in_a_narrow_terminal(
    run: Any, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """Identifiers, names of settings and their values stand whole on one line, at any width."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("IDP_CONTACT_EMAIL", "a" * 120 + "@participant.example")
    shown = run("settings").stdout.splitlines()
    for item in fields(Settings):
        assert [line for line in shown if line.split()[:1] == [f"IDP_{item.name.upper()}"]]
    assert any("a" * 120 + "@participant.example" in line for line in shown)
    kids = {key["kid"] for key in json.loads(run("key", "list", "--json").stdout)}
    assert {line.split()[0] for line in run("key", "list").stdout.splitlines()[2:]} == kids
    name = world.account(
        "holder-with-a-name-of-many-characters-" + "x" * 60, email="holder@participant.example"
    )
    assert any(line.split()[0] == name for line in run("account", "list").stdout.splitlines())


def test_a_table_prints_while_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """The first rows are out before the last ones are read; a wide value later stands whole."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for number in range(common.PAGE):
            yield f"row-{number}", ["[bold]one", "two"]
        yield "next", None
        assert "\nrow-0    [bold]one\n         two\nrow-1 " in capsys.readouterr().out
        yield "w" * 300, True

    common.show_table(("name", "values"), rows(), empty="")
    assert capsys.readouterr().out == f"{'w' * 300}  yes\n"
    common.show_table(("name",), [], empty="None yet.")
    assert capsys.readouterr().out == "None yet.\n"


def test_accounts_are_listed_in_pages(world: World, run: Any) -> None:
    """By login name, after the last one that was seen; JSON is one array all the same."""
    for name in ("Carter", "adams", "baker"):
        world.account(name)
    first = json.loads(run("account", "list", "--limit", "2", "--json").stdout)
    assert [one["username"] for one in first] == ["adams", "baker"]
    rest = json.loads(run("account", "list", "--after", "BAKER", "--json").stdout)
    assert [one["username"] for one in rest] == ["Carter"]
    assert run("account", "list", "--after", "carter", "--json").stdout == "[]\n"
    assert run("account", "list", "--after", "carter").stdout == "No accounts.\n"
    assert run("account", "list", "--limit", "0").exit_code == 2
