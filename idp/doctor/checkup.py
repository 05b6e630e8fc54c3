"""Run the checks one after another. One that fails or does not end is a fault, and the next one
runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from idp.doctor import local_checks, reach_checks, stored_checks
from idp.doctor.findings import Check, Finding, Installation, Level, fault

__all__ = ["CHECKS", "Finding", "Installation", "Level", "run"]

#: The checks by name, from what the others need to what needs others.
CHECKS: Mapping[str, Check] = {
    "settings": local_checks.check_settings,
    "secrets": local_checks.check_secrets,
    "clock": local_checks.check_clock,
    "disk": local_checks.check_disk,
    "proxy": local_checks.check_proxies,
    "database": stored_checks.check_database,
    "migrations": stored_checks.check_migrations,
    "database-clock": stored_checks.check_clock,
    "keys": stored_checks.check_keys,
    "audit": stored_checks.check_audit,
    "worker": stored_checks.check_worker,
    "pushers": stored_checks.check_pushers,
    "redis": reach_checks.check_redis,
    "mail": reach_checks.check_mail,
    "text-messages": reach_checks.check_text_messages,
    "traces": reach_checks.check_traces,
    "tls": reach_checks.check_tls,
    "discovery": reach_checks.check_discovery,
    "forward-auth": reach_checks.check_forward_auth,
    "scim": reach_checks.check_scim,
}
#: Seconds for a check.
SECONDS = 15.0


def run(
    installation: Installation,
    *,
    checks: Mapping[str, Check] = CHECKS,
    seconds: float = SECONDS,
    begins: Callable[[str], None] = lambda _name: None,
) -> Iterator[tuple[str, Finding]]:
    """The findings of each check, as they come. ``begins`` is called before each check."""
    for name, check in checks.items():
        begins(name)
        for finding in _within(check, installation, seconds):
            yield name, finding


def _within(check: Check, installation: Installation, seconds: float) -> list[Finding]:
    """The findings of a check that has this much time."""
    found: list[Finding] = []

    def call() -> None:
        try:
            found.extend(check(installation))
        except Exception as error:
            # Only the name: the text of an error of a driver could contain an address or a secret.
            text = f"the check failed: {type(error).__name__}"
            found.append(fault(text, "Look at what this check is about, and run it again."))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        advice = "Something does not answer. Check addresses, firewalls and the load."
        return [fault(f"no result within {seconds:g} seconds", advice)]
    return found
