"""``gateway registration``: the mass-change circuit breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.cli.common import as_json, show_json, unit_of_work
from idp.cli.operator import as_operator

if TYPE_CHECKING:
    from idp.directory.mass_change_breaker import BreakerStatus


@click.group()
def registration() -> None:
    """Mass-change circuit breaker of registration."""


@registration.command()
@as_json
def status(as_json: bool) -> None:
    """Show how many accounts were suspended or deactivated in the last hour.

    The exit code is 1 if the circuit breaker has stopped registration."""
    from idp.directory import mass_change_breaker

    with unit_of_work() as work:
        found = mass_change_breaker.status(work)
    _show(found, as_json=as_json)
    if found.is_tripped:
        raise SystemExit(1)


@registration.command()
@click.option("--reason", required=True, help="Reason. Recorded in the audit log.")
@as_operator()
@as_json
def confirm(reason: str, as_json: bool) -> None:
    """Reset the circuit breaker after review, so that registration can continue."""
    from idp.directory import mass_change_breaker

    with unit_of_work() as work:
        mass_change_breaker.confirm(work, reason)
        found = mass_change_breaker.status(work)
    _show(found, as_json=as_json)


def _show(found: BreakerStatus, *, as_json: bool) -> None:
    if as_json:
        show_json({"taken": found.changed, "bound": found.limit, "stopped": found.is_tripped})
        return
    word = "stopped" if found.is_tripped else "open"
    click.echo(f"{word}: {found.changed} of {found.limit} accounts in the last hour")
