"""Why registrations of clients, their secrets and proposals are refused."""

from __future__ import annotations

from idp.directory.directory_refusals import Forbidden
from idp.errors import Conflict, Invalid, NotFound, Refusal, Refused
from idp.policy.logo_image import LogoFault
from service_base.phrases import N_, Phrase


class ClientNotFound(NotFound):
    """No client has this client ID."""

    template = N_("no client {client_id}")
    client_id: str


class ClientIdInvalid(Invalid):
    """The text cannot be a client ID."""

    template = N_("a client ID has 3 to 100 letters, digits and ._~-")


class ClientExists(Conflict):
    """Another client has the client ID."""

    template = N_("client {client_id} already exists")
    client_id: str


class PublicityChanged(Invalid):
    """A public client stays public, and a confidential one confidential."""

    template = N_(
        "a public client cannot become confidential or the reverse: register a new client"
    )


class SectorChanged(Invalid):
    """Another sector would change the subjects that the application has stored."""

    template = N_("the sector identifier cannot be changed: register a new client")


class RegistrationInvalid(Invalid):
    """The registration has these faults."""

    template = "{faults}"
    faults: tuple[Refusal, ...]


class ClientNameInvalid(Invalid):
    """The name is empty, too long, or cannot be displayed."""

    template = N_("the name is 1 to {most} printable characters")
    most: int


class FrenchNameInvalid(Invalid):
    """The French name is too long, or cannot be displayed."""

    template = N_("the French name is at most {most} printable characters")
    most: int


class DescriptionInvalid(Invalid):
    """The description is too long, or cannot be displayed."""

    template = N_("the description is at most {most} printable characters")
    most: int


class LogoInvalid(Invalid):
    """The content of the file cannot be a logo."""

    template = N_("the logo {fault}")
    fault: LogoFault


class LogoFileInvalid(Invalid):
    """The text names no file that can be read."""

    template = N_("logo {name!a} cannot be read")
    name: str


class IconUnknown(LogoFileInvalid):
    """The package has no drawing of this name."""

    template = N_("there is no drawing {name!a}; there are {names}")
    names: tuple[str, ...]


class LogoUnknown(Invalid):
    """No image with this digest is stored."""

    template = N_("the logo was not uploaded, or was deleted because no application used it")


class NotOneOf(Invalid):
    """The value of the field is none of those that it can have."""

    template = N_("{name} is one of {choices}")
    name: str
    choices: tuple[str, ...]


class NotAmong(Invalid):
    """A value of the field is none of those that it can have."""

    template = N_("{name} are among {choices}")
    name: str
    choices: tuple[str, ...]


class AccountKindsInvalid(Invalid):
    """The client allows no kind of account, or an unknown one."""

    template = N_("account_kinds are one or several of {kinds}")
    kinds: tuple[str, ...]


class KeysMissingOrExcess(Invalid):
    """A client that signs assertions or has certificates of its own has keys or their address; no
    other client has any."""

    template = N_(
        "private_key_jwt and self_signed_tls_client_auth need 1 to {most} keys or a jwks_uri, and "
        "only encryption needs any besides"
    )
    most: int


