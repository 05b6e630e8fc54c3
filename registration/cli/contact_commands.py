"""The command of contact roles, with an access token."""

from __future__ import annotations

import click

from registration.cli import interface_client
from registration.cli.access_commands import as_json_option, at, show
from registration.cli.commands import main


@main.command()
@click.argument("organization")
@click.option("--person", default="", help="Only what this person (Person ID) holds.")
@click.option("--role", default="", help="Only this role (code).")
@click.option("--at", "day", default="", help="A past day, such as 2026-11-27.")
@as_json_option
def contact_roles(organization: str, person: str, role: str, day: str, as_json: bool) -> None:
    """List the contact roles of ORGANIZATION: how many people or sections must hold each, do, and
    may, and who they are. See `registration organizations` for the access token."""
    query = {"person": person, "role": role, "at": day}
    found = interface_client.get(f"{at(organization)}/contact-roles", **query)["roles"]
    rows = (
        [one["code"], str(one["minimum"]), str(one["existing"]), _maximum(one["maximum"]),
         who.get("id", ""), who.get("name", ""), who.get("phone", "")]
        for one in found
        for who in one["holders"] or [{}]
    )  # fmt: skip
    heads = ("ROLE", "MIN", "EXISTING", "MAX", "ID", "HELD BY", "PHONE")
    show(found, heads, rows, as_json=as_json)


def _maximum(number: int | None) -> str:
    return "-" if number is None else str(number)
