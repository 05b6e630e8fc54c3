"""The attribute of the gateway for each attribute of a SCIM resource. Names are in lower case and
without their schema."""

from __future__ import annotations

from idp.directory import provisioned_accounts as accounts
from idp.directory import provisioned_groups as groups
from idp.directory import provisioned_participants as participants
from idp.directory.search_conditions import Attribute

Attributes = dict[str, Attribute]

USERS: Attributes = {
    "id": accounts.SUBJECT,
    "username": accounts.USERNAME,
    "externalid": accounts.EXTERNAL_ID,
    "displayname": accounts.FULL_NAME,
    "name.givenname": accounts.GIVEN_NAME,
    "name.familyname": accounts.FAMILY_NAME,
    "name.middlename": accounts.MIDDLE_NAME,
    "nickname": accounts.PREFERRED_NAME,
    "emails": accounts.EMAIL,
    "emails.value": accounts.EMAIL,
    "phonenumbers": accounts.PHONE,
    "phonenumbers.value": accounts.PHONE,
    "preferredlanguage": accounts.LANGUAGE,
    "timezone": accounts.TIME_ZONE,
    "meta.created": accounts.CREATED,
    "meta.lastmodified": accounts.UPDATED,
    "personid": accounts.PERSON_ID,
    "accountkind": accounts.KIND,
    "requestnumber": accounts.REQUEST_NUMBER,
    "sequence": accounts.SEQUENCE,
}
GROUPS: Attributes = {
    "id": groups.PUBLIC_ID,
    "externalid": groups.EXTERNAL_ID,
    "displayname": groups.DISPLAY_NAME,
    "meta.created": groups.CREATED,
    "meta.lastmodified": groups.UPDATED,
    "rolegroup": groups.ROLE_GROUP,
    "participantid": groups.PARTICIPANT,
    "participantname": groups.PARTICIPANT_NAME,
}
PARTICIPANTS: Attributes = {
    "id": participants.NUMBER,
    "externalid": participants.EXTERNAL_ID,
    "participantid": participants.NUMBER,
    "name": participants.NAME,
    "status": participants.STATUS,
    "meta.created": participants.CREATED,
    "meta.lastmodified": participants.UPDATED,
}
#: Inside ``grants`` and ``members``.
GRANTS: Attributes = {
    "grants.rolegroup": accounts.ROLE_GROUP,
    "grants.participantid": accounts.PARTICIPANT,
}
MEMBERS: Attributes = {"value": groups.MEMBER}
#: The attributes that ``sortBy`` accepts.
SORTED_USERS: Attributes = USERS | {"active": accounts.IS_ACTIVE}
