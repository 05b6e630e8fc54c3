"""``gateway audit`` and ``gateway purge``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from idp.audit import chain, trail, verification
from idp.cli.common import application, as_json, show_json, show_table, unit
from idp.maintenance import purge as purging
from idp.vault import Vault


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@click.option(
    "--key",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with an earlier IDP_SECRET_KEY that made seals; may be repeated.",
)
@as_json
def verify(key_files: tuple[Path, ...], as_json: bool) -> None:
    """Prove every record of the trail.

    Tells apart what is forged, missing, changed, not sealed yet, and sealed by a key that is not
    here. Ends with 1 when there is any fault."""
    app = application()
    keys = tuple(path.read_text(encoding="utf-8").strip() for path in key_files)
    with app.app_context():
        chain.seal_all(app.extensions["runtime"])
    with unit(app) as work:
        work.vault = Vault(replace(work.settings, audit_keys=work.settings.audit_keys + keys))
        found = verification.verify(work)
    if as_json:
        show_json(
            {
                "sealed": found.sealed,
                "unsealed": found.unsealed,
                "oldest_unsealed": found.oldest_unsealed,
                "faults": dict(found.faults),
                "fault": found.told[0] if found.told else None,
                "told": found.told,
            }
        )
    elif found.is_whole:
        click.echo(f"The chain is whole: {found.sealed} records, {found.unsealed} not sealed yet.")
    else:
        counts = ", ".join(f"{kind} {count}" for kind, count in found.faults.items())
        click.echo(f"The chain is broken: {counts}.", err=True)
        for sentence in found.told:
            click.echo(sentence, err=True)
    sys.exit(0 if found.is_whole else 1)


@audit.command()
def export() -> None:
    """Print every event as one JSON line, oldest first."""
    with unit() as work:
        for line in trail.export(work):
            click.echo(line)


@click.command()
@as_json
def purge(as_json: bool) -> None:
    """Delete what is past use: old codes, tokens, sessions, mails. Never events or accounts."""
    app = application()
    counts: dict[str, int] = {}
    for name in purging.KINDS:
        while True:
            with unit(app) as work:
                deleted = purging.purge_batch(work, name)
            counts[name] = counts.get(name, 0) + deleted
            if deleted < purging.BATCH:
                break
    if as_json:
        show_json(counts)
    else:
        show_table(("what", "deleted"), counts.items(), empty="")
