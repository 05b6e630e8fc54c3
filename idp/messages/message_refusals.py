"""Why messages are not queued."""

from __future__ import annotations

from idp.errors import Invalid
from idp.policy.email_address import AddressFault
from service_base.phrases import N_


class RecipientInvalid(Invalid):
    """Mail cannot be sent to the address of the recipient."""

    template = N_("the address of {username}: {fault}")
    username: str
    fault: AddressFault
