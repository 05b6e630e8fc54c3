"""The command by which the first operator of an installation becomes known."""

from __future__ import annotations

import click

from registration.cli.commands import main, opened


@main.group()
def operator() -> None:
    """The IESO's own people."""


@operator.command()
@click.argument("person_id")
@click.option("--first-name", required=True)
@click.option("--last-name", required=True)
@click.option("--main-email", required=True, help="E-mail address.")
@click.option("--main-phone", required=True, help="Phone number.")
@click.option("--address-1", required=True, help="Street and number.")
@click.option("--city", required=True)
@click.option("--province", default="Ontario", show_default=True)
@click.option("--postal-code", required=True)
@click.option("--country", default="Canada", show_default=True)
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True)
def add(person_id: str, **entered: str) -> None:
    """Register somebody of the IESO, so that this person can sign in.

    PERSON_ID is the one that the person has at the gateway. The gateway also decides who is an
    operator: whoever holds the role group of REGISTRATION_OPERATOR_GROUP."""
    from registration import persons
    from registration.person_fields import PersonFields
    from registration.transaction import Origin

    with opened() as runtime, runtime.work(Origin("cli")) as work:
        person = persons.add_known(work, person_id, PersonFields(**entered))
        click.echo(f"{person.full_name} ({person.person_id}) can sign in.")
