"""``gateway audit`` and ``gateway purge``."""

from __future__ import annotations

import sys

import click

from idp.accounts import purge as purging
from idp.accounts import trail
from idp.cli.common import application, as_json, show_json, show_table, unit


@click.group()
def audit() -> None:
    """The audit trail."""


@audit.command()
@as_json
def verify(as_json: bool) -> None:
    """Prove that no sealed record was changed, removed or moved."""
    app = application()
    with app.app_context():
        trail.seal_all(app.extensions["means"])
    with unit(app) as work:
        proof = trail.verify(work)
    if as_json:
        show_json({"sealed": proof.sealed, "unsealed": proof.unsealed, "fault": proof.fault})
    elif proof.fault is None:
        click.echo(f"The chain is whole: {proof.sealed} records, {proof.unsealed} not sealed yet.")
    else:
        click.echo(f"The chain is broken: {proof.fault}", err=True)
    sys.exit(0 if proof.fault is None else 1)


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
