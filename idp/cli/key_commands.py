"""``gateway key``: manage signing keys."""

from __future__ import annotations

from dataclasses import asdict

import click

from idp.cli import file_progress
from idp.cli.common import (
    as_json,
    choice,
    connect,
    show_json,
    show_list,
    show_table,
    unit_of_work,
)
from idp.cli.operator import as_operator
from idp.policy.registered_values import SIGNING_ALGS


@click.group()
def key() -> None:
    """Signing keys, and the encryption of stored values."""


@key.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List all keys, newest first."""
    from idp.grants import signing_keys

    columns = ("kid", "alg", "state", "created_at", "activated_at", "retired_at")
    with unit_of_work() as work:
        records = ({c: getattr(row, c) for c in columns} for row in signing_keys.every_key(work))
        show_list(columns, records, as_json=as_json, empty="No keys: run `gateway db upgrade`.")


@key.command()
@click.option("--alg", type=choice(SIGNING_ALGS), default="RS256", show_default=True)
@click.option(
    "--force", is_flag=True, help="Rotate even if relying parties may not have the next key yet."
)
@as_operator()
@as_json
def rotate(alg: str, force: bool, as_json: bool) -> None:
    """Start signing with the next key and publish a new next key."""
    from idp.grants import signing_keys

    with unit_of_work() as work:
        active = signing_keys.rotate(work, alg, force=force)
        record = {"alg": alg, "active": active.kid}
    show_json(record) if as_json else click.echo(
        f"{alg} tokens are now signed with {record['active']}"
    )


# A kid is a thumbprint (RFC 7638), and one in 64 starts with a dash, like an option.
@key.command(context_settings={"ignore_unknown_options": True})
@click.argument("kid")
@as_operator()
@as_json
def revoke(kid: str, as_json: bool) -> None:
    """Revoke a compromised key. Tokens signed with it are no longer valid."""
    from idp.grants import signing_keys

    with unit_of_work() as work:
        signing_keys.revoke(work, kid)
    show_json({"kid": kid, "state": "revoked"}) if as_json else click.echo(f"{kid} is revoked")


@key.command()
@click.option("--dry-run", is_flag=True, help="Count the values, and change nothing.")
@as_operator()
@as_json
def reencrypt(dry_run: bool, as_json: bool) -> None:
    """Encrypt stored values again with the first of IDP_KEY_ENCRYPTION_KEYS.

    Afterwards nothing in the database needs the other keys of the list. Run it when every host has
    the new key at the front. An interrupted run can be repeated. Values that no key of the list
    opens stay as they are, and the exit code is 1."""
    from idp.maintenance import reencryption

    runtime = connect().runtime
    with unit_of_work(runtime) as work:
        total = reencryption.number_of_rows(work)
    with file_progress.shown(total, "Encrypting", "rows") as show:
        found = reencryption.encrypt(
            lambda: unit_of_work(runtime),
            lambda rows: show(file_progress.Progress(rows, rows)),
            dry_run=dry_run,
        )
    if as_json:
        show_json({"dry_run": dry_run, "tables": [asdict(one) for one in found]})
    else:
        columns = ("table", "values", "former", "unreadable")
        rows = ([getattr(one, column) for column in columns] for one in found)
        show_table(("table", "values", "of a former key", "unreadable"), rows, empty="")
        former = sum(one.former for one in found)
        click.echo(
            f"Dry run: {former} values would be encrypted again."
            if dry_run
            else f"{former} values are encrypted again."
        )
    if any(one.unreadable for one in found):
        raise SystemExit(1)