class RuleFault(Phrase):
    """Which rule the combination of the fields violates."""

    KEYS_AND_ADDRESS = N_("keys and jwks_uri cannot both be set")
    ENCRYPTION_KEY = N_(
        "encryption needs a key of its algorithm: a JWK with use enc, or a jwks_uri that has one"
    )
    ENCRYPTION_UNSIGNED = N_("encrypted userinfo must be signed too: choose its signing algorithm")
    ASSERTION_AUDIENCE = N_(
        "only private_key_jwt and client_secret_jwt have an audience of their assertions"
    )
    CERTIFICATES_UNAVAILABLE = N_(
        "the gateway gets no such certificates (IDP_CLIENT_CERTIFICATE_HEADER and "
        "IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER)"
    )
    PUBLIC_CERTIFICATES = N_("a public client cannot have certificate-bound access tokens")
    TLS_SUBJECT = N_(
        "tls_client_auth needs tls_subject_field and tls_subject, and nothing else has any"
    )
    TLS_SUBJECT_FORM = N_("tls_subject is not a value of tls_subject_field")
    KEY_WITHOUT_CERTIFICATE = N_(
        "self_signed_tls_client_auth needs certificates, or JWKs with x5c or x5t#S256"
    )
    PUBLIC_CREDENTIALS = N_("a public client cannot use client_credentials")
    PUBLIC_EXCHANGE = N_("a public client cannot exchange tokens")
    EXCHANGE_AUDIENCES = N_(
        "token-exchange needs an audience of the client and exchange_audiences, and only it has any"
    )
    AUDIENCE_TEXT = N_("an exchange audience is 1 to 2000 printable ASCII characters")
    REFRESH_WITHOUT_CODE = N_("refresh_token needs authorization_code or the device grant")
    SCOPE_CHARACTERS = N_("scopes are words of printable ASCII")
    PKCE_WAIVED = N_("PKCE can be waived for a confidential client only")
    TOKEN_FORMAT = N_("access_token_format is jwt or opaque")
    FAPI2_METHOD = N_(
        "the FAPI 2.0 Security Profile needs private_key_jwt, tls_client_auth or "
        "self_signed_tls_client_auth"
    )
    PARTICIPANT_NUMBER = N_("a participant number is 1 to 20 ASCII characters")
    DEFAULT_PARTICIPANT = N_("push_default_participant is one of push_participants")
    FRAME_ORIGIN = N_(
        "the front-channel logout URI needs the scheme, host and port of a redirect URI"
    )
    NO_REDIRECT_URI = N_("authorization_code needs a redirect URI")
    SECTOR_FORM = N_("a sector identifier is a host name in lower case")
    SECTORS_UNAVAILABLE = N_("pairwise subjects need IDP_PAIRWISE_SECRET")
    SECTOR_OF_SCIM = N_("a client with the scope scim sees all subjects: it has no sector")


class RuleViolated(Invalid):
    """The fields do not go together."""

    template = "{fault}"
    fault: RuleFault


class ScopeNotObtainable(Invalid):
    """No grant type of the client gives the scope."""

    template = N_("with these grant types it can never get the scope {scopes}")
    scopes: tuple[str, ...]


class UriUse(Phrase):
    """What the URI is for."""

    REDIRECT = N_("redirect URI")
    POST_LOGOUT = N_("post-logout redirect URI")
    HOME = N_("home URL")
    BACKCHANNEL_LOGOUT = N_("back-channel logout URI")
    FRONTCHANNEL_LOGOUT = N_("front-channel logout URI")
    KEYS = N_("key set URI (jwks_uri)")
    EVENTS = N_("URI for security events")


class UriInvalid(Invalid):
    """The URI cannot be registered for this use."""

    template = N_("{use} {uri!a} {fault}")
    use: UriUse
    uri: str
    fault: Phrase


class OriginInvalid(Invalid):
    """The text is not an origin."""

    template = N_("origin {origin!a} is not scheme://host[:port]")
    origin: str


class NoSecret(Invalid):
    """The client authenticates with keys, or not at all."""

    template = N_("public clients and clients with keys have no secret")


class OverlapInvalid(Invalid):
    """The overlap of two secrets is not a number of hours, or too long."""

    template = N_("an old secret works for 0 to {most} whole hours")
    most: int


class ProposalNotFound(NotFound):
    """There is no such proposal."""

    template = N_("no proposal {public_id}")
    public_id: str


class OwnProposal(Forbidden):
    """The proposer cannot confirm the proposal."""

    template = "the operator who proposed a change cannot confirm it"


class ProposalTampered(Refused):
    """The seal of the proposal is not that of its content."""

    template = N_("the proposal was changed after it was made")


class ClientChanged(Refused):
    """The client is not as it was when the change was proposed."""

    template = N_("the client has changed: withdraw the proposal and create a new one")


class ProposerLeft(Refused):
    """The proposer may not change clients any more."""

    template = N_(
        "the operator who proposed the change is no longer an operator of Access Management"
    )


class OperatorMissing(Refused):
    """A command names no operator for a change that needs two."""

    template = (
        "a change to a client with the scope scim requires approval by a second operator; name the "
        "operator with --as"
    )


class ProposalDecided(Refused):
    """The proposal was confirmed or withdrawn before."""

    template = N_("the proposal is {outcome}")
    outcome: str


class ProposalExpired(Refused):
    """The proposal has expired."""

    template = N_("the proposal has expired")


class DecidedConcurrently(Conflict):
    """Another operator decided at the same time."""

    template = N_("proposal {public_id} was already decided")
    public_id: str
