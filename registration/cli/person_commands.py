"""Commands about one person, with an access token: everything ends as one act, and the roles of a
colleague."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import click

from registration.cli import interface_client
from registration.cli.access_commands import as_json_option, at, plain, say
from registration.cli.commands import main

REASONS = (
    "left", "duties_changed", "affiliation_changed", "bankruptcy", "compromise", "other",
)  # fmt: skip
#: What a copy orders: its name in the answer, the changes of the draft, and where they are sent.
COPIED = (
    ("access_roles", "changes", "roles"),
    ("contact_roles", "contact_changes", "contact-roles"),
)
preview_option = click.option(
    "--preview", is_flag=True, help="Say what would happen; change nothing."
)


@main.command()
@click.argument("organization")
@click.argument("person")
@click.option("--reason", type=click.Choice(REASONS), default="left", show_default=True)
@click.option("--why", default="", help="In a few words; needed for other.")
@click.option("--successor", default="", help="Person ID of who takes over machine accounts.")
@click.option("--close-account", is_flag=True, help="Close the account of the person too.")
@preview_option
@as_json_option
def leaver(
    organization: str,
    person: str,
    reason: str,
    why: str,
    successor: str,
    close_account: bool,
    preview: bool,
    as_json: bool,
) -> None:
    """End everything that PERSON (a Person ID) has at ORGANIZATION: access roles, contact roles,
    appointments, machine accounts and requests. All or nothing. See `registration organizations`
    for the access token."""
    path = f"{at(organization)}/persons/{quote(person, safe='')}/leaver"
    body: dict[str, Any] = {"reason": reason, "why": why, "successor": successor,
                            "close_account": close_account}  # fmt: skip
    found = interface_client.post(path, body | {"preview": True})
    if found["possible"] and not preview:
        found = interface_client.post(path, body | {"version": found["version"]})
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        ends = (f"{one['kind']}: {one['id']}" for one in found["ends"])
        for line in (*ends, *found["warnings"], *found["obstacles"], *found["effects"]):
            click.echo(plain(line))
        order = found["request"]
        click.echo(f"Ordered: {order['number']}." if order else "Nothing was changed.")
    if not found["possible"]:
        raise SystemExit(1)


@main.command()
@click.argument("organization")
@click.argument("person")
@click.argument("colleague")
@click.option("--why", default="", help="The reason, for the history.")
@preview_option
@as_json_option
def copy(
    organization: str, person: str, colleague: str, why: str, preview: bool, as_json: bool
) -> None:
    """Give PERSON the access and contact roles that COLLEAGUE (Person IDs) has at ORGANIZATION.
    What cannot be copied is listed with the reason. Access roles come first; if they are refused,
    contact roles are left too. See `registration organizations` for the access token."""
    path = f"{at(organization)}/persons/{quote(person, safe='')}/copy"
    draft = interface_client.get(path, of=colleague)
    for one in draft["not_copied"]:
        click.echo(plain(f"Not copied: {one['role']}. {' '.join(one['reasons'])}"), err=True)
    found = {}
    for kind, changes, place in COPIED:
        if draft[changes]:
            body = {"changes": draft[changes], "why": why, "preview": preview}
            found[kind] = interface_client.post(f"{at(organization)}/{place}/changes", body)
            if not as_json:
                say(found[kind], is_preview=preview)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif not found:
        click.echo("There is nothing to copy.", err=True)
    if not all(one["possible"] for one in found.values()):
        raise SystemExit(1)
