"""SCIM storage of Users: accounts."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import NotFoundException, SearchRequest
from scim2_server.storage import SearchPage

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import provisioned_accounts
from idp.models import Account
from idp.policy.scopes import PushOperation
from registration_bridge import filter_attributes, user_writes
from registration_bridge.filters import of_users
from registration_bridge.paging import page_request
from registration_bridge.pushed_user import PushedUser
from registration_bridge.request_context import base_url, scope
from registration_bridge.resource_changes import check_version, record_change, shown
from registration_bridge.resource_document import ResourceDocument, ResourceKind
from registration_bridge.user_resource import View, document_of, views


class Users:
    """The accounts that are not deactivated."""

    def __init__(self, kind: ResourceKind) -> None:
        self._kind = kind

    def get(self, resource_id: str, _parameters: Any = None) -> ResourceDocument:
        return document_of(self._kind, self._view(resource_id), base_url())

    def _document(self, account: Account) -> ResourceDocument:
        return document_of(self._kind, views(current.work(), scope(), [account])[0], base_url())

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        page = provisioned_accounts.page(
            current.work(),
            scope(),
            of_users(search_request.filter, scope()),
            page_request(search_request, filter_attributes.SORTED_USERS, position),
        )
        base = base_url()
        found: list[Any] = [
            document_of(self._kind, view, base)
            for view in views(current.work(), scope(), page.rows)
        ]
        return SearchPage(page.total, found, page.next, page.previous)

    def create(self, resource: Any) -> ResourceDocument:
        scope().check(PushOperation.CREATE)
        content = resource.model_dump_json(exclude_none=True)
        account, is_new = user_writes.create(
            current.work(), scope(), PushedUser.of(resource), content
        )
        g.scim_repeated = not is_new
        made = self._document(account)
        if is_new:
            events.record(
                current.work(), AuditAction.SCIM_CREATED, account=account, after=shown(made)
            )
        return made

    def update(self, resource: Any, expected_version: str | None) -> ResourceDocument:
        view, before = self._locked(resource.id, expected_version)
        user_writes.update(current.work(), scope(), view, PushedUser.of(resource))
        # After it revokes the last role group, the client may no longer see the account.
        found = self._document(view.account)
        record_change(AuditAction.SCIM_UPDATED, before, found, account=view.account)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        view, _ = self._locked(resource_id, expected_version)
        reason = g.get("scim_reason") or user_writes.REASONS[0]
        left = user_writes.delete(current.work(), scope(), view.account, reason)
        g.setdefault("scim_custody", []).extend(left)

    def _view(self, resource_id: str) -> View:
        work = current.work()
        account = provisioned_accounts.find(work, scope(), resource_id)
        if account is None:
            raise NotFoundException
        return views(work, scope(), [account])[0]

    def _locked(
        self, resource_id: str, expected_version: str | None
    ) -> tuple[View, ResourceDocument]:
        """The account and its document, locked until the push is done, and still in the version
        that was read."""
        provisioned_accounts.lock(current.work(), resource_id)
        view = self._view(resource_id)
        document = document_of(self._kind, view, base_url())
        check_version(document.meta.version, expected_version)
        return view, document
