"""All models, so that Alembic and the mapper see every table."""

from idp.models.account import (
    Account,
    AccountState,
    CallerVerification,
    Link,
    OneTimeCode,
    PasswordHistory,
    Person,
    RecoveryRequest,
    SearchTerm,
    TemporaryPassword,
)
from idp.models.authenticator import (
    Authenticator,
    RecoveryCode,
    SecurityAnswer,
    SpentChallenge,
)
from idp.models.client import Client
from idp.models.contact import Contact
from idp.models.event import ChainHead, Event
from idp.models.event_stream import EventStream
from idp.models.grant import (
    AccessToken,
    AuthorizationCode,
    Consent,
    DeviceAuthorization,
    Grant,
    Interaction,
    PushedRequest,
    RefreshToken,
)
from idp.models.logo import Logo
from idp.models.machine import MachineKey, RegisteredNetwork
from idp.models.message import TO_PEOPLE, MessageChannel, MessageState, OutboxMessage
from idp.models.proposal import ClientProposal, ProposalKind
from idp.models.provisioning import ProvisionedAccount, ProvisionedGroup
from idp.models.revision import Revision
from idp.models.role import (
    Assignment,
    Participant,
    Participation,
    RoleGroup,
    client_role_group,
)
from idp.models.self_registration import ClientRegistration, InitialAccessToken
from idp.models.session import BrowserSession, ClientSession, KnownBrowser, Throttle
from idp.models.sign_in import PopulationCount, SignIn
from idp.models.signing_key import KeyState, SigningKey
from idp.policy.registered_values import (
    AccountKind,
    AuthMethod,
    ContactFunction,
    ParticipationKind,
)

__all__ = [
    "TO_PEOPLE",
    "AccessToken", "Account", "AccountKind", "AccountState", "Assignment", "AuthMethod",
    "Authenticator", "AuthorizationCode", "BrowserSession", "CallerVerification", "ChainHead",
    "Client", "ClientProposal", "ClientRegistration", "ClientSession", "Consent", "Contact",
    "ContactFunction", "DeviceAuthorization", "Event", "EventStream", "Grant",
    "InitialAccessToken", "Interaction",
    "KeyState", "KnownBrowser", "Link", "Logo", "MachineKey", "MessageChannel", "MessageState",
    "OneTimeCode",
    "OutboxMessage", "Participant", "Participation", "ParticipationKind", "PasswordHistory",
    "Person", "PopulationCount", "ProposalKind",
    "ProvisionedAccount", "ProvisionedGroup", "PushedRequest", "RecoveryCode", "RecoveryRequest",
    "RefreshToken",
    "RegisteredNetwork", "Revision", "RoleGroup", "SearchTerm", "SecurityAnswer", "SignIn",
    "SigningKey",
    "SpentChallenge", "TemporaryPassword", "Throttle", "client_role_group",
]  # fmt: skip
