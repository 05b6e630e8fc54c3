"""Apply a declaration in the caller's transaction, and report what changed.

Every entry is tried, so that all faults are reported together. For a dry run, the caller rolls
back. What the file does not list stays unchanged; with ``prune``, unlisted clients are disabled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from idp.clients import registry
from idp.declarations import declared_clients, declared_directory
from idp.declarations.declared_fields import Section
from idp.declarations.declared_file import Declaration, Entry, Fault
from idp.declarations.declared_run import FaultyDeclaration, Run
from idp.directory import participants, role_groups
from idp.transaction import UnitOfWork

#: The order matters: a role group can require a participation, and a client refers to role groups.
_STEPS: Mapping[Section, Callable[[Run, Entry], None]] = {
    Section.PARTICIPANTS: declared_directory.apply_participant,
    Section.ROLE_GROUPS: declared_directory.apply_role_group,
    Section.CLIENTS: declared_clients.apply_client,
}


def apply(work: UnitOfWork, declared: Declaration, *, prune: bool = False) -> Run:
    """Make every change that the declaration needs. Raises FaultyDeclaration with all faults."""
    run = Run(work, declared, faults=list(declared.faults))
    if prune and Section.CLIENTS not in declared.entries:
        run.faults.append(Fault(0, "prune disables clients, and the file has no clients"))
    for section, step in _STEPS.items():
        for entry in declared.of(section):
            if not entry.has_faults:
                step(run, entry)
    run.unnamed = _unnamed(work, declared)
    if prune:
        declared_clients.disable_unnamed(run)
    if run.faults:
        raise FaultyDeclaration(run.faults)
    return run


def _unnamed(work: UnitOfWork, declared: Declaration) -> dict[Section, list[str]]:
    present = {
        Section.PARTICIPANTS: [
            row.number for rows in participants.stream_pages(work) for row in rows
        ],
        Section.ROLE_GROUPS: [group.name for group, _ in role_groups.list_role_groups(work)],
        Section.CLIENTS: [
            row.client_id for row in registry.list_clients(work) if row.disabled_at is None
        ],
    }
    left = {
        section: [name for name in names if not declared.names(section, name)]
        for section, names in present.items()
    }
    return {section: names for section, names in left.items() if names}
