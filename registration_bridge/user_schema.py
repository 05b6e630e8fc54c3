"""What a push says of an account: the core User, as far as the gateway has it, and an extension."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from scim2_models import (
    URN,
    AnyExtension,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from registration_bridge.body_rules import MAX_BULK_BODY

REGISTRATION = URN("urn:ieso:params:scim:schemas:extension:registration:2.0:User")
ROLE = URN("urn:ieso:params:scim:schemas:extension:role:2.0:Group")
MAX_RESULTS = 1000
#: A cursor is good for an hour.
CURSOR_SECONDS = 3600
#: Of one Bulk.
MAX_OPERATIONS = 1000


class Name(ComplexAttribute):
    """The name of the holder; of a machine account, of its custodian. A person with
    one name has it as the family name."""

    family_name: Annotated[str | None, Required.true] = None
    given_name: str | None = None
    middle_name: str | None = None


class Email(ComplexAttribute):
    """The registered address; there is one."""

    value: Annotated[str | None, Required.true] = None
    type: str | None = Field(None, examples=["work"])
    primary: bool | None = None


class PhoneNumber(ComplexAttribute):
    """The registered telephone; there is one."""

    value: Annotated[str | None, Required.true] = Field(None, examples=["tel:+14169671111"])
    type: str | None = Field(None, examples=["work"])
    primary: bool | None = None


class User(Resource[AnyExtension]):
    """One account of the gateway."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    #: UserID, machine id or e-mail login; made by the gateway when it is left out.
    user_name: Annotated[str | None, Mutability.immutable, Uniqueness.server] = None
    name: Annotated[Name | None, Required.true] = None
    display_name: Annotated[str | None, Mutability.read_only] = None
    #: The preferred name.
    nick_name: str | None = None
    preferred_language: str | None = Field(None, examples=["en", "fr"])
    timezone: str | None = Field(None, examples=["America/Toronto", "America/Winnipeg"])
    #: False: suspended by registration. This can be undone, a DELETE cannot.
    active: bool | None = None
    emails: Annotated[list[Email] | None, Required.true] = None
    phone_numbers: list[PhoneNumber] | None = None


class Network(ComplexAttribute):
    """A network from which a machine account may be used."""

    value: Annotated[str | None, Required.true] = Field(None, examples=["192.0.2.0/28"])
    label: str | None = None


class AccessGrant(ComplexAttribute):
    """A role group that the account holds for a participant."""

    role_group: Annotated[str | None, Required.true] = Field(None, examples=["EMI Bids and Offers"])
    participant_id: Annotated[str | None, Required.true] = Field(None, examples=["109120"])
    #: It counts from then, and until then; at once and without end when left out.
    valid_from: datetime | None = Field(None, examples=["2040-01-01T00:00:00Z"])
    valid_until: datetime | None = Field(None, examples=["2041-01-01T00:00:00Z"])
    #: Who granted it in the registration system, and in which request.
    granted_by: str | None = None
    request_number: str | None = None


class SecondAccount(ComplexAttribute):
    """What makes an account one beside the person's first personal account."""

    reason: Annotated[str | None, Required.true, Mutability.immutable] = Field(
        None, examples=["transmission_rights"]
    )
    #: The only participant for which it acts.
    participant_id: Annotated[str | None, Required.true, Mutability.immutable] = Field(
        None, examples=["109120"]
    )


class Registration(Extension):
    """What the registration system knows beside the standard."""

    __schema__ = REGISTRATION

    #: The holder; of a machine account its custodian, who can change.
    person_id: Annotated[str | None, Required.true] = None
    #: ``personal`` (when left out), ``machine`` or ``email``.
    account_kind: Annotated[str | None, Mutability.immutable] = Field(None, examples=["personal"])
    #: Of a second personal account only.
    second_account: Annotated[SecondAccount | None, Mutability.immutable] = None
    registered_networks: list[Network] | None = None
    #: All role groups of the account; those that are missing are revoked.
    grants: list[AccessGrant] | None = None
    #: From then on the account is closed.
    end_date: datetime | None = Field(None, examples=["2041-01-01T00:00:00Z"])
    request_number: str | None = None
    #: Grows with each push for the account; a lower one changes nothing.
    sequence: int | None = None


