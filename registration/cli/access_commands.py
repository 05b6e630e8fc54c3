"""Commands for people and programs with an access token: organizations, roles and history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import click

from registration.cli import interface_client
from registration.cli.commands import history, main

#: How often a role was changed by now is read from pages of so many rows.
ROWS = "500"
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
machine_option = click.option(
    "--machine", "is_machine", is_flag=True, help="Machine accounts, not people."
)


@main.command()
@as_json_option
def organizations(as_json: bool) -> None:
    """List your organizations and offices.

    It needs an access token of the gateway in REGISTRATION_ACCESS_TOKEN, or in the file
    REGISTRATION_ACCESS_TOKEN_FILE. REGISTRATION_URL is the address of registration."""
    found = [
        one for page in interface_client.pages("/organizations") for one in page["organizations"]
    ]
    rows = ([one["id"], one["name"], ", ".join(one["offices"])] for one in found)
    show(found, ("ID", "NAME", "OFFICES"), rows, as_json=as_json)


@main.command()
@click.argument("organization")
@machine_option
@click.option("--search", default="", help="Part of the name, user name or id.")
@click.option("--role", default="", help="Only holders of this role (code).")
@click.option("--at", default="", help="A past day, such as 2026-11-27.")
@as_json_option
def grid(
    organization: str, is_machine: bool, search: str, role: str, at: str, as_json: bool
) -> None:
    """List people or machines of ORGANIZATION and their access roles. See `registration
    organizations` for the access token."""
    found = _rows(organization, is_machine=is_machine, q=search, role=role, at=at)
    rows = (
        [one["id"], one["name"], one["username"], ", ".join(held["role"] for held in one["holds"])]
        for one in found
    )
    show(found, ("ID", "NAME", "USER NAME", "ROLES"), rows, as_json=as_json)


@main.command()
@click.argument("organization")
@click.option("--person-id", default="", help="The Person ID.")
@click.option("--last-name", default="", help="Part of it.")
@click.option("--first-name", default="", help="Part of the first, middle or preferred name.")
@as_json_option
def find(organization: str, person_id: str, last_name: str, first_name: str, as_json: bool) -> None:
    """Find a person to whom ORGANIZATION can grant roles, among all who are registered.

    Give one option at least; names have two letters at least. See `registration organizations` for
    the access token."""
    query = {"person_id": person_id, "last_name": last_name, "first_name": first_name}
    answer = interface_client.get(f"{at(organization)}/persons", **query)
    found = answer["persons"]
    rows = (
        [one["id"], one["last_name"], one["first_name"], one["middle_name"], one["preferred_name"]]
        for one in found
    )
    heads = ("ID", "LAST NAME", "FIRST NAME", "MIDDLE NAME", "PREFERRED NAME")
    show(found, heads, rows, as_json=as_json)
    if answer["has_more"]:
        click.echo("There are more. Give more letters.", err=True)


def change_options(command: Any) -> Any:
    """The arguments and options that grant and revoke share."""
    for option in reversed(
        (
            click.argument("organization"),
            click.argument("account"),
            click.argument("roles", nargs=-1, required=True),
            machine_option,
            click.option("--why", default="", help="The reason, for the history."),
            click.option("--preview", is_flag=True, help="Say what would happen; change nothing."),
            as_json_option,
        )
    ):
        command = option(command)
    return command


@main.command()
@change_options
@click.option(
    "--attested", is_flag=True, help="To your knowledge, these people are who they say they are."
)
def grant(
    organization: str,
    account: str,
    roles: tuple[str, ...],
    is_machine: bool,
    why: str,
    preview: bool,
    as_json: bool,
    attested: bool,
) -> None:
    """Grant access ROLES (codes) at ORGANIZATION to ACCOUNT, a Person ID or the user name of a
    machine. All or none."""
    body = _body(organization, account, roles, action="grant", is_machine=is_machine)
    options = {"why": why, "preview": preview, "attested": attested}
    change(organization, body | options, as_json=as_json)


@main.command()
@change_options
def revoke(
    organization: str,
    account: str,
    roles: tuple[str, ...],
    is_machine: bool,
    why: str,
    preview: bool,
    as_json: bool,
) -> None:
    """Revoke access ROLES (codes) at ORGANIZATION from ACCOUNT, a Person ID or the user name of a
    machine. All or none."""
    body = _body(organization, account, roles, action="revoke", is_machine=is_machine)
    change(organization, body | {"why": why, "preview": preview}, as_json=as_json)


@history.command("list")
@click.argument("organization")
@click.option("--action", default="", help="Such as access.granted.")
@click.option("--person", default="", help="The Person ID of whom it concerns.")
@click.option("--since", default="", help="First day, such as 2026-11-27.")
@click.option("--until", default="", help="Last day.")
@as_json_option
def list_history(
    organization: str, action: str, person: str, since: str, until: str, as_json: bool
) -> None:
    """List the history of ORGANIZATION, newest first. See `registration organizations` for the
    access token."""
    query = {"action": action, "person": person, "since": since, "until": until}
    pages = interface_client.pages(f"{at(organization)}/history", **query)
    found = [one for page in pages for one in page["entries"]]
    rows = (
        [one["at"][:19], one["actor_name"], one["action"], one["person_name"], one["reason"]]
        for one in found
    )
    show(found, ("TIME (UTC)", "BY", "ACTION", "PERSON", "REASON"), rows, as_json=as_json)


def _rows(organization: str, *, is_machine: bool, **query: str) -> list[dict[str, Any]]:
    kind = "machine" if is_machine else "person"
    pages = interface_client.pages(f"{at(organization)}/roles", kind=kind, limit=ROWS, **query)
    return [one for page in pages for one in page["rows"]]


def _body(
    organization: str, account: str, roles: Sequence[str], *, action: str, is_machine: bool
) -> dict[str, Any]:
    """The changes, each with the version of now; somebody who is not listed has none."""
    listed = _rows(organization, is_machine=is_machine, id=account)
    versions: dict[str, int] = next((one["versions"] for one in listed), {})
    kind = "machine" if is_machine else "person"
    return {
        "changes": [
            {"action": action, "kind": kind, "id": account, "role": role,
             "version": versions.get(role, 0)}
            for role in roles
        ]
    }  # fmt: skip


def change(organization: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Send these changes, and print what comes of them."""
    found = interface_client.post(f"{at(organization)}/roles/changes", body)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        say(found, is_preview=body["preview"])
    if not found["possible"]:
        raise SystemExit(1)


def say(found: dict[str, Any], *, is_preview: bool) -> None:
    """What comes of changes of access or contact roles, for people."""
    remarks = [one for change in found["changes"] for one in change.get("remarks", [])]
    lines = (*remarks, *found["obstacles"], *found.get("reminders", []), *found["effects"])
    for line in lines:
        click.echo(plain(line))
    click.echo(_result(found, is_preview=is_preview))


def _result(found: dict[str, Any], *, is_preview: bool) -> str:
    if is_preview:
        return "Nothing was changed."
    order = found["request"]
    return f"Ordered: {order['number']}." if order else "There is nothing to change."


def at(organization: str) -> str:
    """The address of the organization."""
    return f"/organizations/{quote(organization, safe='')}"


def show(
    found: list[dict[str, Any]],
    heads: tuple[str, ...],
    rows: Iterable[list[str]],
    *,
    as_json: bool,
) -> None:
    """A table for people, or the records for programs."""
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    lines = [list(heads), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def plain(text: str) -> str:
    """The text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
