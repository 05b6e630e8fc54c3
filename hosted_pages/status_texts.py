"""What the status of an error means, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class ErrorText:
    """What an error means."""

    #: For people, in the language of the request.
    title: Any
    message: Any
    advice: Any
    #: For programs.
    description: str


_HOME = _("Go to the home page and start again.")
#: By status; other ones have the text of 400 or of 500.
TEXTS = {
    400: ErrorText(
        _("Invalid request"),
        _("This page cannot process the information that your browser sent."),
        _HOME,
        "The request cannot be understood.",
    ),
    403: ErrorText(
        _("Access denied"),
        _("You do not have permission to open this page."),
        _HOME,
        "The request cannot be understood.",
    ),
    404: ErrorText(
        _("Page not found"),
        _("We cannot find a page at this address."),
        _HOME,
        "There is nothing at this address.",
    ),
    405: ErrorText(
        _("Action not allowed"),
        _("You cannot use this page in this way."),
        _HOME,
        "This method is not supported here.",
    ),
    408: ErrorText(
        _("Request timed out"),
        _("Your request took too long to arrive. Nothing was changed."),
        _("Check your connection, then try again."),
        "The request took too long to arrive.",
    ),
    409: ErrorText(
        _("Another change was made first"),
        _("Someone changed this information before you. Your change was not saved."),
        _("Go back, reload the page and check the information."),
        "Another change came first.",
    ),
    413: ErrorText(
        _("Request too large"),
        _("The information that you sent is too large."),
        _HOME,
        "The request is too large.",
    ),
    429: ErrorText(
        _("Too many attempts"),
        _("There were too many attempts from your network."),
        _("Wait a minute, then try again."),
        "Too many requests; wait and try again.",
    ),
    500: ErrorText(
        _("Something went wrong"),
        _("The problem is on our side and has been recorded. Nothing was changed."),
        _(
            "Try again. If the problem continues, contact Customer Relations and quote the "
            "reference below."
        ),
        "Error.",
    ),
    503: ErrorText(
        _("Service temporarily unavailable"),
        _(
            "This service is not available right now. The information that you entered was not "
            "saved."
        ),
        _("Wait a few seconds, then try again."),
        "Try again in a moment.",
    ),
}
