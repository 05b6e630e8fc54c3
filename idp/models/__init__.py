"""All models, so that Alembic and the mapper see every table."""

from idp.models.account import Account, AccountKind, AccountState, Link, PasswordHistory, Person
from idp.models.client import AuthMethod, Client
from idp.models.event import ChainHead, Event
from idp.models.grant import (
    AccessToken,
    AuthorizationCode,
    Consent,
    Grant,
    Interaction,
    RefreshToken,
)
from idp.models.key import KeyState, SigningKey
from idp.models.message import MessageState, OutboxMessage
from idp.models.role import Assignment, Participant, RoleGroup, client_role_group
from idp.models.session import BrowserSession, ClientSession

__all__ = [
    "AccessToken", "Account", "AccountKind", "AccountState", "Assignment", "AuthMethod",
    "AuthorizationCode", "BrowserSession", "ChainHead", "Client", "ClientSession", "Consent",
    "Event", "Grant", "Interaction", "KeyState", "Link", "MessageState", "OutboxMessage",
    "Participant", "PasswordHistory", "Person", "RefreshToken", "RoleGroup", "SigningKey",
    "client_role_group",
]  # fmt: skip
