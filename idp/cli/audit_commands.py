"""``gateway audit`` and ``gateway purge``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from idp.cli.common import as_json, connect, show_json, show_table, unit_of_work


@click.group()
def audit() -> None:
    """Audit log."""


@audit.command()
@click.option(
    "--key",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a previous IDP_SECRET_KEY that sealed records. Repeat for several.",
)
@as_json
def verify(key_files: tuple[Path, ...], as_json: bool) -> None:
    """Verify the integrity of the audit log.

    Reports records that are forged, missing, changed, not sealed yet, or sealed with an unknown
    key, and records the result, which raises the alert of a broken audit log. The exit code is 1 if
    there are faults."""
    from idp.audit import chain, verification
    from idp.vault import Vault

    runtime = connect().runtime
    keys = tuple(path.read_text(encoding="utf-8").strip() for path in key_files)
    with runtime.one_session():
        chain.seal_all(runtime)
    with unit_of_work(runtime) as work:
        work.vault = Vault(replace(work.settings, audit_keys=work.settings.audit_keys + keys))
        found = verification.verify(work)
        verification.record(work, found)
    if as_json:
        show_json(
            {
                "sealed": found.sealed,
                "unsealed": found.unsealed,
                "oldest_unsealed": found.oldest_unsealed,
                "faults": dict(found.faults),
                "fault": found.descriptions[0] if found.descriptions else None,
                "descriptions": found.descriptions,
            }
        )
    elif found.is_intact:
        click.echo(
            f"Integrity check passed: {found.sealed} records, {found.unsealed} not sealed yet."
        )
    else:
        counts = ", ".join(f"{kind} {count}" for kind, count in found.faults.items())
        click.echo(f"Integrity check failed: {counts}.", err=True)
        for sentence in found.descriptions:
            click.echo(sentence, err=True)
    sys.exit(0 if found.is_intact else 1)


@audit.command()
def export() -> None:
    """Print all events as JSON lines, oldest first."""
    from idp.audit import trail

    with unit_of_work() as work:
        for line in trail.export(work):
            click.echo(line)


@click.command()
@as_json
def purge(as_json: bool) -> None:
    """Delete expired codes, tokens, sessions and messages. Events and accounts are kept."""
    from idp.maintenance import purge as purging

    runtime = connect().runtime
    counts: dict[str, int] = {}
    for name in purging.KINDS:
        while True:
            with unit_of_work(runtime) as work:
                deleted = purging.purge_batch(work, name)
            counts[name] = counts.get(name, 0) + deleted
            if deleted < purging.BATCH:
                break
    if as_json:
        show_json(counts)
    else:
        show_table(("what", "deleted"), counts.items(), empty="")
