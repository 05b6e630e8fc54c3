"""``gateway account`` for machine accounts: networks, keys, custodian, diagnosis."""

from __future__ import annotations

from pathlib import Path

import click

from idp.cli import operator
from idp.cli.common import (
    as_json,
    show_json,
    show_list,
    show_table,
    unit_of_work,
)
from idp.directory.directory_refusals import PersonNotFound
from idp.policy.registered_values import DEFAULT_KEY_DAYS


@click.command()
@click.argument("username")
@click.option(
    "--network",
    "wanted",
    multiple=True,
    metavar="CIDR[=LABEL]",
    help="Allowed network. Repeat for several. Replaces the current list.",
)
@operator.as_operator()
@as_json
def networks(username: str, wanted: tuple[str, ...], as_json: bool) -> None:
    """Show or set the networks of a machine account."""
    from idp.directory import accounts
    from idp.machines import registered_networks

    with unit_of_work() as work:
        row = accounts.by_username(work, username)
        if wanted:
            pairs = (entry.partition("=") for entry in wanted)
            registered_networks.replace(
                work, row, [(network, label) for network, _, label in pairs]
            )
            work.db.flush()
        records = [
            {"network": one.network, "label": one.label, "last_used_at": one.last_used_at}
            for one in registered_networks.of(work, row)
        ]
    columns = ("network", "label", "last_used_at")
    show_list(columns, records, as_json=as_json, empty="No networks.")


@click.command()
@click.argument("username")
@click.option(
    "--add",
    "added",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key file (PEM or JWK) to register.",
)
@click.option("--label", default="", help="Name of the new key.")
@click.option("--days", default=DEFAULT_KEY_DAYS, show_default=True, help="Validity in days.")
@click.option("--remove", "removed", help="Key ID (kid) of a key to remove.")
@operator.as_operator()
@as_json
def keys(
    username: str, added: Path | None, label: str, days: int, removed: str | None, as_json: bool
) -> None:
    """Show, register or remove keys of a machine account."""
    from idp.directory import accounts
    from idp.machines import machine_keys

    with unit_of_work() as work:
        row = accounts.by_username(work, username)
        if added is not None:
            machine_keys.add(work, row, added.read_text(), label=label, days=days)
        if removed is not None:
            machine_keys.revoke(work, row, removed)
        work.db.flush()
        columns = ("kid", "label", "expires_at", "last_used_at")
        records = [
            {name: getattr(one, name) for name in columns} for one in machine_keys.of(work, row)
        ]
    show_list(columns, records, as_json=as_json, empty="No keys.")


@click.command()
@click.argument("username")
@click.option("--person-id", required=True, help="Person ID of the new custodian.")
@operator.as_operator()
def custodian(username: str, person_id: str) -> None:
    """Change the custodian of a machine account; its password and verification methods end."""
    from idp.directory import accounts, persons
    from idp.machines import machine_accounts

    with unit_of_work() as work:
        row, holder = accounts.by_username(work, username), persons.by_person_id(work, person_id)
        if holder is None:
            raise PersonNotFound(person_id)
        machine_accounts.change_custodian(work, row, holder)
        state = row.state
    click.echo(f"{person_id} is now the custodian of {username}. State: {state}.")


@click.command()
@click.argument("username")
@click.option("--from", "ip", required=True, help="IP address of the program.")
@click.option("--service", default="", help="Client ID of the application.")
@as_json
def diagnose(username: str, ip: str, service: str, as_json: bool) -> None:
    """Show which checks a program with this UserID fails. The exit code is 1 if any fail."""
    from idp.clients import registry
    from idp.directory import accounts
    from idp.machines import machine_diagnosis

    with unit_of_work() as work:
        row = accounts.by_username(work, username)
        client = registry.get(work, service) if service else None
        checks = machine_diagnosis.diagnose(work, row, ip, client)
    if as_json:
        show_json([{"check": c.name, "met": c.is_met, "detail": c.detail} for c in checks])
    else:
        show_table(
            ("check", "met", "detail"),
            ((c.name, "yes" if c.is_met else "NO", c.detail) for c in checks),
            empty="",
        )
    if not all(check.is_met for check in checks):
        raise SystemExit(1)
