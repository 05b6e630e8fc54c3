"""``gateway doctor``: whether the installation can do its work."""

from __future__ import annotations

import os
import sys

import click

from idp.cli.common import as_json, show_json


@click.command()
@as_json
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; can be repeated.")
def doctor(as_json: bool, only: tuple[str, ...]) -> None:
    """Check settings, database, keys, clocks, mail, TLS and the public address.

    Says what to do for each fault. Changes nothing and sends no message. Run it where the gateway
    runs, with its settings; it asks the public address as people do. The exit code is 1 if there is
    a fault; warnings do not change it. Each check takes 15 seconds at most."""
    from idp import foundation
    from idp.doctor import checkup
    from idp.settings import Settings

    if unknown := set(only) - checkup.CHECKS.keys():
        raise click.UsageError(
            f"No such check: {', '.join(sorted(unknown))}. There are: {', '.join(checkup.CHECKS)}."
        )
    settings = Settings.from_environ(os.environ)
    base = foundation.connect(settings)
    click.get_current_context().call_on_close(base.close)
    chosen = {name: check for name, check in checkup.CHECKS.items() if not only or name in only}
    is_watched = sys.stderr.isatty() and not as_json

    def begins(name: str) -> None:
        if is_watched:
            click.echo(f"checking {name} ...\r", err=True, nl=False)

    results = []
    installation = checkup.Installation(settings, os.environ, base.runtime)
    for name, finding in checkup.run(installation, checks=chosen, begins=begins):
        results.append((name, finding))
        if not as_json:
            # Wider than what is written before it.
            click.echo(f"{finding.level:8} {name:15} {finding.text}".ljust(40).rstrip())
            if finding.advice:
                click.echo(f"{'':24} {finding.advice}")
    if as_json:
        show_json(
            [
                {"check": name, "level": str(one.level), "text": one.text, "advice": one.advice}
                for name, one in results
            ]
        )
    if any(one.level is checkup.Level.FAULT for _, one in results):
        sys.exit(1)
