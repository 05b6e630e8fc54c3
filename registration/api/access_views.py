"""The grid of an organization for programs, and its changes: tried and ordered in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, url_for

from registration import access_batches, current, grid_query, role_grid
from registration.access_batches import BatchNotPossible, Trial
from registration.access_changes import AccountKey, Cell, Change
from registration.api import parameters
from registration.api.list_views import shown
from registration.api.token_gate import require_fresh_factor
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.pages import change_lines, standing
from registration.pages.role_grid_pages import CHANGES, MAX_CHANGES, changer
from registration.pages.standing import Standing
from registration.problems import Problem
from registration.role_grid import Row, Wanted

MEMBERS = {"changes": list, "why": str, "attested": bool, "preview": bool}
CHANGE = {"action": str, "kind": str, "id": str, "role": str, "version": int}
ACTIONS = {"grant": True, "revoke": False}
MAX_WHY = 500


def roles(organization_id: str) -> dict[str, Any]:
    """People or machines and the access roles that they hold, as of now or of a past day."""
    here = standing.at(organization_id)
    query = parameters.known("kind", "id", "q", "role", "at", "start", "limit")
    kind = AccountKind(parameters.one_of(query, "kind", _kinds(), AccountKind.PERSON))
    start = parameters.number(query, "start", 0, 10**9)
    limit = parameters.number(query, "limit", 100, 500, 1)
    at = parameters.as_of(query)
    account = query.get("id", "")
    # Somebody who grants finds everybody (RG-04), so that a former holder's versions are known too.
    is_anybody = all(here.may(one) for one in (*CHANGES, Action.SEARCH_PERSONS))
    whole = grid_query.grid(
        current.work(), here.here, kind, at,
        is_french=False, account=account, is_anybody=is_anybody,
    )  # fmt: skip
    wanted = Wanted(text=query.get("q", ""), role=query.get("role", ""))
    grid = role_grid.arranged(whole, wanted)
    following = None
    if start + limit < len(grid.rows):
        following = parameters.following("api.roles", query, start=str(start + limit))
    return {
        "organization": {"id": here.here.organization_id, "name": here.here.name},
        "kind": kind,
        "roles": [
            {"code": one.code, "name": one.name, "description": one.description,
             "market": one.heading}
            for one in grid.columns
        ],
        "rows": [_row(one) for one in grid.rows[start : start + limit]],
        "total": len(grid.rows),
        "next": following,
    }  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    return {
        "id": row.account.id,
        "name": row.name,
        "username": row.username,
        "holds": [
            {"role": code, "since": one.since.isoformat(), "granted_by": one.given_by,
             "until": one.until.isoformat() if one.until else None}
            for code, one in sorted(row.holdings.items())
        ],
        "versions": dict(sorted(row.versions.items())),
    }  # fmt: skip


@dataclass(frozen=True)
class _Order:
    """What the body of a change asks for."""

    changes: tuple[Change, ...]
    why: str
    is_attested: bool
    is_preview: bool


def change(organization_id: str) -> Response:
    """Grant and revoke: the gateway tries the changes, then all are ordered or none. With
    ``preview`` nothing is ordered."""
    here = changer(organization_id)
    parameters.known()
    asked = _order()
    require_fresh_factor()
    work = current.work()
    trial = access_batches.attempt(work, here.actor, here.here, asked.changes)
    # The trial has rolled back what was read.
    here = standing.at(organization_id)
    found = _outcome(asked.changes, trial, here)
    if asked.is_preview:
        return jsonify(found)
    if not trial.is_possible:
        raise Problem("batch_not_possible", **found)
    if not (trial.plan.added or trial.plan.ended):
        return jsonify(found)
    try:
        order = access_batches.order(
            work, here.actor, here.here, asked.changes, why=asked.why,
            is_attested=asked.is_attested,
        )  # fmt: skip
    except BatchNotPossible as error:
        raise Problem(
            "batch_not_possible", **_outcome(asked.changes, Trial(error.plan), here)
        ) from error
    response = jsonify(found | {"request": shown(order)})
    response.status_code = 201
    response.headers["Location"] = url_for("api.request", number=order.number)
    return response


def _outcome(changes: tuple[Change, ...], trial: Trial, here: Standing) -> dict[str, Any]:
    """What comes of each change, what stands against them, whose identity
    should be checked again (TM-10), and what the gateway ends."""
    changes_something = trial.is_possible and bool(trial.plan.added or trial.plan.ended)
    return {
        "possible": trial.is_possible,
        "changes": [
            {
                "action": "grant" if one.grants else "revoke",
                "kind": one.cell.account.kind,
                "id": one.cell.account.id,
                "role": one.cell.role,
                "remarks": list(change_lines.remarks(one, trial.plan, here.here)),
            }
            for one in changes
        ],
        "obstacles": [] if trial.is_possible else change_lines.obstacles(trial),
        "reminders": change_lines.reminders(changes, here.here),
        "effects": change_lines.effects(trial) if changes_something else [],
        "request": None,
    }


def _order() -> _Order:
    """The body."""
    sent = parameters.body()
    parameters.check(sent, MEMBERS)
    changes = sent.get("changes", [])
    if not 1 <= len(changes) <= MAX_CHANGES:
        raise parameters.bad("changes")
    why = " ".join(sent.get("why", "").split())
    if len(why) > MAX_WHY or not why.isprintable():
        raise parameters.bad("why")
    return _Order(
        tuple(_change(one, number) for number, one in enumerate(changes)),
        why,
        sent.get("attested", False),
        sent.get("preview", False),
    )


def _change(sent: Any, place: int) -> Change:
    name = f"changes[{place}]"
    if not isinstance(sent, dict):
        raise parameters.bad(name)
    parameters.check(sent, CHANGE, f"{name}.")
    for key in ("action", "id", "role"):
        if not sent.get(key) or len(sent[key]) > 254 or role_grid.SEPARATOR in sent[key]:
            raise parameters.bad(f"{name}.{key}")
    kind, version = sent.get("kind", AccountKind.PERSON), sent.get("version", 0)
    if sent["action"] not in ACTIONS:
        raise parameters.bad(f"{name}.action")
    if kind not in _kinds():
        raise parameters.bad(f"{name}.kind")
    if not 0 <= version < 10**9:
        raise parameters.bad(f"{name}.version")
    cell = Cell(AccountKey(AccountKind(kind), sent["id"]), sent["role"])
    return Change(cell, ACTIONS[sent["action"]], version)


def _kinds() -> set[str]:
    return {str(one) for one in (AccountKind.PERSON, AccountKind.MACHINE)}
