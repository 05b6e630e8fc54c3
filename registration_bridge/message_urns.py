"""The names of messages, for both sides of the bridge."""

#: Several operations in one request (RFC 7644 3.7).
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
#: The effects of a dry run.
EFFECTS = "urn:ieso:params:scim:api:messages:2.0:Effects"
