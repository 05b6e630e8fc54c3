"""The first load of an installation: many Users from a file, by the rules of a push.

Each line is a User as a client of the bridge would POST it. A batch of lines is one transaction.
Their rows are gathered and written together (``idp.gathering``); a line that needs more than was
read ahead for its batch is done alone, as a push would be, after the lines before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO

from pydantic import ValidationError
from scim2_models import Context, InvalidValueException, SCIMException
from scim2_server.service import scim_exception_of

from idp import client_records
from idp.audit import events
from idp.audit.actions import AuditAction, ProtocolCode
from idp.directory import account_load
from idp.directory.provisioning_scope import ProvisioningScope
from idp.errors import Collision, ServiceError, Unstorable
from idp.gathering import Gathering, NotReadAhead
from idp.policy.scopes import SCIM, PushOperation
from idp.transaction import UnitOfWork
from registration_bridge import error_texts, new_users, normalise, user_writes
from registration_bridge.body_rules import MAX_BODY, PLACES, BodyRules
from registration_bridge.bridge_refusals import NoPusher
from registration_bridge.mapping_profile import Profile
from registration_bridge.pushed_user import PushedUser
from registration_bridge.user_schema import provider

#: Lines of one transaction.
BATCH = 300


class Result(StrEnum):
    """What became of a line."""

    CREATED = "created"
    #: The same line, or the same push, created the account before.
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file that is not empty. ``text`` is cut after the longest body of a push."""

    number: int
    text: bytes
    #: The bytes of the file up to the end of the line.
    end: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a line; of a refused one with the status, the kind and the text of the error of
    SCIM."""

    line: int
    account: str
    result: Result
    status: int = 201
    kind: str = ""
    detail: str = ""


@dataclass(frozen=True)
class _Entry:
    """A line that was read: the User and the push that it is, or the error."""

    number: int
    user: PushedUser | None
    content: str = ""
    error: SCIMException | None = None

    @property
    def name(self) -> str:
        """The account, as far as the line names it."""
        return "" if self.user is None else self.user.username or self.user.push.external_id or ""

    @property
    def is_alone(self) -> bool:
        """Whether it certainly needs more than is read ahead."""
        return self.user is not None and new_users.is_alone(self.user)


def lines(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file, read one after the other."""
    number = end = 0
    while text := file.readline(MAX_BODY + 2):
        number, rest = number + 1, text
        end += len(text)
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_BODY)):
            end += len(rest)
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if text := text.strip():
            yield Line(number, text, end)


def batches(found: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines of one transaction each."""
    rest = iter(found)
    while batch := list(islice(rest, BATCH)):
        yield batch


class FirstLoad:
    """A load in the name of a client of the bridge, with its scope and its mapping profile."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._provider = provider()
        self._model: Any = self._provider.model_for("User")

    def scope(self, work: UnitOfWork) -> ProvisioningScope:
        """What the client may do. Raises NoPusher."""
        client = client_records.by_client_id(work, self._client_id)
        if client is None or client.disabled_at is not None or SCIM not in client.scopes:
            raise NoPusher(self._client_id)
        return ProvisioningScope.of(client)

    def run(self, work: UnitOfWork, batch: Sequence[Line]) -> list[Outcome]:
        """Create the accounts of the lines in this transaction. A refused line changes nothing but
        the audit log. Raises Collision if another transaction came first: try again."""
        scope = self.scope(work)
        rules = PLACES["Users"].of(Profile.of(scope.client))
        with self._provider:
            entries = [self._read(line, rules) for line in batch]
        return _Batch(work, scope, entries).run()

    def _read(self, line: Line, rules: BodyRules) -> _Entry:
        """As a push is read."""
        try:
            body = normalise.resource(line.text, rules, is_new=True)
            resource = self._validated(body)
            content = resource.model_dump_json(exclude_none=True)
            user = PushedUser.of(resource)
            if not (user.username or user.push.external_id):
                raise InvalidValueException(detail="externalId or userName is required.")
            return _Entry(line.number, user, content)
        except SCIMException as error:
            return _Entry(line.number, None, error=error)

    def _validated(self, body: bytes) -> Any:
        context = Context.RESOURCE_CREATION_REQUEST
        try:
            return self._model.model_validate_json(body, scim_ctx=context)
        except ValidationError as error:
            raise scim_exception_of(error) from error


@dataclass(frozen=True)
class _Batch:
    """The lines of one transaction."""

    work: UnitOfWork
    scope: ProvisioningScope
    entries: Sequence[_Entry]

    def run(self) -> list[Outcome]:
        """See ``FirstLoad.run``."""
        work = self.work
        try:
            with work.savepoint():
                found = self._together()
        except (Collision, Unstorable):
            # One of the rows: each line alone says which.
            found = [self._attempt(work.savepoint(), entry) for entry in self.entries]
        for outcome in found:
            if outcome.result is Result.REFUSED:
                self._record_refusal(outcome)
        return found

    def _together(self) -> list[Outcome]:
        found: list[Outcome] = []
        with self.work.gathered() as gathering:
            is_read = False
            for place, entry in enumerate(self.entries):
                if not entry.is_alone:
                    if not is_read:
                        self._read_ahead(gathering, self.entries[place:])
                        is_read = True
                    try:
                        found.append(self._attempt(gathering.part(), entry))
                        continue
                    except NotReadAhead:
                        pass
                is_read = False
                with self.work.ungathered():
                    found.append(self._attempt(self.work.savepoint(), entry))
        return found

    def _read_ahead(self, gathering: Gathering, entries: Sequence[_Entry]) -> None:
        expected = account_load.Expected()
        for entry in entries:
            user = entry.user
            if user is None:
                continue
            # Participants are locked in one order for the whole batch.
            expected.grants.update(user.grants)
            if entry.is_alone:
                continue
            new_users.expect(expected, user)
        account_load.read_ahead(self.work, gathering, self.scope, expected)

    def _attempt(self, part: AbstractContextManager[None], entry: _Entry) -> Outcome:
        """The line, in a part of the transaction that is rolled back if the line is refused."""
        try:
            with part:
                return self._create(entry)
        except SCIMException as error:
            return _refused(entry, error)
        except Collision:
            raise
        except ServiceError as error:
            return _refused(entry, error_texts.of_refusal(error))

    def _create(self, entry: _Entry) -> Outcome:
        if entry.user is None:
            raise entry.error or InvalidValueException()
        self.scope.check(PushOperation.CREATE)
        account, is_new = user_writes.create(
            self.work, self.scope, entry.user, entry.content, knows_names=True
        )
        if not is_new:
            return Outcome(entry.number, account.username, Result.UNCHANGED, 200)
        client_id = self.scope.client.client_id
        user_writes.record_new(self.work, self.scope, account, entry.user, pusher=client_id)
        return Outcome(entry.number, account.username, Result.CREATED)

    def _record_refusal(self, outcome: Outcome) -> None:
        events.record(
            self.work,
            AuditAction.SCIM_REFUSED,
            reason=ProtocolCode(outcome.kind or str(outcome.status)),
            pusher=self.scope.client.client_id,
            method="POST",
            path="/Users",
            line=outcome.line,
        )


def _refused(entry: _Entry, exception: SCIMException) -> Outcome:
    error = error_texts.error_of(exception)
    return Outcome(
        entry.number,
        entry.name,
        Result.REFUSED,
        error.status or exception.status,
        str(error.scim_type or ""),
        str(error.detail or ""),
    )
