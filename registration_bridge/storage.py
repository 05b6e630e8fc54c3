"""Accounts and role groups as a storage of SCIM: found by SQL, changed by the rules of ``users``
and ``groups``."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import (
    NotFoundException,
    NotImplementedException,
    PreconditionFailedException,
    ResourceType,
    ScimProvider,
    SearchRequest,
)
from scim2_server.storage import ScimStorage, SearchPage
from sqlalchemy import ColumnElement, Select, func, select, update

from idp import browser
from idp.models import (
    Account,
    AccountState,
    Client,
    Participant,
    Person,
    Provisioned,
    ProvisionedGroup,
    RoleGroup,
)
from registration_bridge import groups, users
from registration_bridge.filters import (
    COLUMNS,
    GROUP_COLUMNS,
    Columns,
    condition,
    of_groups,
    sort_column,
)

PREFIX = "/scim/v2"


class BridgeStorage(ScimStorage):
    """Two resource types, each with its own part."""

    def __init__(self, provider: ScimProvider) -> None:
        self._parts: dict[str | None, Users | Groups] = {
            "User": Users(provider.model_for("User")),
            "Group": Groups(provider.model_for("Group")),
        }

    def get(
        self, resource_type: ResourceType, resource_id: str, *, response_parameters: Any = None
    ) -> Any:
        return self._parts[resource_type.name].get(resource_id, response_parameters)

    def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002 - no cursors
    ) -> SearchPage:
        if len(resource_types) != 1:
            raise NotImplementedException(detail="Search for Users or for Groups.")
        return self._parts[resource_types[0].name].search(search_request)

    def create(self, resource_type: ResourceType, resource: Any) -> Any:
        return self._parts[resource_type.name].create(resource)

    def update(
        self, resource_type: ResourceType, resource: Any, *, expected_version: str | None = None
    ) -> Any:
        return self._parts[resource_type.name].update(resource, expected_version)

    def delete(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        self._parts[resource_type.name].delete(resource_id, expected_version)


class Users:
    """The accounts that are not closed."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get(self, resource_id: str, _parameters: Any = None) -> Any:
        return users.resource_of(self._model, self._view(resource_id))

    def search(self, search_request: SearchRequest[Any]) -> SearchPage:
        base = (
            select(Account)
            .join(Person, Person.id == Account.person_id)
            .outerjoin(Provisioned, Provisioned.account_id == Account.id)
            .where(Account.state != AccountState.DEACTIVATED)
            .where(condition(search_request.filter))
        )
        total, rows = _page(base, Account.id, search_request, COLUMNS)
        found = users.views(browser.work(), rows)
        return SearchPage(total, [users.resource_of(self._model, view) for view in found])

    def create(self, resource: Any) -> Any:
        account, is_new = users.create(browser.work(), pusher(), resource)
        g.scim_repeated = not is_new
        return self.get(account.subject)

    def update(self, resource: Any, expected_version: str | None) -> Any:
        view = self._held(resource.id, expected_version)
        users.update(browser.work(), pusher(), view, resource)
        return self.get(resource.id)

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        users.delete(browser.work(), self._held(resource_id, expected_version))

    def _view(self, resource_id: str) -> users.View:
        work = browser.work()
        account = work.db.scalar(select(Account).where(*_living(resource_id)))
        if account is None:
            raise NotFoundException
        return users.views(work, [account])[0]

    def _held(self, resource_id: str, expected_version: str | None) -> users.View:
        """The account, locked until the push is done, still in the version that was read."""
        _lock(Account, *_living(resource_id))
        view = self._view(resource_id)
        version = users.resource_of(self._model, view).meta.version
        _check(version, expected_version)
        return view


def _living(resource_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Account.subject == resource_id[:40], Account.state != AccountState.DEACTIVATED)


class Groups:
    """The role groups that the registration system knows, each at one participant."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get(self, resource_id: str, parameters: Any = None) -> Any:
        view = self._view(resource_id, with_members=_wants_members(parameters))
        return self._resource(view)

    def search(self, search_request: SearchRequest[Any]) -> SearchPage:
        base = (
            select(ProvisionedGroup)
            .join(RoleGroup, RoleGroup.id == ProvisionedGroup.role_group_id)
            .join(Participant, Participant.id == ProvisionedGroup.participant_id)
            .where(of_groups(search_request.filter))
        )
        total, rows = _page(base, ProvisionedGroup.id, search_request, GROUP_COLUMNS)
        with_members = _wants_members(search_request)
        found = groups.views(browser.work(), rows, with_members=with_members)
        return SearchPage(total, [self._resource(view) for view in found])

    def create(self, resource: Any) -> Any:
        row, is_new = groups.create(browser.work(), pusher(), resource)
        g.scim_repeated = not is_new
        return self.get(row.public_id)

    def update(self, resource: Any, expected_version: str | None) -> Any:
        view = self._held(resource.id, expected_version)
        groups.update(browser.work(), view, resource)
        return self.get(resource.id)

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        groups.delete(browser.work(), self._held(resource_id, expected_version))

    def _resource(self, view: groups.View) -> Any:
        return groups.resource_of(self._model, view, browser.means().settings.issuer + PREFIX)

    def _view(self, resource_id: str, *, with_members: bool) -> groups.View:
        work = browser.work()
        query = select(ProvisionedGroup).where(ProvisionedGroup.public_id == resource_id[:40])
        row = work.db.scalar(query)
        if row is None:
            raise NotFoundException
        return groups.views(work, [row], with_members=with_members)[0]

    def _held(self, resource_id: str, expected_version: str | None) -> groups.View:
        _lock(ProvisionedGroup, ProvisionedGroup.public_id == resource_id[:40])
        view = self._view(resource_id, with_members=False)
        _check(view.version, expected_version)
        return view


def _wants_members(parameters: Any) -> bool:
    """Whether an answer shows members: large groups are asked for without them."""
    if parameters is None:
        return True
    excluded = {str(path).casefold() for path in parameters.excluded_attributes or ()}
    chosen = {str(path).casefold() for path in parameters.attributes or ()}
    if "members" in excluded:
        return False
    return not chosen or any("members" in path for path in chosen)


def _lock(model: type[Account] | type[ProvisionedGroup], *where: ColumnElement[bool]) -> None:
    """A write that changes nothing: from here on nobody else writes this row, on every database,
    and what is read is what the last one left."""
    work = browser.work()
    work.db.flush()
    work.db.execute(
        update(model)
        .where(*where)
        .values(updated_at=model.updated_at)
        .execution_options(synchronize_session=False)
    )
    work.db.expire_all()


def _check(version: str, expected: str | None) -> None:
    if expected is not None and version != expected:
        raise PreconditionFailedException


def pusher() -> Client:
    """The OAuth client behind this request."""
    client: Client = g.scim_pusher
    return client


def _page(
    base: Select[Any],
    key: Any,
    search_request: SearchRequest[Any],
    columns: Columns,
) -> tuple[int, list[Any]]:
    """How many there are, and those of the page."""
    work = browser.work()
    total = work.db.scalar(base.with_only_columns(func.count(key))) or 0
    first = search_request.start_index_0 or 0
    order = [key]
    if search_request.sort_by is not None:
        column = sort_column(str(search_request.sort_by), columns)
        down = search_request.sort_order == SearchRequest.SortOrder.descending
        order = [column.desc() if down else column.asc(), key]
    if search_request.count == 0 or first >= total:
        return total, []
    page = base.order_by(*order).offset(first).limit(search_request.count)
    return total, list(work.db.scalars(page))
