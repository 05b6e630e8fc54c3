"""Why pushes are refused, in addition to the refusals of the services."""

from __future__ import annotations

from idp.errors import Invalid, NotFound, Refused


class NewPersonIncomplete(Invalid):
    """A new person needs a name and an address."""

    template = "{person_id} is a new person: include the name and the e-mail address"
    person_id: str


class NoPusher(NotFound):
    """A load is in the name of a client of the bridge."""

    template = "no enabled client {client_id} with the scope scim"
    client_id: str


class NetworksOfPerson(Invalid):
    """Only machine accounts have networks."""

    template = "only machine accounts can have registeredNetworks"


class SuspendedByOperator(Refused):
    """Registration can lift only its own suspensions."""

    template = "an operator suspended this account; registration cannot reactivate it"


class PreviousCustodiansData(Invalid):
    """The push gives the new custodian values that the account showed for the previous one."""

    template = (
        "the {words} belongs to the previous custodian: send the values of the new custodian, or "
        "PATCH personId alone"
    )
    words: str
