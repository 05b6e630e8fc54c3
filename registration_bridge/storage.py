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
from sqlalchemy import ColumnElement, select, update

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import (
    Account,
    Participant,
    Person,
    ProvisionedAccount,
    ProvisionedGroup,
    RoleGroup,
)
from registration_bridge import group_resource, offered, participant_resource, users
from registration_bridge.filters import (
    COLUMNS,
    GROUP_COLUMNS,
    PARTICIPANT_COLUMNS,
    of_groups,
    of_participants,
    of_users,
)
from registration_bridge.group_resource import MemberChange
from registration_bridge.paging import by_cursor, by_index, page_of
from registration_bridge.reach import Reach
from registration_bridge.user_resource import View, resource_of, views
from registration_bridge.user_schema import MAX_RESULTS

PREFIX = "/scim/v2"


class BridgeStorage(ScimStorage):
    """Three resource types, each with its own part."""

    supports_cursors = True

    def __init__(self, provider: ScimProvider) -> None:
        self._groups = Groups(provider.model_for("Group"))
        self._parts: dict[str | None, Part] = {
            "Participant": Participants(provider.model_for("Participant")),
            "User": Users(provider.model_for("User")),
            "Group": self._groups,
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
        position: Any = None,
    ) -> SearchPage:
        parts = [self._parts[resource_type.name] for resource_type in resource_types]
        if len(parts) == 1:
            return parts[0].search(search_request, position)
        if search_request.sort_by is not None:
            raise NotImplementedException(detail="Only resources of one type are sorted.")
        if search_request.cursor is None:
            return by_index(parts, search_request)
        return by_cursor(parts, search_request, position)

    def create(self, resource_type: ResourceType, resource: Any) -> Any:
        return self._parts[resource_type.name].create(resource)

    def update(
        self, resource_type: ResourceType, resource: Any, *, expected_version: str | None = None
    ) -> Any:
        return self._parts[resource_type.name].update(resource, expected_version)

    def begin_group(self, resource_id: str) -> Any:
        """The group without its members, locked until the push is done."""
        return self._groups.begin(resource_id)

    def change_group(self, resource_id: str, group: Any | None, changes: list[MemberChange]) -> Any:
        """Change names, if a group is given, and members; the group with its members, unless they
        are too many to show."""
        return self._groups.change(resource_id, group, changes)

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
        return resource_of(self._model, self._view(resource_id))

    def _resource(self, account: Account) -> Any:
        return resource_of(self._model, views(current.work(), reach(), [account])[0])

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        base = select(Account).where(Account.is_open(current.work().now), reach().visible())
        if search_request.filter is not None or search_request.sort_by is not None:
            # Whoever asks for all of them needs not count by three tables.
            base = (
                base.join(Person, Person.id == Account.person_id)
                .outerjoin(ProvisionedAccount, ProvisionedAccount.account_id == Account.id)
                .where(of_users(search_request.filter, reach().of_participants()))
            )
        page = page_of(current.work(), base, Account.id, search_request, COLUMNS, position)
        found = views(current.work(), reach(), page.rows)
        resources = [resource_of(self._model, view) for view in found]
        return SearchPage(page.total, resources, page.next, page.previous)

    def create(self, resource: Any) -> Any:
        account, is_new = users.create(current.work(), reach(), resource)
        g.scim_repeated = not is_new
        made = self._resource(account)
        if is_new:
            events.record(
                current.work(), AuditAction.SCIM_CREATED, account=account, after=_shown(made)
            )
        return made

    def update(self, resource: Any, expected_version: str | None) -> Any:
        view, held = self._held(resource.id, expected_version)
        before = _shown(held)
        users.update(current.work(), reach(), view, resource)
        # Whoever took the last role group of a participant may see the account no more.
        found = self._resource(view.account)
        _record_change(AuditAction.SCIM_UPDATED, before, _shown(found), account=view.account)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        view, _ = self._held(resource_id, expected_version)
        left = users.delete(current.work(), reach(), view, g.get("scim_reason") or users.REASONS[0])
        g.setdefault("scim_custody", []).extend(left)

    def _view(self, resource_id: str) -> View:
        work = current.work()
        account = work.db.scalar(select(Account).where(*_living(resource_id), reach().visible()))
        if account is None:
            raise NotFoundException
        return views(work, reach(), [account])[0]

    def _held(self, resource_id: str, expected_version: str | None) -> tuple[View, Any]:
        """The account and its resource, locked until the push is done, still in the version that
        was read."""
        _lock(Account, *_living(resource_id))
        view = self._view(resource_id)
        resource = resource_of(self._model, view)
        _check(resource.meta.version, expected_version)
        return view, resource


def _living(resource_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Account.subject == resource_id[:40], Account.is_open(current.work().now))


