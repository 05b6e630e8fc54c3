"""The commands over the interface for programs: a table for people, JSON for programs."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from werkzeug.serving import make_server

from registration import person_search
from registration.cli import (
    access_commands,
    contact_commands,
    desk_commands,
    interface_client,
    main,
    person_commands,
)
from registration.models import Person
from tests.live import free_ports
from tests.registration.api_tokens import access_token, trust_our_key
from tests.registration.participant import RA, TRADER
from tests.registration.test_pages import Site
from tests.registration.test_pages import site as _site

site = _site
Run = Callable[..., Result]


@pytest.fixture
def run(site: Site) -> Iterator[Run]:
    """Runs a command against the application, with the Rights Administrator's token."""
    trust_our_key(site.app)
    server = make_server("127.0.0.1", free_ports(1), site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    known = {interface_client.URL: f"http://localhost:{server.port}",
             interface_client.TOKEN: access_token(RA)}  # fmt: skip

    def command(*words: str, **more: str | None) -> Result:
        return CliRunner(env=known | more).invoke(main, list(words))

    yield command
    server.shutdown()
    thread.join()
    server.server_close()


#: Each command in turn, and what it prints.
COMMANDS = [
    ("organizations", r"^ID      NAME            OFFICES\n109120  Northern Lakes  ra\n$"),
    ("find 109120 --last-name mor", rf"^ID .*\n{TRADER}  Moreau     Ada\n$"),
    (f"grant 109120 {TRADER} bids view --preview",
     r"(?s)1 session ends\..*Nothing was changed\.\n$"),
    (f"grant 109120 {TRADER} bids view --why Desk --attested",
     r"(?s)within seconds.*Ordered: R0000001\.\n$"),
    (f"grant 109120 {TRADER} bids", r"^There is nothing to change\.\n$"),
    ("grid 109120", rf"(?m)^{TRADER}  Moreau, Ada +moreau +bids, view$"),
    ("grid 109120 --role view --search ada", rf"^ID .*\n{TRADER} .*\n$"),
    ("grid 109120 --machine", r"^ID  NAME  USER NAME  ROLES\n$"),
    ("contact-roles 109120 --role none", r"^ROLE  MIN  EXISTING  MAX  ID  HELD BY  PHONE\n$"),
    (f"revoke 109120 {TRADER} bids", r"Ordered: R0000002\.\n$"),
    (f"copy 109120 {RA} {TRADER} --preview", r"(?s)within seconds.*Nothing was changed\.\n$"),
    (f"copy 109120 {RA} {TRADER} --why Same", r"(?s)within seconds.*Ordered: R0000003\.\n$"),
    (f"copy 109120 {RA} {TRADER}", r"^Not copied: view\. .*\nThere is nothing to copy\.\n$"),
    (f"leaver 109120 {TRADER} --preview", r"(?s)^access_role: view\n.*Nothing was changed\.\n$"),
    (f"leaver 109120 {TRADER} --why Gone", r"(?s)^access_role: view\n.*Ordered: R0000004\.\n$"),
    ("history list 109120 --action access.granted",
     r"(?m)^2026-11-27T12:00:00  Marie Tremblay  access\.granted  Ada Moreau +Desk$"),
]  # fmt: skip


#: The same, with the token of somebody of the IESO.
OF_THE_DESK = [
    ("register-organization Prairie --number 109888 --preview",
     "Prairie: 109888\nNothing was changed.\n"),
    ("register-organization Prairie --number 109888", "Prairie: 109888\nOrdered: R0000001.\n"),
]  # fmt: skip


#: Whose commands are tried.
MODULES = {one.__name__ for one in (access_commands, contact_commands, desk_commands,
                                        person_commands)}  # fmt: skip


def names(group: click.Group, path: str = "") -> Iterator[str]:
    """The commands of this module, by what is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from names(command, f"{path}{name} ")
        elif command and command.callback.__module__ in MODULES:
            yield path + name


def test_ar01_every_command_prints_its_text(site: Site, run: Run) -> None:
    """AR-01, AR-04: each to its end; a new command joins a list."""
    for words, wanted in COMMANDS:
        done = run(*words.split())
        assert done.exit_code == 0, done.output
        assert re.search(wanted, done.output), (words, done.output)
    assert site.held() == {"view"}
    every = set(names(main))
    tried = (words for words, _ in (*COMMANDS, *OF_THE_DESK))
    assert every == {
        next(name for name in every if f"{words} ".startswith(f"{name} ")) for words in tried
    }


def test_tm02_the_desk_registers_an_organization(site: Site, run: Run) -> None:
    """TM-02: with a token that names the role group of the IESO; for others it is not there."""
    token = access_token(TRADER, groups=[site.runtime.settings.operator_group])
    for words, wanted in OF_THE_DESK:
        done = run(*words.split(), REGISTRATION_ACCESS_TOKEN=token)
        assert (done.exit_code, done.output) == (0, wanted)
    again = run("register-organization", "PRAIRIE", REGISTRATION_ACCESS_TOKEN=token)
    assert again.exit_code == 1
    assert again.output == "refused: The organization Prairie (109888) is registered already.\n"
    assert "There is no such thing" in run("register-organization", "Prairie2").output


def test_programs_get_json(run: Run) -> None:
    """--json: what the interface answers, of all pages."""
    assert json.loads(run("organizations", "--json").output)[0]["id"] == "109120"
    tried = json.loads(run("grant", "109120", TRADER, "bids", "--preview", "--json").output)
    assert (tried["possible"], tried["request"]) == (True, None)
    done = json.loads(run("grant", "109120", TRADER, "bids", "--json").output)
    assert done["request"]["number"] == "R0000001"
    (row,) = json.loads(run("grid", "109120", "--role", "bids", "--json").output)
    assert row["versions"] == {"bids": 1}
    (entry,) = json.loads(run("history", "list", "109120", "--json").output)
    assert entry["action"] == "access.granted"


def test_whoever_lost_every_role_can_be_given_one_again(site: Site, run: Run) -> None:
    """He belongs to the organization no more; the versions of his cells are found all the same."""
    for action in ("grant", "revoke", "grant"):
        done = run(action, "109120", TRADER, "bids")
        assert done.exit_code == 0, done.output
    assert site.held() == {"bids"}


def test_rg04_a_search_without_values_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """RG-04: at least one field; too many results are said to be so."""
    refused = run("find", "109120")
    assert refused.output == "refused: This value cannot be read: last_name.\n"
    monkeypatch.setattr(person_search, "MOST", 1)
    # Tremblay and Moreau.
    assert "There are more." in run("find", "109120", "--last-name", "re").output


def test_all_pages_of_a_list_are_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_commands, "ROWS", "1")
    assert run("grant", "109120", TRADER, "bids").exit_code == 0
    assert len(json.loads(run("grid", "109120", "--json").output)) == 2


def test_tm01_a_refusal_says_why_and_who_can(site: Site, run: Run) -> None:
    """TM-01: exit code 1, and the sentences of the page."""
    refused = run("grant", "109120", TRADER, "bids", "auction")
    assert refused.exit_code == 1
    assert refused.output.startswith("refused: The changes cannot be made as a whole.\n")
    assert f"{TRADER} auction: This role belongs to a participation that is not" in refused.output
    tried = run("grant", "109120", TRADER, "auction", "--preview")
    assert tried.exit_code == 1
    assert tried.output.endswith("Nothing was changed.\n")
    assert run("grid", "109131").output == (
        "refused: There is no such thing, or you may not see it.\n"
    )
    old = access_token(RA, acr="urn:ieso:acr:password")
    weak = run("grant", "109120", TRADER, "bids", REGISTRATION_ACCESS_TOKEN=old)
    assert weak.output == (
        "refused: Sign in again with extra verification.\n"
        "acr_values=urn:ieso:acr:mfa phr max_age=900\n"
    )
    assert site.held() == set()


def test_the_token_comes_from_the_environment_or_a_file(run: Run, tmp_path: Path) -> None:
    """Never from the command line, which others on the machine can read."""
    path = tmp_path / "token"
    path.write_text(access_token(RA) + "\n")
    from_file = {"REGISTRATION_ACCESS_TOKEN": None, "REGISTRATION_ACCESS_TOKEN_FILE": str(path)}
    assert run("organizations", **from_file).exit_code == 0
    path.write_text("")
    for environ, said in (
        (from_file, "REGISTRATION_ACCESS_TOKEN or REGISTRATION_ACCESS_TOKEN_FILE must have an "
                    "access token"),
        (from_file | {"REGISTRATION_ACCESS_TOKEN_FILE": str(tmp_path / "no")},
         "REGISTRATION_ACCESS_TOKEN_FILE cannot be read"),
        ({"REGISTRATION_ACCESS_TOKEN": "a\nb"}, "REGISTRATION_ACCESS_TOKEN is no access token"),
        ({"REGISTRATION_URL": "http://registration.example.com"}, "REGISTRATION_URL must be https"),
    ):  # fmt: skip
        done = run("organizations", **environ)
        assert (done.exit_code, done.output) == (2, f"configuration: {said}\n")


def test_a_wrong_address_is_named(run: Run) -> None:
    nobody = f"http://localhost:{free_ports(1)}"
    done = run("organizations", REGISTRATION_URL=nobody)
    assert (done.exit_code, done.output) == (
        1, f"refused: {nobody} gives no answer of registration.\n",
    )  # fmt: skip


def test_a_name_does_not_steer_the_terminal(site: Site, run: Run) -> None:
    with site.runtime.work() as work:
        work.db.execute(update(Person).where(Person.person_id == RA).values(last_name="\x1b[2Jx"))
    shown: Any = run("grid", "109120").output
    assert "\x1b" not in shown
    assert "?[2Jx" in shown
