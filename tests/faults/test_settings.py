"""Processes with settings that must not be used (R24, N93)."""

from __future__ import annotations

import pytest

from tests.faults.installation import Installation

#: A command, a change of its settings, and what it says of it.
WRONG = {
    "no secret": ("serve", {"IDP_SECRET_KEY": ""}, "IDP_SECRET_KEY"),
    "no key for keys": ("worker", {"IDP_KEY_ENCRYPTION_KEYS": ""}, "IDP_KEY_ENCRYPTION_KEYS"),
    "plain http": (
        "serve",
        {"IDP_ENVIRONMENT": "production", "IDP_ISSUER": "http://gateway.example.org"},
        "needs an https issuer",
    ),
    "a debugger": (
        "worker",
        {"IDP_ENVIRONMENT": "production", "IDP_DEBUG": "true"},
        "IDP_DEBUG must be off",
    ),
}


@pytest.mark.quick
@pytest.mark.parametrize("wrong", WRONG)
def test_r24_a_process_with_wrong_settings_does_not_start(
    on_sqlite: Installation, wrong: str
) -> None:
    """R24: it ends with exit code 2, names the setting, and shows no traceback."""
    command, changes, said = WRONG[wrong]
    made = on_sqlite.start(command, **changes)
    assert made.process.wait(60) == 2, made.logged()
    assert said in made.logged()
    assert "Traceback" not in made.logged()
