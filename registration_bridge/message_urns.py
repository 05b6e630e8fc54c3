"""The names of messages, for both sides of the bridge."""

#: Several operations in one request (RFC 7644 3.7).
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
#: A page of a search (RFC 7644 3.4.2).
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
#: Changes of a resource (RFC 7644 3.5.2).
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
#: The effects of a dry run.
EFFECTS = "urn:ieso:params:scim:api:messages:2.0:Effects"
#: An account (RFC 7643 4.1), and what the registration system knows beside the standard.
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
REGISTRATION_USER = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
#: An organization of the market.
PARTICIPANT = "urn:ieso:params:scim:schemas:core:2.0:Participant"
