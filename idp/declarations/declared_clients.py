"""Apply the clients of a declaration.

As in the console, a change to a client with the scope ``scim`` becomes a proposal for a second
operator (docs/decisions/0021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idp.clients import client_data, client_proposals, logos, proposal_contents, registry
from idp.clients.client_data import ClientData
from idp.declarations.declared_fields import Section
from idp.declarations.declared_file import Entry
from idp.declarations.declared_run import Action, Change, Run, differences
from idp.directory import role_groups
from idp.directory.separation_of_duties import needs_dual_control
from idp.errors import NotFound
from idp.models import Client, ProposalKind


def apply_client(run: Run, entry: Entry) -> None:
    """Register or change a client, and enable or disable it. Faults are added to the run. Raises
    FaultyDeclaration if the database refuses the change."""
    given = dict(entry.values)
    is_disabled = given.pop("disabled", None)
    groups: tuple[str, ...] | None = given.pop("role_groups", None)
    with run.collecting(entry):
        if "keys" in given:
            from idp.credentials.assertions import client_key

            given["keys"] = tuple(client_key(text) for text in given["keys"])
        if isinstance(image := given.get("logo"), bytes):
            given["logo"] = logos.store(run.work, image)
        if groups is not None:
            groups = _known_groups(run, entry, groups)
        client = registry.find(run.work, entry.name)
        if client is None:
            _create(run, entry, given, groups)
            client = registry.find(run.work, entry.name)
        else:
            _update(run, entry, client, given, groups)
        if client is not None and is_disabled is not None:
            _switch(run, entry, client, is_disabled=is_disabled)


def disable_unnamed(run: Run) -> None:
    """Disable the clients that the file does not list."""
    for client_id in run.unnamed.pop(Section.CLIENTS, []):
        registry.disable(run.work, registry.get(run.work, client_id))
        run.changes.append(Change(Section.CLIENTS, client_id, Action.DISABLED))


def _known_groups(run: Run, entry: Entry, groups: tuple[str, ...]) -> tuple[str, ...]:
    """The role groups that exist. A missing one is a fault, except if the file declares it: then
    its own entry already has a fault."""
    known = []
    for name in groups:
        try:
            known.append(role_groups.by_name(run.work, name).name)
        except NotFound:
            if not run.declared.names(Section.ROLE_GROUPS, name):
                run.fault(entry, f"no role group {name!r}")
    return tuple(known)


def _create(run: Run, entry: Entry, given: dict[str, Any], groups: tuple[str, ...] | None) -> None:
    if not given.get("name"):
        run.fault(entry, "a new client needs a name")
        return
    data = client_data.of_new_client(given)
    if _is_waiting(run, entry, data, groups, ProposalKind.CREATE):
        return
    outcome = client_proposals.create(run.work, data, client_id=entry.name, groups=groups)
    defaults = client_data.to_json(ClientData(name=""))
    shown = client_data.to_json(data) | {"role_groups": list(groups or ())}
    changed = tuple((name, None, value) for name, _, value in differences(defaults, shown))
    _note(run, entry, outcome, Action.CREATED, changed)


def _update(
    run: Run,
    entry: Entry,
    client: Client,
    given: dict[str, Any],
    groups: tuple[str, ...] | None,
) -> None:
    # A placeholder address never replaces a real one.
    given = {name: value for name, value in given.items() if name not in entry.placeholders}
    before = client_data.describe(client)
    before["role_groups"] = [group.name for group in client.role_groups]
    data = replace(client_data.current_data(client), **given)
    after = {k: v for k, v in client_data.to_json(data).items() if k in given}
    if groups is not None:
        after["role_groups"] = list(groups)
    changed = differences(before, after)
    if not changed or _is_waiting(run, entry, data, groups, ProposalKind.UPDATE):
        return
    if all(name == "role_groups" for name, _, _ in changed) and not needs_dual_control(data.scopes):
        # Only the visible role groups change, so there is no event about the registration.
        registry.set_visible_groups(
            run.work, client, [role_groups.by_name(run.work, name) for name in groups or ()]
        )
        run.note(entry, Action.CHANGED, *changed)
        return
    outcome = client_proposals.update(run.work, client, data, groups=groups)
    _note(run, entry, outcome, Action.CHANGED, changed)


def _switch(run: Run, entry: Entry, client: Client, *, is_disabled: bool) -> None:
    if is_disabled == (client.disabled_at is not None):
        return
    if is_disabled:
        registry.disable(run.work, client)
        run.note(entry, Action.DISABLED)
        return
    if waiting := _pending(run, entry, ProposalKind.ENABLE, {}):
        run.waiting[entry.name] = waiting
        return
    _note(run, entry, client_proposals.enable(run.work, client), Action.ENABLED, ())


def _is_waiting(
    run: Run,
    entry: Entry,
    data: ClientData,
    groups: tuple[str, ...] | None,
    kind: ProposalKind,
) -> bool:
    """Whether the same change is already proposed."""
    if not needs_dual_control(data.scopes):
        return False
    same = _pending(run, entry, kind, proposal_contents.to_json(data, groups))
    if same:
        run.waiting[entry.name] = same
    return bool(same)


def _pending(run: Run, entry: Entry, kind: ProposalKind, details: Mapping[str, Any]) -> str:
    for row in client_proposals.list_pending(run.work):
        if (row.client_id, row.kind, row.data) == (entry.name, kind, details):
            return row.public_id
    return ""


def _note(
    run: Run,
    entry: Entry,
    outcome: client_proposals.Outcome,
    action: Action,
    changed: tuple[tuple[str, Any, Any], ...],
) -> None:
    if outcome.secret:
        run.secrets[entry.name] = outcome.secret
    proposal = outcome.proposal.public_id if outcome.proposal else ""
    run.note(entry, Action.PROPOSED if proposal else action, *changed, proposal=proposal)
