"""Why callers are not verified, and why operators are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.directory.directory_refusals import Forbidden


class CallerRefusal(StrEnum):
    """Why a caller was not verified."""

    TOO_LITTLE_MATCHED = "too_little_matched"
    #: The agent found that the caller is not the holder.
    DENIED = "denied"
    #: A caller was found not to be the holder shortly before: only a code counts.
    RECENTLY_DENIED = "recently_denied"
    #: The holder said so, by the link in the mail with the code.
    NOT_THE_HOLDER = "not_the_holder"


class ConsoleRefusal(StrEnum):
    """Why an operator was refused."""

    FORBIDDEN = "forbidden"


class ForbiddenBecause(StrEnum):
    """Why an operator was refused, for the audit trail."""

    #: The page is for other roles.
    ROLE = "role"
    #: The account is not one that the operator may act on.
    TARGET = "target"


class ActionForbidden(Forbidden):
    """The operator may never do this to the account."""

    template = "{action} on {username}"
    action: str
    username: str