class Member(ComplexAttribute):
    """An account that holds the role group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class Group(Resource[AnyExtension]):
    """A role group at one participant."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[Member] | None = None


class Role(Extension):
    """Which role group, and where."""

    __schema__ = ROLE

    role_group: Annotated[str | None, Mutability.immutable, Required.true] = None
    participant_id: Annotated[str | None, Mutability.immutable, Required.true] = None
    #: Its French name, for French pages; absent if it has none.
    role_group_fr: Annotated[str | None, Mutability.read_only] = None
    participant_name: str | None = None
    #: ``personal``, ``machine`` or ``email``: which accounts may hold it.
    account_kind: Annotated[str | None, Mutability.read_only] = None
    #: Client ids of the applications that see it.
    applications: Annotated[list[str] | None, Mutability.read_only] = None


class ParticipationEntry(ComplexAttribute):
    """A market, a program, or a service that the participant takes part in."""

    value: Annotated[str | None, Required.true, CaseExact.true] = Field(
        None, examples=["Energy Market"]
    )
    #: ``market`` when left out.
    type: str | None = Field(None, examples=["market", "program", "service_provider"])


class ContactEntry(ComplexAttribute):
    """A person who speaks for the participant, by Person ID; the person has an account."""

    value: Annotated[str | None, Required.true, CaseExact.true] = Field(None, examples=["100231"])
    type: Annotated[str | None, Required.true] = Field(
        None,
        examples=["rights_administrator", "primary_contact", "authorized_representative"],
    )


class Participant(Resource[Any]):
    """An organization of the market, by whose number role groups are given."""

    __schema__ = URN("urn:ieso:params:scim:schemas:core:2.0:Participant")

    participant_id: Annotated[
        str | None, Mutability.immutable, Required.true, Uniqueness.server, CaseExact.true
    ] = Field(None, examples=["109120"])
    name: Annotated[str | None, Required.true] = None
    #: ``active``, or ``ended``: then all role groups there are revoked.
    status: str | None = Field(None, examples=["active", "ended"])
    #: All its participations; role groups that need one that ends are revoked.
    participations: list[ParticipationEntry] | None = None
    #: All its contacts; they are notified of changes to the access of its people.
    contacts: list[ContactEntry] | None = None


def provider() -> ScimProvider:
    """The service as it describes itself."""
    return ScimProvider(
        models=[User, Registration, Group, Role, Participant],
        resource_types=[
            ResourceType.from_resource(User[Registration]),
            ResourceType.from_resource(Group[Role]),
            ResourceType.from_resource(Participant),
        ],
        config=ServiceProviderConfig(
            patch=Patch(supported=True),
            # Each operation is a transaction of its own.
            bulk=Bulk(
                supported=True, max_operations=MAX_OPERATIONS, max_payload_size=MAX_BULK_BODY
            ),
            filter=Filter(supported=True, max_results=MAX_RESULTS),
            pagination=Pagination(
                cursor=True,
                index=True,
                default_pagination_method=Pagination.DefaultPaginationMethod.index,
                max_page_size=MAX_RESULTS,
                cursor_timeout=CURSOR_SECONDS,
            ),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=True),
            etag=ETag(supported=True),
            authentication_schemes=[
                AuthenticationScheme(
                    type=AuthenticationScheme.Type.oauthbearertoken,
                    name="OAuth 2.0 bearer token",
                    description="Client credentials with the scope scim (RFC 6750).",
                )
            ],
        ),
        policy=ScimPolicy(
            remove_value_as_filter=ScimPolicy.RemoveValue.apply,
            unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        ),
    )
