"""The state that the modules share while they apply a declaration: changes, faults, secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from idp.clients.client_refusals import RegistrationInvalid
from idp.declarations.declared_fields import Section
from idp.declarations.declared_file import Declaration, Entry, Fault
from idp.errors import Collision, ServiceError, Unstorable
from idp.transaction import UnitOfWork


class FaultyDeclaration(ServiceError):
    """The declaration cannot be applied. ``faults`` has all faults, sorted by line."""

    code = "faulty_declaration"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("; ".join(map(str, self.faults)))


class Action(StrEnum):
    """What changes about an entry."""

    CREATED = "created"
    CHANGED = "changed"
    DISABLED = "disabled"
    ENABLED = "enabled"
    ENDED = "ended"
    RESTORED = "restored"
    #: A second operator must confirm the change.
    PROPOSED = "proposed"


#: The field's name, current value and declared value.
FieldChange = tuple[str, Any, Any]


@dataclass(frozen=True)
class Change:
    """A change of one entry."""

    section: Section
    name: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    #: The id of the proposal that a second operator must confirm. It differs in every run.
    proposal: str = field(default="", compare=False)


@dataclass
class Run:
    """One application of a declaration, and its results."""

    work: UnitOfWork
    declared: Declaration
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    #: The secrets of new clients, by client id. They are shown once.
    secrets: dict[str, str] = field(default_factory=dict)
    #: Proposals of an earlier run, by client id, that still wait for a second operator.
    waiting: dict[str, str] = field(default_factory=dict)
    #: What exists but is not in the file, by section. It stays unchanged.
    unnamed: dict[Section, list[str]] = field(default_factory=dict)

    def note(
        self,
        entry: Entry,
        action: Action,
        *fields: FieldChange,
        proposal: str = "",
    ) -> None:
        """Add a change to the results."""
        self.changes.append(Change(entry.section, entry.name, action, fields, proposal))

    def clients_with_placeholders(self) -> list[str]:
        """The new clients that were registered with a placeholder address."""
        entries = self.declared.entries.get(Section.CLIENTS, {})
        return [
            change.name
            for change in self.changes
            if change.action is Action.CREATED
            and change.section is Section.CLIENTS
            and entries[change.name].placeholders
        ]

    def fault(self, entry: Entry, text: str) -> None:
        """Add a fault, with the line of the value or field that its text mentions."""
        self.faults.append(Fault(_line(entry, text), f"{entry.name}: {text}"))

    @contextmanager
    def collecting(self, entry: Entry) -> Iterator[None]:
        """Convert refusals of the services to faults of the entry. Raises FaultyDeclaration if the
        database refuses, because that ends the transaction."""
        try:
            yield
        except RegistrationInvalid as error:
            for fault in error.faults:
                self.fault(entry, fault.detail)
        except (Collision, Unstorable) as error:
            self.fault(entry, f"the database refused it ({error.detail})")
            raise FaultyDeclaration(self.faults) from error
        except ServiceError as error:
            self.fault(entry, error.detail or error.code)


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[FieldChange, ...]:
    """The fields of ``after`` whose value differs. The order of a list does not matter."""
    return tuple(
        (name, before.get(name), value)
        for name, value in after.items()
        if _comparable(before.get(name)) != _comparable(value)
    )


def _comparable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted(map(str, value))
    return value


def _line(entry: Entry, text: str) -> int:
    """The line of the value that the fault mentions, else of the field, else of the entry."""
    texts = {value: line for value, line in entry.text_lines.items() if len(value) > 2}
    words = text.split()
    found = [line for value, line in texts.items() if repr(value) in text]
    found += [line for value, line in texts.items() if value in words]
    found += [line for name, line in entry.lines.items() if name in words]
    return (found or [entry.line])[0]
