"""All models, each loaded when it is first asked for: a command needs few of them.

``load()`` loads them all, for the servers, and ``tables()`` for what makes or compares tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from idp.db import Base, complete_indexes

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from idp.models.account import *
    from idp.models.account_count import *
    from idp.models.assignment import *
    from idp.models.authenticator import *
    from idp.models.client import *
    from idp.models.contact import *
    from idp.models.credential import *
    from idp.models.event import *
    from idp.models.event_stream import *
    from idp.models.grant import *
    from idp.models.logo import *
    from idp.models.machine import *
    from idp.models.message import *
    from idp.models.proposal import *
    from idp.models.provisioning import *
    from idp.models.revision import *
    from idp.models.role import *
    from idp.models.search_term import *
    from idp.models.self_registration import *
    from idp.models.session import *
    from idp.models.sign_in import *
    from idp.models.signing_key import *
    from idp.policy.account_states import *
    from idp.policy.registered_values import *

_NAMES = {
    "idp.models.account": (
        "Account",
        "Person",
    ),
    "idp.models.account_count": ("AccountCount",),
    "idp.models.assignment": ("Assignment",),
    "idp.models.authenticator": (
        "Authenticator",
        "RecoveryCode",
        "SecurityAnswer",
        "SpentChallenge",
    ),
    "idp.models.client": ("Client", "client_role_group"),
    "idp.models.contact": ("Contact",),
    "idp.models.credential": (
        "CallerVerification",
        "Link",
        "OneTimeCode",
        "PasswordHistory",
        "RecoveryRequest",
        "TemporaryPassword",
    ),
    "idp.models.event": ("ChainHead", "Event"),
    "idp.models.event_stream": ("EventStream",),
    "idp.models.grant": (
        "AccessToken",
        "AuthorizationCode",
        "Consent",
        "DeviceAuthorization",
        "Grant",
        "Interaction",
        "PushedRequest",
        "RefreshToken",
    ),
    "idp.models.logo": ("Logo",),
    "idp.models.machine": ("MachineKey", "RegisteredNetwork"),
    "idp.models.message": ("TO_PEOPLE", "MessageChannel", "MessageState", "OutboxMessage"),
    "idp.models.proposal": ("ClientProposal", "ProposalKind"),
    "idp.models.provisioning": ("ProvisionedAccount", "ProvisionedGroup"),
    "idp.models.revision": ("Revision",),
    "idp.models.role": ("Participant", "Participation", "RoleGroup"),
    "idp.models.search_term": ("SearchTerm",),
    "idp.models.self_registration": ("ClientRegistration", "InitialAccessToken"),
    "idp.models.session": (
        "BrowserSession",
        "ClientSession",
        "DeviceBinding",
        "FormerBrowserCookie",
        "KnownBrowser",
        "Throttle",
    ),
    "idp.models.sign_in": ("PopulationCount", "SignIn"),
    "idp.models.signing_key": ("KeyState", "SigningKey"),
    "idp.policy.account_states": ("AccountState",),
    "idp.policy.registered_values": (
        "AccountKind",
        "AuthMethod",
        "ContactFunction",
        "ParticipationKind",
    ),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return found


def load() -> MetaData:
    """The tables of all models, for statements."""
    for module in _NAMES:
        import_module(module)
    return Base.metadata


def tables() -> MetaData:
    """The tables of all models with all that makes them; both dialects are loaded for it."""
    complete_indexes(load())
    return Base.metadata
