"""Why persons, accounts, participants, role groups and their assignments are refused."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from idp.errors import Conflict, Invalid, NotFound, Refusal, Refused
from idp.policy.email_address import AddressFault
from service_base.phrases import N_

if TYPE_CHECKING:
    from idp.models import Account


class AccountNotFound(NotFound):
    """No account has this user name."""

    template = N_("no account {username}")
    username: str


class PersonNotFound(NotFound):
    """No person has this Person ID."""

    template = N_("no person with Person ID {person_id}")
    person_id: str


class ParticipantNotFound(NotFound):
    """No participant has this number."""

    template = N_("participant {number} is not registered")
    number: str


class RoleGroupNotFound(NotFound):
    """No role group has this name."""

    template = N_("no role group {name}")
    name: str


class PersonNameMissing(Invalid):
    """A person has neither a first nor a last name."""

    template = N_("a person needs a first or last name")


class PersonNameInvalid(Invalid):
    """A part of the name is too long, or cannot be displayed."""

    template = N_("a name is too long or contains characters that cannot be displayed")


class PhoneInvalid(Invalid):
    """The text is not a phone number."""

    template = N_("{phone!a} is not a phone number")
    phone: str


class EmailInvalid(Invalid):
    """The text is not a single plain e-mail address; ``fault`` says why."""

    template = N_("not a valid e-mail address: {fault}")
    fault: AddressFault


class UserIDInvalid(Invalid):
    """The text cannot be a UserID."""

    template = N_("a UserID contains ASCII letters, digits and symbols, without @ or spaces")


class LanguageUnknown(Invalid):
    """The gateway does not support this language."""

    template = N_("the language must be en or fr")


class UsernameTaken(Conflict):
    """An account has, or had, this user name."""

    template = N_("{username} is already in use")
    username: str


class EmailAccountHasNoUserID(Invalid):
    """A UserID cannot be generated for an e-mail account."""

    template = N_("the user name of an e-mail account is its e-mail address")


class UserIDsTaken(Conflict):
    """Concurrent requests took every UserID that was tried."""

    template = N_("no UserID is available")


class UserIDsExhausted(Invalid):
    """All UserIDs for this name are taken."""

    template = N_("no UserID is available for {name}")
    name: str


class NameNotLatin(Invalid):
    """A UserID cannot be generated from the name."""

    template = N_(
        "the name has letters that are not Latin: give the preferred name in Latin letters"
    )


class SecondReasonUnknown(Invalid):
    """The reason for a second account is not one of ``reasons``."""

    template = N_("the reason for a second account must be one of {reasons}")
    reasons: tuple[str, ...]


class SecondNotPersonal(Invalid):
    """Only personal accounts can be second accounts."""

    template = N_("only a personal account can be a second account")


class PersonalAccountExists(Refused, abstract=True):
    """The person already has an account of this kind."""


class FirstAccountExists(PersonalAccountExists):
    """The person has a personal account, and no reason for another one is given."""

    template = N_(
        "{person_id} has a personal account; a second one needs a reason ({reasons}) and one "
        "participant"
    )
    person_id: str
    reasons: tuple[str, ...]


class SecondAccountExists(PersonalAccountExists):
    """The person has a second account for the participant."""

    template = N_("{person_id} has a second account for participant {number}")
    person_id: str
    number: str


class SecondReasonStated(Refused):
    """The account is not a second account, or its reason is already stated."""

    template = N_("{username} is no second account without a stated reason")
    username: str


class RoleGroupHeldElsewhere(Refused):
    """A second account holds a role group at another participant."""

    template = N_("{username} holds a role group at participant {number}: revoke it first")
    username: str
    number: str


class OtherParticipantOnly(Refused):
    """A second account acts for one participant."""

    template = N_("{username} acts for participant {number} only")
    username: str
    number: str


class AccountDeactivated(Refused):
    """The account is deactivated."""

    template = N_("{username} is deactivated")
    username: str


class CannotReactivate(Refused):
    """A deactivated account cannot be reactivated (PR-04)."""

    template = N_("a deactivated account cannot be reactivated")


class StateChanged(Conflict):
    """A concurrent change of the state came first."""

    template = N_("the state of {username} has changed")
    username: str


class NotHeld(Refused):
    """The account is neither locked nor suspended."""

    template = N_("{username} is {state}")
    username: str
    state: str


class NotPending(Refused):
    """Only a pending account can be activated."""

    template = N_("{username} is {state}, not pending")
    username: str
    state: str


class ActivationExpired(Refused):
    """There is no valid activation link."""

    template = N_("the activation link has expired or was revoked: issue a temporary password")


class EndDatePast(Invalid):
    """The end date of an account is not in the future."""

    template = "endDate is in the past; to deactivate an account now, use DELETE"


class WrongAccountKind(Refused):
    """The role group is for accounts of another kind."""

    template = N_("{group} is for {kind} accounts")
    group: str
    kind: str


class TermsInvalid(Invalid):
    """The assignment would end before it starts, or has ended."""

    template = N_("{group} ends before it starts, or has already ended")
    group: str


class ParticipantEnded(Refused):
    """The participant has ended."""

    template = N_("participant {number} has ended")
    number: str


class ParticipationMissing(Refused):
    """The role group requires a participation that the participant does not have."""

    template = N_(
        "{group} needs the participation {participation}, which participant {number} does not have"
    )
    group: str
    participation: str
    number: str


class HeldWithoutParticipation(Refused):
    """A new required participation is refused: the role group is held for a participant that lacks
    it."""

    template = N_(
        "{group} is held at participant {number}, which does not participate in {participation}"
    )
    group: str
    number: str
    participation: str


class RoleGroupNameInvalid(Invalid):
    """The text cannot be the name of a role group."""

    template = N_("a role group name has 1 to 100 ASCII letters, digits, spaces and ._:/()-")


class AccountKindUnknown(Invalid):
    """There is no such kind of account."""

    template = N_("the kind must be one of {kinds}")
    kinds: tuple[str, ...]


class RoleGroupExists(Conflict):
    """Another role group has the name."""

    template = N_("role group {name} already exists")
    name: str


class RuleUnknown(Invalid):
    """There is no such rule for the second factor."""

    template = N_("second_factor must be one of {rules}")
    rules: tuple[str, ...]


class RoleGroupFrenchNameInvalid(Invalid):
    """The French name is too long, or cannot be displayed."""

    template = N_("the French name is at most {most} printable characters")
    most: int


class RoleGroupDescriptionInvalid(Invalid):
    """The description is too long, or cannot be displayed."""

    template = N_("the description is at most {most} printable characters")
    most: int


class ParticipationNameInvalid(Invalid):
    """The text cannot be the name of a market, program or service."""

    template = N_("a participation's name is 1 to {most} characters that can be shown")
    most: int


class ParticipationKindUnknown(Invalid):
    """There is no such kind of participation."""

    template = N_("a participation must be one of {kinds}")
    kinds: tuple[str, ...]


class TooManyParticipations(Invalid):
    """A participant has more participations than are stored."""

    template = N_("a participant has at most {most} participations")
    most: int


class ParticipantNumberInvalid(Invalid):
    """The text cannot be the number of a participant."""

    template = N_(
        "a participant's number is 1 to 20 ASCII letters, digits, dots, hyphens and underscores"
    )


class ParticipantNameInvalid(Invalid):
    """The text cannot be the name of a participant."""

    template = N_("a participant name has 1 to {most} printable characters")
    most: int


class ParticipantExists(Conflict):
    """Another participant has the number."""

    template = N_("participant {number} is already registered")
    number: str


class OperatorCannotEnd(Refused):
    """The participant is the gateway's own operator."""

    template = N_("the operator of the gateway cannot be ended")


