"""``gateway person``: the registered data of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import as_json, show_json, show_record, show_table, unit_of_work
from idp.cli.operator import as_operator
from idp.directory.directory_refusals import PersonNotFound

if TYPE_CHECKING:
    from idp.models import Person
    from idp.transaction import UnitOfWork

FIELDS = ("given_name", "middle_name", "family_name", "preferred_name", "email", "phone")


@click.group()
def person() -> None:
    """People in the registration system."""


@person.command()
@click.argument("person_id")
@as_json
def show(person_id: str, as_json: bool) -> None:
    """Show a person and their accounts."""
    from idp.directory import persons

    with unit_of_work() as work:
        row = _one(work, person_id)
        record: dict[str, Any] = {"person_id": row.person_id}
        record |= {name: getattr(row, name) for name in FIELDS}
        held = [
            {"username": one.username, "kind": str(one.kind), "state": str(one.state)}
            for one in persons.accounts_of(work, row)
        ]
    if as_json:
        show_json(record | {"accounts": held})
        return
    show_record(record)
    columns = ("username", "kind", "state")
    show_table(columns, ([one[c] for c in columns] for one in held), empty="No accounts.")


@person.command()
@click.argument("person_id")
@click.option("--given-name")
@click.option("--middle-name")
@click.option("--family-name")
@click.option("--preferred-name")
@click.option("--email", help="New e-mail address. Links sent to the previous address end.")
@click.option("--phone", help="Phone number, such as 416 555 0123 ext 7. Empty removes it.")
@as_operator()
@as_json
def update(person_id: str, as_json: bool, **values: str | None) -> None:
    """Change a person. All accounts of the person change."""
    from idp.directory import persons
    from idp.directory.persons import PersonChanges

    with unit_of_work() as work:
        changed = persons.update(work, _one(work, person_id), PersonChanges(**values))
    if as_json:
        show_json({"person_id": person_id, "changed": changed})
    else:
        click.echo(f"{person_id}: {', '.join(changed) if changed else 'nothing'} changed.")


def _one(work: UnitOfWork, person_id: str) -> Person:
    from idp.directory import persons

    row = persons.by_person_id(work, person_id)
    if row is None:
        raise PersonNotFound(person_id)
    return row
