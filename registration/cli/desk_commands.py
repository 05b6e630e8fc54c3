"""The command of the IESO's desk, with an access token: an organization is registered."""

from __future__ import annotations

import json

import click

from registration.cli import interface_client
from registration.cli.access_commands import as_json_option, plain
from registration.cli.commands import main
from registration.cli.person_commands import preview_option


@main.command()
@click.argument("name")
@click.option("--number", default="", help="The Organization ID; without it, the next free one.")
@preview_option
@as_json_option
def register_organization(name: str, number: str, preview: bool, as_json: bool) -> None:
    """Register the organization NAME, before it applies for a participation. Only the IESO can.
    See `registration organizations` for the access token."""
    body = {"name": name, "number": number, "preview": preview}
    found = interface_client.post("/organizations", body)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    row, order = found["organization"], found["request"]
    click.echo(plain(f"{row['name']}: {row['id']}"))
    click.echo(f"Ordered: {order['number']}." if order else "Nothing was changed.")