class TooManyContacts(Invalid):
    """A participant has more contacts than are stored."""

    template = N_("a participant has at most {most} contacts")
    most: int


class ContactFunctionUnknown(Invalid):
    """There is no such function of a contact."""

    template = N_("the function of a contact must be one of {functions}")
    functions: tuple[str, ...]


class ContactWithoutAccount(Invalid):
    """A contact needs an account: it supplies the address and the language."""

    template = N_("person {person_id} has no account and cannot be a contact")
    person_id: str


class DualControlNeeded(Refused):
    """The change needs the approval of a second operator."""

    template = N_("a change to a client with the scope scim requires approval by a second operator")


class Forbidden(Refusal, abstract=True):
    """The operator must not do this. Pages show no detail. ``account`` is the one that the operator
    tried to act on, if any."""

    code = "forbidden"
    account: Account | None = field(default=None, kw_only=True)


class OwnAccount(Forbidden):
    """The operator is the holder or custodian of this account."""

    template = "{username} is an account of the operator who acts"
    username: str


class OwnPerson(Forbidden):
    """The person is the operator who acts."""

    template = "{person_id} is the operator who acts"
    person_id: str


class OperatorRoleGroup(Forbidden):
    """The console does not grant the role groups of operators."""

    template = "{group} is not granted in the console"
    group: str


class OutOfScope(Refusal, abstract=True):
    """A provisioning client must not do this. The response of SCIM contains the sentence."""

    code = "out_of_scope"


class OperationNotAllowed(OutOfScope):
    """The client is not registered for this operation."""

    template = "This client does not have permission to {operation} by SCIM."
    operation: str


class OperatorRole(OutOfScope):
    """SCIM neither grants nor revokes the role groups of operators."""

    template = "SCIM cannot change the roles of gateway operators."


class OperatorParticipant(OutOfScope):
    """The participant is the gateway's own operator."""

    template = "SCIM cannot change the operator of the gateway."


class OtherParticipant(OutOfScope):
    """The client acts for other participants only."""

    template = "This client does not have access to this participant."


class OperatorAccount(OutOfScope):
    """The account belongs to an operator."""

    template = "SCIM cannot change accounts of the operator of the gateway."


class SharedAccount(OutOfScope):
    """A participant outside the client's scope also uses the account (PR-05)."""

    template = "Another participant also uses this account."


class OtherClientsPerson(OutOfScope):
    """No account of the person is visible to the client."""

    template = "This personId belongs to another client."


class PersonRegisteredOtherwise(Invalid):
    """The person is registered with different data, which creating an account does not change."""

    template = N_("{person_id} is registered with another {names}; correct the person first")
    person_id: str
    names: tuple[str, ...]
