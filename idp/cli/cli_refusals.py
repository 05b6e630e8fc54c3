"""Why commands are refused, beside the refusals of the services."""

from __future__ import annotations

from idp.directory.directory_refusals import Forbidden
from idp.errors import Invalid, NotFound


class OperatorNotActive(Forbidden):
    """The operator of ``--as`` cannot sign in."""

    template = "{username} is {state}"
    username: str
    state: str


class OperatorWithoutRole(Forbidden):
    """The operator of ``--as`` has none of the roles that the command needs."""

    template = "{username} does not have the role: {roles}"
    username: str
    roles: tuple[str, ...]


class PersonDiffers(Invalid):
    """The person is registered with other data. Creating an account does not change a person."""

    template = "{person_id} is registered with another {names}; gateway person update changes it"
    person_id: str
    names: tuple[str, ...]


class NotAParticipation(NotFound):
    """The participant does not have the participation."""

    template = "participant {number} does not participate in {participation}"
    number: str
    participation: str


class NotAContact(NotFound):
    """The person does not have the function at the participant."""

    template = "{person_id} is not {function} of participant {number}"
    person_id: str
    function: str
    number: str
