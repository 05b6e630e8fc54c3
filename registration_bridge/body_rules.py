"""Which attributes of a body are ignored, and which a PATCH must not name, for each resource
type."""

from __future__ import annotations

from dataclasses import dataclass, replace

from registration_bridge.mapping_profile import Profile

MAX_BODY = 262_144
MAX_OPERATIONS = 100
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PARTICIPANT = "urn:ieso:params:scim:schemas:core:2.0:Participant"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
#: The group schema of 2006, which Entra uses.
GROUP_ALIAS = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/Group"
#: Other names of the core schema.
CORE_ALIASES = (
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0",
    "urn:ietf:params:scim:schemas:core:2.0",
)
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user"
#: Standard attributes that are read-only, or that the gateway does not have (N75).
DROPPED = frozenset(
    {
        "id", "meta", "password", "groups", "roles", "entitlements", "displayname", "title",
        "usertype", "profileurl", "addresses", "ims", "photos", "x509certificates", "locale",
        ENTERPRISE,
    }
)  # fmt: skip
#: The same for groups and participants.
DROPPED_OF_OTHERS = frozenset({"id", "meta"})


@dataclass(frozen=True)
class BodyRules:
    """How a body of one resource type is read: the ignored attributes, those that a PATCH must not
    name, and the mapping profile of the client, if it has one."""

    name: str
    dropped: frozenset[str]
    read_only: frozenset[str]
    profile: Profile | None = None

    def of(self, profile: Profile | None) -> BodyRules:
        """The rules for a client with this profile."""
        if profile is None:
            return self
        return replace(self, profile=profile, read_only=self.read_only - {"displayname"})


PLACES = {
    "Users": BodyRules("Users", DROPPED, frozenset({"id", "meta", "groups", "displayname"})),
    "Groups": BodyRules("Groups", DROPPED_OF_OTHERS, DROPPED_OF_OTHERS),
    "Participants": BodyRules("Participants", DROPPED_OF_OTHERS, DROPPED_OF_OTHERS),
}
_SCHEMAS = tuple(f"{name.casefold()}:" for name in (CORE, GROUP, PARTICIPANT, *CORE_ALIASES))
_PLACES = {name.casefold(): name for name in PLACES}


def place_of(path: str) -> str:
    """The resource type that a path below the address of the service starts with, as it is
    published."""
    place = path.strip("/").partition("/")[0]
    return _PLACES.get(place.casefold(), place)


def id_of(path: str) -> str:
    """The id in a path below the service's address."""
    return path.strip("/").partition("/")[2]


def attribute_of(path: str) -> str:
    """The attribute that a path starts with, without its schema."""
    text = path.casefold()
    for schema in _SCHEMAS:
        text = text.removeprefix(schema)
    if text.startswith(ENTERPRISE):
        return ENTERPRISE
    return text.partition("[")[0].partition(".")[0]
