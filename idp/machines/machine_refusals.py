"""Why programs are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.models import AccountState
from idp.policy.machine_networks import NetworkFault
from service_base.phrases import N_


class MachineRefusal(StrEnum):
    """Why a program was refused: the first check that failed."""

    NO_CREDENTIALS = "no_credentials"
    UNKNOWN_ACCOUNT = "unknown_account"
    NETWORK_NOT_REGISTERED = "network_not_registered"
    WRONG_PASSWORD = "wrong_password"
    NO_PASSWORD = "no_password"
    WRONG_KEY = "wrong_key"
    #: The password was right, but too many wrong ones came before.
    THROTTLED = "throttled"
    ACCOUNT_PENDING = "account_pending"
    ACCOUNT_ACTIVE = "account_active"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_RESET_REQUIRED = "account_reset_required"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    UNKNOWN_APPLICATION = "unknown_application"
    NO_ROLE_GROUP = "no_role_group"


#: By the state of the account; a state without a refusal is found at import.
OF_STATE = {state: MachineRefusal(f"account_{state}") for state in AccountState}
#: Other credentials would not help; only a caller with valid credentials gets one of these.
ABOUT_APPLICATION = (MachineRefusal.UNKNOWN_APPLICATION, MachineRefusal.NO_ROLE_GROUP)


class NotAMachine(Invalid, abstract=True):
    """The account is one of a person."""


class NetworksOfPerson(NotAMachine):
    """The account of a person has no networks."""

    template = N_("only machine accounts can have networks")


class KeysOfPerson(NotAMachine):
    """The account of a person has no keys of programs."""

    template = N_("only machine accounts can have keys")


class CustodianOfPerson(NotAMachine):
    """The account of a person has a holder."""

    template = N_("only machine accounts can have a custodian")


class CustodianOfDeactivated(Refused):
    """A deactivated account gets no other custodian."""

    template = N_("the account is deactivated")


class LabelInvalid(Invalid):
    """The label of a network is too long, or cannot be displayed."""

    template = N_("a label has at most {most} printable characters")
    most: int


class NetworkInvalid(Invalid):
    """The text is no network that can be registered."""

    template = N_("{network!a} {fault}")
    network: str
    fault: NetworkFault


class NetworkMissing(Invalid):
    """A machine account without networks could not be used."""

    template = N_("a machine account needs at least one network")


class TooManyNetworks(Invalid):
    """The account has more networks than are stored."""

    template = N_("a machine account has at most {most} networks")
    most: int


class KeyNameInvalid(Invalid):
    """The name of the key is empty, too long, or cannot be displayed."""

    template = N_("a key needs a name with at most {most} printable characters")
    most: int


class KeyDaysInvalid(Invalid):
    """The key would be valid for no day, or for too many."""

    template = N_("a key is valid for 1 to {most} days")
    most: int


class TooManyKeys(Invalid):
    """The account has as many keys as are stored."""

    template = N_("a machine account has at most {most} keys")
    most: int


class KeyExists(Conflict):
    """The account has this key already."""

    template = N_("this key is already registered")


class MachineKeyNotFound(NotFound):
    """The account has no such key."""

    template = N_("no key {kid}")
    kid: str