class Groups:
    """The role groups that the registration system knows, each at one participant."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get(self, resource_id: str, parameters: Any = None) -> Any:
        view = self._view(resource_id, with_members=_wants_members(parameters))
        return self._resource(view)

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        offered.offer(current.work(), reach())
        base = (
            select(ProvisionedGroup)
            .join(RoleGroup, RoleGroup.id == ProvisionedGroup.role_group_id)
            .join(Participant, Participant.id == ProvisionedGroup.participant_id)
            .where(of_groups(search_request.filter), reach().of_participants())
        )
        page = page_of(
            current.work(),
            base,
            ProvisionedGroup.id,
            search_request,
            GROUP_COLUMNS,
            position,
        )
        with_members = _wants_members(search_request)
        found = group_resource.views(current.work(), page.rows, with_members=with_members)
        resources = [self._resource(view) for view in found]
        return SearchPage(page.total, resources, page.next, page.previous)

    def create(self, resource: Any) -> Any:
        row, is_new = group_resource.create(current.work(), reach(), resource)
        g.scim_repeated = not is_new
        return self.get(row.public_id)

    def update(self, resource: Any, expected_version: str | None) -> Any:
        view = self._held(resource.id, expected_version)
        group_resource.update(current.work(), reach(), view, resource)
        return self.get(resource.id)

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        group_resource.delete(current.work(), reach(), self._held(resource_id, expected_version))

    def begin(self, resource_id: str) -> Any:
        return self._resource(self._held(resource_id, None))

    def change(self, resource_id: str, group: Any | None, changes: list[MemberChange]) -> Any:
        view = self._view(resource_id, with_members=False)
        group_resource.change(current.work(), reach(), view.row, group, changes)
        g.scim_is_large = group_resource.size(current.work(), view.row) > MAX_RESULTS
        return self._resource(self._view(resource_id, with_members=not g.scim_is_large))

    def _resource(self, view: group_resource.View) -> Any:
        return group_resource.resource_of(
            self._model, view, current.runtime().settings.issuer + PREFIX
        )

    def _view(self, resource_id: str, *, with_members: bool) -> group_resource.View:
        work = current.work()
        query = (
            select(ProvisionedGroup)
            .join(ProvisionedGroup.participant)
            .where(ProvisionedGroup.public_id == resource_id[:40], reach().of_participants())
        )
        row = work.db.scalar(query)
        if row is None:
            raise NotFoundException
        return group_resource.views(work, [row], with_members=with_members)[0]

    def _held(self, resource_id: str, expected_version: str | None) -> group_resource.View:
        _lock(ProvisionedGroup, ProvisionedGroup.public_id == resource_id[:40])
        view = self._view(resource_id, with_members=False)
        _check(view.version, expected_version)
        return view


class Participants:
    """The participants that registration has not removed."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get(self, resource_id: str, _parameters: Any = None) -> Any:
        return participant_resource.resource_of(current.work(), self._model, self._row(resource_id))

    def search(self, search_request: SearchRequest[Any], position: Any) -> SearchPage:
        base = select(Participant).where(
            of_participants(search_request.filter),
            Participant.removed_at.is_(None),
            reach().of_participants(),
        )
        page = page_of(
            current.work(),
            base,
            Participant.id,
            search_request,
            PARTICIPANT_COLUMNS,
            position,
        )
        resources = participant_resource.resources_of(current.work(), self._model, page.rows)
        return SearchPage(page.total, resources, page.next, page.previous)

    def create(self, resource: Any) -> Any:
        row, is_new = participant_resource.create(current.work(), reach(), resource)
        g.scim_repeated = not is_new
        return participant_resource.resource_of(current.work(), self._model, row)

    def update(self, resource: Any, expected_version: str | None) -> Any:
        row, held = self._held(resource.id, expected_version)
        before = _shown(held)
        participant_resource.update(current.work(), reach(), row, resource)
        found = participant_resource.resource_of(current.work(), self._model, row)
        after = _shown(found)
        _record_change(AuditAction.SCIM_PARTICIPANT_UPDATED, before, after, participant=row.number)
        return found

    def delete(self, resource_id: str, expected_version: str | None) -> None:
        row, _ = self._held(resource_id, expected_version)
        participant_resource.delete(current.work(), reach(), row)

    def _row(self, resource_id: str) -> Participant:
        row = current.work().db.scalar(
            select(Participant).where(
                Participant.number == resource_id[:40],
                Participant.removed_at.is_(None),
                reach().of_participants(),
            )
        )
        if row is None:
            raise NotFoundException
        return row

    def _held(self, resource_id: str, expected_version: str | None) -> tuple[Participant, Any]:
        _lock(Participant, Participant.number == resource_id[:40])
        row = self._row(resource_id)
        held = participant_resource.resource_of(current.work(), self._model, row)
        _check(held.meta.version, expected_version)
        return row, held


def _wants_members(parameters: Any) -> bool:
    """Whether an answer shows members: large groups are asked for without them."""
    if parameters is None:
        return True
    excluded = {str(path).casefold() for path in parameters.excluded_attributes or ()}
    chosen = {str(path).casefold() for path in parameters.attributes or ()}
    if "members" in excluded:
        return False
    return not chosen or any("members" in path for path in chosen)


def _lock(
    model: type[Account | ProvisionedGroup | Participant], *where: ColumnElement[bool]
) -> None:
    """A write that changes nothing: from here on nobody else writes this row, on every database,
    and what is read is what the last one left."""
    work = current.work()
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


def _shown(resource: Any) -> dict[str, Any]:
    """What a resource says, for the trail."""
    shown: dict[str, Any] = resource.model_dump(
        scim_ctx=None, mode="json", by_alias=True, exclude_none=True
    )
    for part in (shown, *(value for value in shown.values() if isinstance(value, dict))):
        part.pop("schemas", None)
    return {name: value for name, value in shown.items() if name not in ("meta", "id")}


def _record_change(
    event: AuditAction, before: dict[str, Any], after: dict[str, Any], **about: Any
) -> None:
    """What is another one than before, if anything is."""
    if after != before:
        events.record(
            current.work(),
            event,
            before=_but(before, after),
            after=_but(after, before),
            **about,
        )


def _but(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The values that are not the same there."""
    return {name: value for name, value in values.items() if others.get(name) != value}


def reach() -> Reach:
    """How far this request may go."""
    found: Reach = g.scim_reach
    return found


Part = Users | Groups | Participants
