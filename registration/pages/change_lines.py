"""Changes of roles as lines of a table, and what they entail as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from hosted_pages.languages import day, is_french
from hosted_pages.texts import complete
from registration import current, identity_changes, own_lists
from registration.access_batches import Trial
from registration.access_changes import AccountKey, Cell, Change, ConflictKind, Plan
from registration.delegation import Refused
from registration.delegation_facts import AccountKind
from registration.delegation_texts import next_steps, sentence
from registration.dry_runs import DryRun
from registration.grid_query import column_of
from registration.models import Organization, Request
from registration.organization_facts import names
from registration.role_grid import Column

_CONFLICTS = complete(
    ConflictKind,
    {
        ConflictKind.GRANTED: _("Somebody else has granted this role."),
        ConflictKind.REVOKED: _("Somebody else has revoked this role."),
        ConflictKind.CHANGED_BACK: _("Somebody else has changed this role and changed it back."),
        ConflictKind.TWICE: _("This role is changed twice in the same batch."),
    },
)


#: What the gateway names, an entry for each account.
Effects = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Line:
    """One change."""

    name: str
    id: str
    grants: bool
    role: str
    heading: str
    remarks: tuple[str, ...] = ()
    is_refused: bool = False


def lines_of(changes: Iterable[Change], plan: Plan, here: Organization) -> list[Line]:
    """The changes in order, each with what stands against it."""
    asked = [one for one in changes if one.cell not in plan.unchanged or _stands_against(one, plan)]
    shown = _Names([one.cell for one in asked])
    return [
        shown.line(one.cell, grants=one.grants, remarks=tuple(remarks(one, plan, here)))
        for one in asked
    ]


def lines_of_request(order: Request) -> list[Line]:
    """What a request for access roles ordered."""
    data: dict[str, list[dict[str, str]]] = order.data
    ended, added = ([_cell(one) for one in data.get(name, [])] for name in ("ended", "added"))
    shown = _Names([*ended, *added])
    return [shown.line(cell, grants=cell in added) for cell in (*ended, *added)]


def reminders(changes: Iterable[Change], here: Organization) -> list[str]:
    """Whose identity should be proofed again before a grant."""
    return reminders_of(
        (
            one.cell.account.id
            for one in changes
            if one.grants and one.cell.account.kind is AccountKind.PERSON
        ),
        here,
    )


def reminders_of(people: Iterable[str], here: Organization) -> list[str]:
    """The same for people (Person IDs) who would get a role."""
    work = current.work()
    changed = identity_changes.since_last_grant(work, here, people)
    full_names = names(work, changed)
    return [
        gettext(
            "The name, e-mail address or phone number of %(name)s changed on %(day)s, after "
            "the last grant. Check this person's identity again if your organization requires it.",
            name=full_names[one],
            day=day(at),
        )
        for one, at in changed.items()
    ]


def obstacles(trial: Trial) -> list[str]:
    """Why the batch cannot be confirmed, apart from what its lines say."""
    found = []
    if trial.plan.denied:
        found.append(gettext("You may not make some of these changes."))
    if trial.plan.conflicts:
        found.append(
            gettext("Others have changed some of these roles. Read the list again, then decide.")
        )
    found += _kept(trial.plan)
    found += [
        gettext("The gateway refuses the change for %(id)s: %(words)s", id=key.id, words=words)
        for key, words in trial.refusals
    ]
    return found


def reasons(plan: Plan, here: Organization) -> list[str]:
    """Why a batch of one change is not possible."""
    denied = [line for one in plan.denied for line in refusal_lines(one.refused, here)]
    return [*denied, *(_CONFLICTS.of(one.kind) for one in plan.conflicts), *_kept(plan)]


def _kept(plan: Plan) -> list[str]:
    return [
        gettext(
            "The custodian of %(machine)s would lose the last role. Hand the machine over first.",
            machine=machine.userid,
        )
        for machine in plan.custodies
    ]


def effects(trial: Trial) -> list[str]:
    """What will happen, in sentences: what the gateway named when it tried."""
    if trial.unreachable:
        return [_unreachable()]
    found = [gettext("The change takes effect within seconds, at the next sign-in or token.")]
    if any(cell.account.kind is AccountKind.MACHINE for cell in trial.plan.ended):
        found.append(gettext("Programs in production that use these roles may stop."))
    return [*found, *_first(trial.new_organization), *_named(trial.effects)]


def effects_of(tried: DryRun) -> list[str]:
    """What the gateway named when it tried, or that it did not answer."""
    if tried.unreachable:
        return [_unreachable()]
    return [*_first(tried.new_organization), *_some(tried), *_named(tried.effects)]


def _some(tried: DryRun) -> list[str]:
    """That many accounts change, and the gateway tried some."""
    if not tried.untried:
        return []
    some = len(tried.effects)
    return [
        gettext(
            "The gateway tried the change for the first %(some)s of %(all)s accounts. The effects "
            "that follow are those of these accounts.",
            all=some + tried.untried,
            some=some,
        )
    ]


def refusals_of(tried: DryRun) -> list[str]:
    """What the gateway refuses, in its own words."""
    return [gettext("The gateway refuses the change: %(words)s", words=one)
            for one in tried.refusals]  # fmt: skip


def _first(new_organization: str) -> list[str]:
    if not new_organization:
        return []
    return [
        gettext(
            "The gateway does not know the organization %(number)s yet. It is created there first, "
            "so the effects of its roles are not known.",
            number=new_organization,
        )
    ]


def _unreachable() -> str:
    return str(
        gettext(
            "The gateway does not answer, so its effects are not known. The change will be carried "
            "out as soon as the gateway is back."
        )
    )


def _named(effects: Effects) -> list[str]:
    found = list(_lost(effects))
    sessions = sum(int(one.get("sessions", 0)) for one in effects)
    if sessions:
        found.append(ngettext("%(num)s session ends.", "%(num)s sessions end.", sessions))
    return [*found, *_mails(effects)]


def _lost(effects: Effects) -> Iterator[str]:
    lost: dict[str, int] = {}
    for one in effects:
        for row in one.get("applications", []):
            lost[row["name"]] = lost.get(row["name"], 0) + int(row["accounts"])
    for name, count in sorted(lost.items()):
        yield ngettext(
            "%(num)s account can no longer open %(name)s.",
            "%(num)s accounts can no longer open %(name)s.",
            count,
            name=name,
        )


def _mails(effects: Effects) -> Iterator[str]:
    to: set[str] = set()
    count = 0
    for one in effects:
        for row in one.get("mails", []):
            count += int(row["count"])
            to.update(row.get("to", []))
    if count:
        yield ngettext(
            "The gateway sends %(num)s e-mail to %(to)s.",
            "The gateway sends %(num)s e-mails to %(to)s.",
            count,
            to=", ".join(sorted(to)),
        )


def refusal_lines(refused: Refused, here: Organization) -> list[str]:
    """Why delegation refuses, and who can."""
    return [sentence(refused.reason, gettext), *who_lines(refused, here)]


def who_lines(refused: Refused, here: Organization) -> list[str]:
    """Who can, with telephone."""
    return list(next_steps(refused, here.name, _reachable(refused), gettext))


def _reachable(refused: Refused) -> dict[str, str]:
    """Name and telephone of the people whom a refusal names."""
    wanted = [person for one in refused.who_can for person in one.people]
    return {
        row.person_id: ", ".join(filter(None, (row.full_name, row.main_phone)))
        for row in own_lists.persons(current.work(), wanted)
    }


def remarks(change: Change, plan: Plan, here: Organization) -> Iterator[str]:
    """What stands against this change of a batch."""
    for one in plan.denied:
        if one.cell == change.cell:
            yield from refusal_lines(one.refused, here)
    for conflict in plan.conflicts:
        if conflict.cell == change.cell:
            yield _CONFLICTS.of(conflict.kind)


def _stands_against(change: Change, plan: Plan) -> bool:
    against: list[Any] = [*plan.denied, *plan.conflicts]
    return any(one.cell == change.cell for one in against)


class _Names:
    """The names of the accounts and roles of some cells."""

    def __init__(self, cells: list[Cell]) -> None:
        self._people = names(current.work(), (cell.account.id for cell in cells))
        self._roles = {
            role.code: column_of(role, is_french=is_french())
            for role in own_lists.access_roles(current.work(), (cell.role for cell in cells))
        }

    def line(self, cell: Cell, *, grants: bool, remarks: tuple[str, ...] = ()) -> Line:
        unknown = Column(cell.role, cell.role, "", "")
        role = self._roles.get(cell.role, unknown)
        account = cell.account.id
        name = self._people.get(account, account)
        return Line(name, account, grants, role.name, role.heading, remarks, bool(remarks))


def _cell(named: dict[str, str]) -> Cell:
    return Cell(AccountKey(AccountKind(named["kind"]), named["id"]), named["role"])
