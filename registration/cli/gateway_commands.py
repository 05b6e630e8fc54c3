"""Commands that bring registration and the gateway together."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from registration.cli.commands import main, opened

if TYPE_CHECKING:
    from registration.gateway_drift import Drift

#: Differences that are printed.
SHOWN = 50
_WHAT = {
    "missing": "not at the gateway",
    "extra": "only at the gateway",
    "open": "ended, but open at the gateway",
    "no_organization": "the organization is not at the gateway",
    "extra_organization": "the organization is only at the gateway",
}


@main.command()
@click.option("--repair", is_flag=True, help="Push what differs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def reconcile(repair: bool, as_json: bool) -> None:
    """Compare all accounts, role groups and organizations with the gateway.

    The worker does the same every night. Each difference becomes a task. What only the
    gateway has is never changed. The exit code is 1 if there are differences."""
    from registration import gateway_comparison
    from registration.transaction import Origin
    from registration_bridge.bridge_client import BridgeError

    with opened() as runtime:
        try:
            found = gateway_comparison.compare(runtime, Origin("cli"), is_repaired=repair)
        except BridgeError as error:
            raise click.ClickException(f"the gateway: {error.detail}") from error
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        for drift in found.drifts[:SHOWN]:
            click.echo(f"{drift.account:30} {drift.organization:12} {_words(drift)}".rstrip())
        if (more := len(found.drifts) - SHOWN) > 0:
            click.echo(f"and {more} more. To show all, use --json.")
        click.echo(
            f"{found.compared} compared, {found.skipped} skipped, {len(found.drifts)} differences, "
            f"{found.pushed} pushes ordered"
        )
    if found.drifts:
        raise SystemExit(1)


@main.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def restore(yes: bool, as_json: bool) -> None:
    """Push everything again, after the database was restored from a backup.

    Numbers of pushes, persons and requests continue after those that the gateway has seen. Changes
    since the backup are undone at the gateway: `registration reconcile` shows them before."""
    if not yes:
        click.confirm("Push everything that this database says, after a restore?", abort=True)
    from registration import gateway_restore
    from registration.transaction import Origin
    from registration_bridge.bridge_client import BridgeError

    with opened() as runtime:
        try:
            found = gateway_restore.restore(runtime, Origin("cli"))
        except BridgeError as error:
            raise click.ClickException(f"the gateway: {error.detail}") from error
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        click.echo(
            f"{found.organizations} organizations and {found.accounts} accounts are pushed, "
            f"{found.skipped} skipped. The first push has the number {found.first}."
        )


def _words(drift: Drift) -> str:
    parts = [_WHAT[drift.kind]] if drift.kind in _WHAT else []
    parts += [f"another {value.replace('_', ' ')}" for value in drift.values]
    for label, names in (
        ("only at the gateway", drift.only_gateway),
        ("not at the gateway", drift.only_registration),
        ("another start or end", drift.other_times),
    ):
        if names:
            parts.append(f"{label}: {', '.join(names)}")
    return "; ".join(parts)
