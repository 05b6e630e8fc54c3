"""SCIM storage of Users: accounts."""

from __future__ import annotations

from typing import Any

from flask import g
from scim2_models import NotFoundException, SearchRequest
from scim2_server.storage import SearchPage

from idp import current
from idp.audit.actions import AuditAction
from idp.directory import provisioned_accounts, shown_accounts
from idp.models import Account
from idp.policy.scopes import PushOperation
from registration_bridge import filter_attributes, new_users, user_writes
from registration_bridge.filters import of_users
from registration_bridge.paging import page_request
from registration_bridge.pushed_user import PushedUser
from registration_bridge.request_context import base_url, scope
from registration_bridge.resource_changes import check_version, record_change
from registration_bridge.resource_document import ResourceDocument, ResourceKind
from registration_bridge.user_resource import document_of


class Users:
    """The accounts that are not deactivated."""

    def __init__(self, kind: ResourceKind) -> None:
        self._kind = kind

    def get(self, resource_id: str, _parameters: Any = None) -> ResourceDocument:
        account = shown_accounts.of_subject(current.work(), scope(), resource_id)
        if account is None:
            raise NotFoundException
        return document_of(self._kind, account, base_url())

    def _document(self, account: Account) -> ResourceDocument:
        (shown_account,) = shown_accounts.of_keys(current.work(), scope(), [account.id])
        return document_of(self._kind, shown_account, base_url())

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        page = provisioned_accounts.page(
            current.work(),
            scope(),
            of_users(search_request.filter, scope()),
            page_request(search_request, filter_attributes.SORTED_USERS, position),
        )
        base = base_url()
        found: list[Any] = [document_of(self._kind, account, base) for account in page.rows]
        return SearchPage(page.total, found, page.next, page.previous)

    def create(self, resource: Any) -> ResourceDocument:
        scope().check(PushOperation.CREATE)
        content = resource.model_dump_json(exclude_none=True)
        work, user = current.work(), PushedUser.of(resource)
        made = new_users.create(work, scope(), user, content)
        if made is not None:
            return document_of(self._kind, made, base_url())
        account, is_new = user_writes.create(work, scope(), user, content)
        g.scim_repeated = not is_new
        if not is_new:
            return self._document(account)
        made = user_writes.record_new(work, scope(), account, user)
        return document_of(self._kind, made, base_url())

    def update(self, resource: Any, expected_version: str | None) -> ResourceDocument:
        account, before = self._locked(resource.id, expected_version)
        user_writes.update(current.work(), scope(), account, PushedUser.of(resource))
        # After it revokes the last role group, the client may no longer see the account.
        found = self._document(account)
        record_change(AuditAction.SCIM_UPDATED, before, found, account=account)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        account, _ = self._locked(resource_id, expected_version)
        reason = g.get("scim_reason") or user_writes.REASONS[0]
        left = user_writes.delete(current.work(), scope(), account, reason)
        g.setdefault("scim_custody", []).extend(left)

    def _locked(
        self, resource_id: str, expected_version: str | None
    ) -> tuple[Account, ResourceDocument]:
        """The account and its document, locked until the push is done, and still in the version
        that was read."""
        work = current.work()
        provisioned_accounts.lock(work, resource_id)
        account = provisioned_accounts.find(work, scope(), resource_id)
        if account is None:
            raise NotFoundException
        document = self._document(account)
        check_version(document.meta.version, expected_version)
        return account, document
