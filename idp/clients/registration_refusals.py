"""Why applications cannot register themselves, and why initial access tokens are refused."""

from __future__ import annotations

from idp.errors import Invalid, NotFound, Refused
from service_base.phrases import N_, Phrase


class InitialTokenNotFound(NotFound):
    """No usable initial access token has this ID."""

    template = N_("no initial access token {public_id}")
    public_id: str


class InitialTokenNameInvalid(Invalid):
    """The name is empty, too long, or cannot be displayed."""

    template = N_("the name is 1 to {most} printable characters")
    most: int


class UsesInvalid(Invalid):
    """The number of registrations is not a whole number, or out of bounds."""

    template = N_("an initial access token registers 1 to {most} applications")
    most: int


class DaysInvalid(Invalid):
    """The number of days is not a whole number, or out of bounds."""

    template = N_("an initial access token is valid for 1 to {most} days")
    most: int


class TokenNotAccepted(Refused):
    """The token of the request is unknown, has ended, or belongs to another client."""

    template = "the token is unknown, used up, revoked or expired"


class ManagedByOperators(Refused):
    """An operator changed the client, so that its application cannot change it any more."""

    template = "Access Management has changed this client: only Access Management can change it"


class SoftwareStatementRefused(Invalid):
    """The request has a software statement (RFC 7591 section 2.3)."""

    template = "software_statement is not supported"


class MemberFault(Phrase):
    """What is wrong with a member of the metadata."""

    NOT_A_TEXT = "is not a string"
    NOT_TEXTS = "is not an array of strings"
    NOT_A_FLAG = "is not true or false"
    NOT_THE_ONE_TEXT = "is not a string, or there is another one of its kind"
    NOT_A_KEY_SET = "is not a JSON Web Key Set"
    EMPTY = "is empty"
    NOT_SUPPORTED = "is not supported"
    OTHER_CLIENT = "is not the one of this client"


class MemberInvalid(Invalid):
    """A member of the metadata cannot be registered."""

    template = "{member} {fault}"
    member: str
    fault: MemberFault
