"""Whether the gateway has a machine account as it is registered."""

from __future__ import annotations

from dataclasses import asdict

from flask import render_template
from flask_babel import gettext

from registration import machine_checks
from registration.current import work
from registration.delegation_rules import Action
from registration.gateway_drift import Drift, DriftKind
from registration.machine_checks import MachineCheck
from registration.pages import task_texts
from registration.pages.machine_answers import at_machine, list_url, machine_url


def show(organization_id: str, machine_id: int) -> str:
    """What the gateway says now."""
    _, machine = at_machine(organization_id, machine_id, Action.SEE_MACHINE)
    found = machine_checks.check(work(), machine)
    # The check has rolled back what was read.
    here, machine = at_machine(organization_id, machine_id, Action.SEE_MACHINE)
    is_good = found.is_there and not found.drifts
    return render_template(
        "machine_check.html",
        organization=here.here,
        machine=machine,
        lines=[gettext("The gateway has this account as it is registered.")]
        if is_good
        else _lines(found),
        kind="good" if is_good else "warn",
        is_waiting=found.is_waiting,
        back=machine_url("pages.machine", here, machine_id),
        again=machine_url("pages.check_machine", here, machine_id),
        list_url=list_url(here),
    )


def _lines(found: MachineCheck) -> list[str]:
    if found.unreachable:
        return [gettext("The gateway does not answer. Try again later.")]
    if not found.is_there:
        return [gettext("The gateway does not have this account.")]
    return [_line(one) for one in found.drifts]


def _line(drift: Drift) -> str:
    data = asdict(drift)
    if drift.kind is DriftKind.VALUES:
        return str(gettext("These values differ: %(words)s.", words=task_texts.value_words(data)))
    words = task_texts.access_words(data)
    return str(gettext("Its access roles differ. %(words)s", words=words))
