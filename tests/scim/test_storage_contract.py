"""scim2-server's own suite for storages, on ours. What an account needs here and the
suite does not give is added; where a rule of the gateway is another one, that rule is tested
instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from flask import g
from scim2_models import (
    Context,
    MutabilityException,
    ResourceType,
    ResponseParameters,
    ScimProvider,
    UniquenessException,
)
from scim2_server.storage import ScimStorage
from scim2_server.testing import ScimStorageContract
from scim2_server.utils import parametrize

from idp import current
from idp.clients import registry
from idp.directory.provisioning_scope import ProvisioningScope
from registration_bridge.resource_document import ResourceDocument
from registration_bridge.storage import BridgeStorage
from registration_bridge.user_schema import Email, Name, Registration, Role, provider
from tests.world import World, registered

NUMBERS = count(1)


def _resource(found: Any) -> Any:
    """The suite asks for resources, and our storage returns documents for responses."""
    return found.resource() if isinstance(found, ResourceDocument) else found


class Completed(ScimStorage):
    """Our storage, and what every account and every group of it needs. The suite writes the
    displayed name, which here follows the name: it reads and writes the preferred one instead."""

    supports_cursors = True

    def __init__(self, storage: BridgeStorage) -> None:
        self._storage = storage

    def get(self, resource_type: Any, resource_id: str, *, response_parameters: Any = None) -> Any:
        found = _resource(
            self._storage.get(resource_type, resource_id, response_parameters=response_parameters)
        )
        found.display_name = getattr(found, "nick_name", None) or found.display_name
        return found

    def search(self, resource_types: Any, search_request: Any, *, position: Any = None) -> Any:
        page = self._storage.search(resource_types, search_request, position=position)
        return replace(page, resources=[_resource(found) for found in page.resources])

    def create(self, resource_type: ResourceType, resource: Any) -> Any:
        made, number = resource.model_copy(deep=True), next(NUMBERS)
        if resource_type.name == "Group":
            registered(current.work(), str(number))
            made[Role] = Role(role_group="EMI Trader", participant_id=str(number))
            return _resource(self._storage.create(resource_type, made))
        name = made.name or Name()
        made.name = Name(
            given_name=name.given_name or "Jim", family_name=name.family_name or "Smith"
        )
        made.emails = made.emails or [Email(value=f"jim{number}@participant.example")]
        made[Registration] = Registration(person_id=f"C{number}")
        return _resource(self._storage.create(resource_type, made))

    def update(self, resource_type: Any, resource: Any, *, expected_version: Any = None) -> Any:
        made = resource.model_copy(deep=True)
        shown = f"{made.name.given_name} {made.name.family_name}" if made.name else None
        if shown is not None and made.display_name != shown:
            made.nick_name = made.display_name
        return _resource(
            self._storage.update(resource_type, made, expected_version=expected_version)
        )

    def delete(self, resource_type: Any, resource_id: str, *, expected_version: Any = None) -> None:
        self._storage.delete(resource_type, resource_id, expected_version=expected_version)


class TestOurStorage(ScimStorageContract):
    @pytest.fixture
    def provider(self) -> ScimProvider:
        return provider()

    @pytest.fixture
    def storage(self, world: World, provider: ScimProvider) -> Iterator[Completed]:
        rp = world.relying_party()
        world.role_group("EMI Trader", rp.client_id)
        world.relying_party("Registration", grant_types=("client_credentials",), scopes=("scim",))
        with world.app.test_request_context(base_url=world.settings.issuer), provider:
            g.scim_scope = ProvisioningScope.of(registry.get(current.work(), "registration"))
            yield Completed(BridgeStorage(provider))
            current.work().db.rollback()

    def search_users(self) -> list[dict[str, Any]]:
        """As the suite's, in the attributes that the gateway has."""
        return [
            {"userName": "alice", "nickName": "Boss", "active": True, "timezone": "America/Regina",
             "name": {"givenName": "Alice", "familyName": "Liddell"},
             "emails": [{"value": "alice@work.example"}]},
            {"userName": "Bob", "active": False, "emails": [{"value": "bob@work.example"}]},
            {"userName": "carol", "name": {"givenName": "C", "familyName": "smith"}},
            {"userName": "dave_%", "nickName": "50% off",
             "emails": [{"value": "dave@home.example"}]},
        ]  # fmt: skip

    def test_update_replaces_the_stored_resource(
        self, storage: Any, user_type: ResourceType, user_model: Any
    ) -> None:
        """With an attribute that is not made of others."""
        (user,) = self.create_users(storage, user_type, user_model, "bjensen")
        user.nick_name = "Barbara"
        updated = storage.update(user_type, user)
        assert updated.nick_name == "Barbara"
        assert storage.get(user_type, user.id).nick_name == "Barbara"
        assert updated.meta.created == user.meta.created
        assert updated.meta.version != user.meta.version

    @pytest.mark.parametrize(
        "parameters", [{"excludedAttributes": "members"}, {"attributes": "displayName"},
                       {"attributes": "members.value"}]
    )  # fmt: skip
    def test_get_keeps_what_the_response_returns(
        self, storage: Any, user_type: ResourceType, group_type: ResourceType, user_model: Any,
        group_model: Any, parameters: dict[str, str],
    ) -> None:  # fmt: skip
        """Members have no ``display``."""
        (user,) = self.create_users(storage, user_type, user_model, "bjensen")
        group = self.create_group(storage, group_type, group_model, user)
        asked = parametrize(ResponseParameters, group_model).model_validate(parameters)
        shown = [
            found.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked)
            for found in (
                storage.get(group_type, group.id),
                storage.get(group_type, group.id, response_parameters=asked),
            )
        ]
        assert shown[0] == shown[1]

    def test_update_with_a_taken_unique_value(
        self, storage: Any, user_type: ResourceType, user_model: Any
    ) -> None:
        """A userName is for life, taken or not (UI-06)."""
        _, user = self.create_users(storage, user_type, user_model, "bjensen", "jsmith")
        user.user_name = "bjensen"
        with pytest.raises(MutabilityException):
            storage.update(user_type, user)
        assert storage.get(user_type, user.id).user_name == "jsmith"

    def test_update_frees_the_former_unique_values(
        self, storage: Any, user_type: ResourceType, user_model: Any
    ) -> None:
        """So nothing is ever freed (UI-06)."""
        (user,) = self.create_users(storage, user_type, user_model, "bjensen")
        user.user_name = "babs"
        with pytest.raises(MutabilityException):
            storage.update(user_type, user)

    def test_delete_frees_the_unique_values(
        self, storage: Any, user_type: ResourceType, user_model: Any
    ) -> None:
        """Not by a DELETE either (N81)."""
        (user,) = self.create_users(storage, user_type, user_model, "bjensen")
        storage.delete(user_type, user.id)
        with pytest.raises(UniquenessException):
            self.create_users(storage, user_type, user_model, "bjensen")
