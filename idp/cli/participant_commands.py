"""``gateway participant``: market participants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from idp.cli.cli_refusals import NotAContact, NotAParticipation
from idp.cli.common import as_json, choice, show_json, show_list, unit_of_work
from idp.cli.operator import as_operator
from idp.policy.registered_values import ContactFunction, ParticipationKind

if TYPE_CHECKING:
    from idp.models import Participant
    from idp.transaction import UnitOfWork

_function = click.option(
    "--function",
    type=choice(ContactFunction),
    default="rights_administrator",
    help="Function of the person for the participant.",
)
COLUMNS = ("number", "name", "status", "participations")


@click.group()
def participant() -> None:
    """Market participants."""


@participant.command()
@click.argument("number")
@click.argument("name")
@as_operator()
@as_json
def create(number: str, name: str, as_json: bool) -> None:
    """Register a participant. The number IESO is the operator of the gateway."""
    from idp.directory import participants

    with unit_of_work() as work:
        record = _record(work, participants.register(work, number, name))
    show_json(record) if as_json else click.echo(f"{number} is registered: {record['name']}.")


@participant.command("list")
@as_json
def list_participants(as_json: bool) -> None:
    """List all participants."""
    from idp.directory import participants

    with unit_of_work() as work:
        records = (one for rows in participants.stream_pages(work) for one in _records(work, rows))
        show_list(COLUMNS, records, as_json=as_json, empty="No participants.")


@participant.command()
@click.argument("number")
@click.argument("name")
@as_operator()
@as_json
def rename(number: str, name: str, as_json: bool) -> None:
    """Rename a participant. New tokens contain the new name."""
    from idp.directory import participants

    with unit_of_work() as work:
        row = participants.by_number(work, number)
        changed = participants.rename(work, row, name)
        record = _record(work, row) | {"changed": changed}
    note = "" if changed else " (no change)"
    show_json(record) if as_json else click.echo(f"{number} is {record['name']}{note}")


@participant.command()
@click.argument("number")
@as_operator()
@as_json
def end(number: str, as_json: bool) -> None:
    """End a participant and revoke all its role group assignments."""
    from idp.directory import participants

    with unit_of_work() as work:
        row = participants.by_number(work, number)
        count = participants.end(work, row)
        record = _record(work, row) | {"assignments_ended": count}
    show_json(record) if as_json else click.echo(
        f"{number} has ended. {count} assignments were revoked."
    )


@participant.command()
@click.argument("number")
@as_operator()
@as_json
def restore(number: str, as_json: bool) -> None:
    """Restore a participant. Revoked role groups are not restored."""
    from idp.directory import participants

    with unit_of_work() as work:
        row = participants.by_number(work, number)
        changed = participants.restore(work, row)
        record = _record(work, row) | {"changed": changed}
    note = "" if changed else " (no change)"
    show_json(record) if as_json else click.echo(f"{number} is active{note}")


@participant.command()
@click.argument("number")
@click.argument("participation")
@click.option("--kind", type=choice(ParticipationKind), default="market")
@as_operator()
@as_json
def enter(number: str, participation: str, kind: str, as_json: bool) -> None:
    """Add a participation in a market, program or service."""
    from idp.directory import participants, participations
    from idp.directory.participations import ParticipationRef

    with unit_of_work() as work:
        row = participants.lock_by_number(work, number)
        rest = [
            part
            for part in participations.list_participations(work, row)
            if part.name != participation
        ]
        participations.replace(work, row, [*rest, ParticipationRef(participation, kind)])
        record = _record(work, row)
    show_json(record) if as_json else click.echo(f"{number} participates in {participation}.")


@participant.command()
@click.argument("number")
@click.argument("participation")
@as_operator()
@as_json
def leave(number: str, participation: str, as_json: bool) -> None:
    """End a participation and revoke the role groups that require it."""
    from idp.directory import participants, participations

    with unit_of_work() as work:
        row = participants.lock_by_number(work, number)
        parts = participations.list_participations(work, row)
        rest = [part for part in parts if part.name != participation]
        if len(rest) == len(parts):
            raise NotAParticipation(number, participation)
        participations.replace(work, row, rest)
        record = _record(work, row)
    show_json(record) if as_json else click.echo(
        f"{number} no longer participates in {participation}."
    )


@participant.command()
@click.argument("number")
@as_json
def contacts(number: str, as_json: bool) -> None:
    """List the contacts of a participant."""
    from idp.directory import contacts as service
    from idp.directory import participants

    with unit_of_work() as work:
        records = [
            {
                "person_id": row.person.person_id,
                "name": row.person.full_name,
                "email": row.person.email,
                "function": row.function,
            }
            for row in service.list_contacts(work, participants.by_number(work, number))
        ]
        columns = ("person_id", "name", "email", "function")
        show_list(columns, records, as_json=as_json, empty="No contacts.")


@participant.command()
@click.argument("number")
@click.argument("person_id")
@_function
@as_operator()
def appoint(number: str, person_id: str, function: str) -> None:
    """Appoint an account holder as a contact of a participant."""
    from idp.directory import contacts as service
    from idp.directory import participants
    from idp.directory.contacts import ContactRef

    with unit_of_work() as work:
        row = participants.lock_by_number(work, number)
        known = service.to_entries(service.list_contacts(work, row))
        service.replace(work, row, [*known, ContactRef(person_id, function)])
    click.echo(f"{person_id} is {function} of {number}.")


@participant.command()
@click.argument("number")
@click.argument("person_id")
@_function
@as_operator()
def dismiss(number: str, person_id: str, function: str) -> None:
    """Remove a contact function. If nobody is left, the next tier receives an e-mail."""
    from idp.directory import contacts as service
    from idp.directory import participants
    from idp.directory.contacts import ContactRef

    gone = ContactRef(person_id, function)
    with unit_of_work() as work:
        row = participants.lock_by_number(work, number)
        known = service.to_entries(service.list_contacts(work, row))
        if gone not in known:
            raise NotAContact(person_id, function, number)
        service.replace(work, row, [entry for entry in known if entry != gone])
    click.echo(f"{person_id} is no longer {function} of {number}.")


def _record(work: UnitOfWork, row: Participant) -> dict[str, Any]:
    return _records(work, [row])[0]


def _records(work: UnitOfWork, rows: Sequence[Participant]) -> list[dict[str, Any]]:
    from idp.directory import participations

    parts = participations.participations_by_participant(work, rows)
    return [
        {
            "number": row.number,
            "name": row.name,
            "status": "ended" if row.ended_at else "active",
            "participations": [part.name for part in parts.get(row.id, [])],
        }
        for row in rows
    ]
