"""``gateway`` as tests run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.cli import main
from idp.settings import Settings

Run = Callable[..., Result]


def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``gateway`` on the test's database; returns click's result."""
    environ = {
        "IDP_ISSUER": settings.issuer,
        "IDP_DATABASE_URL": settings.database_url,
        "IDP_SECRET_KEY": settings.secret_key,
        "IDP_KEY_ENCRYPTION_KEYS": ",".join(settings.key_encryption_keys),
        "IDP_PASSWORD_PEPPERS": ",".join(settings.password_peppers),
        "IDP_PAIRWISE_SECRET": settings.pairwise_secret,
        "IDP_BCRYPT_COST": "4",
        "IDP_LOG_LEVEL": "CRITICAL",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoke


def good(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
