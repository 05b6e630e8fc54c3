"""The accounts as a storage of SCIM: found by SQL, changed by the rules of ``users``."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import NotFoundException, PreconditionFailedException, ResourceType, SearchRequest
from scim2_server.storage import ScimStorage, SearchPage
from sqlalchemy import Select, func, select, update

from idp import browser
from idp.models import Account, AccountState, Client, Person, Provisioned
from registration_bridge import users
from registration_bridge.filters import condition, sort_column
from registration_bridge.users import View


class AccountStorage(ScimStorage):
    """One resource type: the accounts that are not closed."""

    def __init__(self, model: type[Any]) -> None:
        self._model = model

    def get(
        self,
        resource_type: ResourceType,  # noqa: ARG002 - there is one
        resource_id: str,
        *,
        response_parameters: Any = None,  # noqa: ARG002 - all is read anyway
    ) -> Any:
        return users.resource_of(self._model, self._view(resource_id))

    def search(
        self,
        resource_types: list[ResourceType],  # noqa: ARG002 - there is one
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002 - no cursors
    ) -> SearchPage:
        work = browser.work()
        base = _accounts().where(condition(search_request.filter))
        counted = base.with_only_columns(func.count(Account.id))
        total = work.db.scalar(counted) or 0
        rows: list[Account] = []
        first = search_request.start_index_0 or 0
        if search_request.count != 0 and first < total:
            page = base.order_by(*_order(search_request)).offset(first)
            rows = list(work.db.scalars(page.limit(search_request.count)))
        found = [users.resource_of(self._model, view) for view in users.views(work, rows)]
        return SearchPage(total, found)

    def create(self, resource_type: ResourceType, resource: Any) -> Any:
        account, is_new = users.create(browser.work(), pusher(), resource)
        g.scim_repeated = not is_new
        return self.get(resource_type, account.subject)

    def update(
        self, resource_type: ResourceType, resource: Any, *, expected_version: str | None = None
    ) -> Any:
        view = self._held(resource.id, expected_version)
        users.update(browser.work(), pusher(), view, resource)
        return self.get(resource_type, resource.id)

    def delete(
        self,
        resource_type: ResourceType,  # noqa: ARG002 - there is one
        resource_id: str,
        *,
        expected_version: str | None = None,
    ) -> None:
        users.delete(browser.work(), self._held(resource_id, expected_version))

    def _view(self, resource_id: str, *, lock: bool = False) -> View:
        work = browser.work()
        where = (Account.subject == resource_id[:40], Account.state != AccountState.DEACTIVATED)
        if lock:
            # A write that changes nothing: from here on nobody else writes this account, on every
            # database, and what is read is what the last one left.
            work.db.flush()
            work.db.execute(
                update(Account)
                .where(*where)
                .values(subject=Account.subject)
                .execution_options(synchronize_session=False)
            )
            work.db.expire_all()
        account = work.db.scalar(select(Account).where(*where))
        if account is None:
            raise NotFoundException
        return users.views(work, [account])[0]

    def _held(self, resource_id: str, expected_version: str | None) -> View:
        """The account, locked until the push is done, still in the version that was read."""
        view = self._view(resource_id, lock=True)
        if expected_version is not None:
            version = users.resource_of(self._model, view).meta.version
            if version != expected_version:
                raise PreconditionFailedException
        return view


def pusher() -> Client:
    """The OAuth client behind this request."""
    client: Client = g.scim_pusher
    return client


def _accounts() -> Select[Account]:
    return (
        select(Account)
        .join(Person, Person.id == Account.person_id)
        .outerjoin(Provisioned, Provisioned.account_id == Account.id)
        .where(Account.state != AccountState.DEACTIVATED)
    )


def _order(search_request: SearchRequest[Any]) -> list[Any]:
    if search_request.sort_by is None:
        return [Account.id]
    column = sort_column(str(search_request.sort_by))
    descending = search_request.sort_order == SearchRequest.SortOrder.descending
    return [column.desc() if descending else column.asc(), Account.id]
