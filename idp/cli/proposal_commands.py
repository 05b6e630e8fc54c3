"""``gateway client proposals``, ``confirm`` and ``withdraw``: changes that need two operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import as_json, show_json, show_record, unit_of_work
from idp.cli.operator import as_operator

if TYPE_CHECKING:
    from idp.clients.client_proposals import Outcome
    from idp.models import ClientProposal
    from idp.transaction import UnitOfWork


def register(group: click.Group) -> None:
    """Add the commands to ``gateway client``."""
    for command in (proposals, confirm, withdraw):
        group.add_command(command)


@click.command()
@as_json
def proposals(as_json: bool) -> None:
    """List the changes that need a second operator."""
    from idp.clients import client_proposals as service
    from idp.clients import proposal_contents

    with unit_of_work() as work:
        records = [
            describe(row)
            | {
                "changes": [
                    {"name": name, "now": before, "proposed": after}
                    for name, before, after in proposal_contents.changes(work, row)
                ]
            }
            for row in service.list_pending(work)
        ]
    if as_json:
        show_json(records)
        return
    for record in records:
        changes = record.pop("changes")
        show_record(record)
        for change in changes:
            click.echo(f"  {change['name']}: {change['now']} -> {change['proposed']}")
        click.echo()
    if not records:
        click.echo("No proposals.")


@click.command()
@click.argument("proposal")
@as_operator()
@as_json
def confirm(proposal: str, as_json: bool) -> None:
    """Confirm a change that another operator proposed.

    A new secret is shown only once, to the operator who confirms."""
    from idp.clients import client_proposals as service

    with unit_of_work() as work:
        record = result(work, service.confirm(work, proposal))
    show_result(record, as_json=as_json, done="{} is confirmed.")


@click.command()
@click.argument("proposal")
@as_operator()
@as_json
def withdraw(proposal: str, as_json: bool) -> None:
    """Withdraw a proposal. Nothing is changed."""
    from idp.clients import client_proposals as service

    with unit_of_work() as work:
        service.withdraw(work, proposal)
    if as_json:
        show_json({"proposal": proposal, "outcome": "withdrawn"})
    else:
        click.echo(f"{proposal} is withdrawn.")


def describe(row: ClientProposal) -> dict[str, Any]:
    """A proposal as a record for output."""
    return {
        "proposal": row.public_id,
        "kind": str(row.kind),
        "client_id": row.client_id,
        "proposed_by": row.proposer.username,
        "expires_at": row.expires_at,
    }


def result(work: UnitOfWork, outcome: Outcome) -> dict[str, Any]:
    """The result of a change as a record: the proposal, or the client with a new secret."""
    from idp.clients import client_data, client_secrets

    if outcome.client is None:
        return describe(outcome.proposal) if outcome.proposal else {}
    record = client_data.describe(outcome.client) | {"client_secret": outcome.secret or None}
    return record | {"old_secret_until": client_secrets.old_secret_expires_at(work, outcome.client)}


def show_result(record: dict[str, Any], *, as_json: bool, done: str) -> None:
    """Print the result: the secret with its warning, how to confirm a proposal, or that the change
    is done."""
    if as_json:
        show_json(record)
        return
    if "proposal" in record:
        click.echo(f"Proposed: {record['proposal']}. Nothing was changed yet.")
        click.echo(
            f"Another operator must confirm it by {record['expires_at']:%Y-%m-%d %H:%M} UTC:"
        )
        click.echo(f"gateway client confirm {record['proposal']} --as ANOTHER-OPERATOR")
        return
    client_id, until = record["client_id"], record["old_secret_until"]
    if not record["client_secret"]:
        click.echo(done.format(client_id))
        return
    click.echo(f"client_id      {client_id}")
    click.echo(
        f"client_secret  {record['client_secret']}\nSave the secret now. It is not shown again."
    )
    if until:
        click.echo(f"The previous secret works until {until:%Y-%m-%d %H:%M} UTC.")
        click.echo(f"To end it now: gateway client end-old-secret {client_id}")
