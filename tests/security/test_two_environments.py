"""N93, R24: Production and Sandbox have nothing in common, and an unsafe setting does not start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from limits import parse_many
from structlog.testing import capture_logs

from idp import models, settings_checks
from idp.app import create_app, db
from idp.directory import accounts, activation
from idp.errors import ConfigurationError
from idp.foundation import log_accepted_risks
from idp.grants import signing_keys
from idp.models import AccountState
from idp.policy.phone_number import is_country
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from idp.transaction import committing
from service_base import logs
from tests.security.test_signed_tokens import userinfo
from tests.world import World

SAFE = Settings(
    environment="production",
    issuer="https://gateway.operator.test",
    database_url="postgresql+psycopg://gateway@db/gateway",
    redis_url="redis://cache:6379/0",
    secret_key="Zq8" * 16,
    key_encryption_keys=(Fernet.generate_key().decode(),),
    password_peppers=("k1:" + "Wq7" * 16,),
    smtp_host="mail.operator.test",
    mail_from="gateway@operator.test",
)


def test_a_safe_production_configuration_starts() -> None:
    """R24: nothing to complain about."""
    SAFE.validate()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secret_key": ""}, "IDP_SECRET_KEY is missing or shorter"),
        ({"secret_key": "short"}, "IDP_SECRET_KEY is missing or shorter"),
        ({"secret_key": "change-me-" * 5}, "placeholder"),
        ({"secret_key": "sandbox-" + "Zq8" * 16}, "sandbox key"),
        ({"secret_key_fallbacks": ("short",)}, "FALLBACKS holds a short key"),
        ({"key_encryption_keys": ()}, "IDP_KEY_ENCRYPTION_KEYS is missing"),
        ({"password_peppers": ()}, "IDP_PASSWORD_PEPPERS is missing"),
        ({"password_peppers": ("k1:short",)}, "kid:secret pairs"),
        ({"redis_url": "cache:6379"}, "IDP_REDIS_URL must begin with"),
        ({"redis_url": "redis+sentinel://one:26379,two:26379"}, "IDP_REDIS_URL must name the"),
        ({"redis_url": "redis+cluster://one:6379,two"}, "IDP_REDIS_URL must name servers"),
        ({"redis_url": "redis+cluster://one:6379/0"}, "IDP_REDIS_URL must name servers"),
        ({"redis_url": "redis+cluster://"}, "IDP_REDIS_URL must begin with"),
        ({"pairwise_secret": "short"}, "IDP_PAIRWISE_SECRET is shorter"),
        ({"pairwise_secret": "change-me-" * 5}, "placeholder"),
        ({"issuer": "http://gateway.operator.test"}, "must be https"),
        ({"issuer": "http://localhost:8000"}, "production needs an https issuer"),
        ({"issuer": "https://gateway-sbx.operator.test"}, "names a sandbox host"),
        ({"issuer": "https://gateway.test/path"}, "nothing more"),
        ({"issuer": "https://"}, "nothing more"),
        ({"debug": True}, "IDP_DEBUG must be off"),
        ({"demo": True}, "IDP_DEMO must be off"),
        ({"demo": True, "demo_folder": "demo-data"}, "IDP_DEMO_FOLDER needs"),
        ({"bcrypt_cost": 10}, "IDP_BCRYPT_COST=10 is unsafe in production"),
        ({"bcrypt_cost": 3}, "IDP_BCRYPT_COST must be between 4 and 16"),
        ({"lockout_failures": 1_000_000}, "IDP_LOCKOUT_FAILURES must be between"),
        ({"lockout_failures": 101}, "IDP_LOCKOUT_FAILURES=101 is unsafe"),
        ({"password_min_length": 1}, "IDP_PASSWORD_MIN_LENGTH must be between"),
        ({"password_min_length": 7}, "IDP_PASSWORD_MIN_LENGTH=7 is unsafe"),
        ({"password_history": 0}, "IDP_PASSWORD_HISTORY=0 is unsafe"),
        ({"password_refuse_common": False}, "common and breached passwords are taken"),
        ({"password_require_special": False}, "no special character"),
        ({"code_ttl": 86400}, "IDP_CODE_TTL must be between 1 and 600"),
        ({"session_absolute": 604800}, "IDP_SESSION_ABSOLUTE=604800 is unsafe"),
        ({"second_factor_administrators": "risk"}, "not always asked"),
        ({"signin_limit": "1000000 per second"}, "IDP_SIGNIN_LIMIT=1000000 per second is no limit"),
        ({"signin_failure_limit": "lots"}, "IDP_SIGNIN_FAILURE_LIMIT is not a limit"),
        ({"push_limit": ""}, "IDP_PUSH_LIMIT is not a limit"),
        ({"recovery_limit": "100 per second"}, "IDP_RECOVERY_LIMIT"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "0.0.0.0/0 is too wide"),
        ({"trusted_proxies": ("::/0",)}, "::/0 is too wide"),
        ({"trusted_proxies": ("10.0.0.0/8", "128.0.0.0/1")}, "128.0.0.0/1 is too wide"),
        ({"database_url": "sqlite:///gateway.db"}, "IDP_DATABASE_URL: SQLite"),
        ({"redis_url": ""}, "IDP_REDIS_URL is missing"),
        ({"accepted_risks": ("debug",)}, "debug is no risk that can be accepted"),
        ({"smtp_host": ""}, "IDP_SMTP_HOST is missing"),
        ({"smtp_security": "none"}, "must be encrypted"),
        ({"mail_from": "gateway@localhost"}, "production sender"),
        ({"environment": "staging"}, "IDP_ENVIRONMENT must be one of"),
        ({"database_url": "mysql://x"}, "IDP_DATABASE_URL"),
        ({"trusted_proxies": ("everywhere",)}, "is not a network"),
        ({"enrolment": "optional"}, "must be required in production"),
        ({"enrolment": "perhaps"}, "IDP_ENROLMENT must be required or optional"),
        ({"second_factor": "never"}, "IDP_SECOND_FACTOR must be one of"),
        ({"second_factor_administrators": ""}, "IDP_SECOND_FACTOR_ADMINISTRATORS must be"),
        ({"denied_networks": ("192.0.2.1/24",)}, "IDP_DENIED_NETWORKS"),
        ({"outbound_ca_file": "/nowhere.pem"}, "IDP_OUTBOUND_CA_FILE: No such file"),
        ({"sms_countries": ("XX",)}, "IDP_SMS_COUNTRIES: XX is no country"),
    ],
)
def test_n93_an_unsafe_setting_stops_the_start_with_its_reason(
    changes: dict[str, Any], reason: str
) -> None:
    """N93, R24: validate names it, and the factory refuses."""
    unsafe = replace(SAFE, **changes)
    with pytest.raises(ConfigurationError, match=reason):
        unsafe.validate()
    with pytest.raises(ConfigurationError, match=reason):
        create_app(unsafe)


def test_a_named_risk_is_accepted_and_logged() -> None:
    """R24: by the name of its setting only; the others are refused as before."""
    meant = replace(
        SAFE, database_url="sqlite:///gateway.db", redis_url="",
        accepted_risks=("database_url", "redis_url"),
    )  # fmt: skip
    meant.validate()
    assert [risk.split(":")[0].split(" ")[0] for risk in meant.risks()] == [
        "IDP_DATABASE_URL",
        "IDP_REDIS_URL",
    ]
    assert SAFE.risks() == []
    assert replace(meant, environment="sandbox").risks() == []
    with pytest.raises(ConfigurationError, match="PASSWORD_HISTORY=3 is unsafe"):
        replace(meant, password_history=3).validate()


def test_every_start_logs_the_accepted_risks(tmp_path: Path) -> None:
    """R24: a warning for each, in the log of the process that serves or works."""
    meant = replace(
        SAFE, database_url=f"sqlite:///{tmp_path}/x.db", accepted_risks=("database_url",)
    )
    logs.load()
    with capture_logs() as lines:
        log_accepted_risks(meant)
    (entry,) = lines
    assert (entry["event"], entry["log_level"]) == ("accepted_risk", "warning")
    assert entry["risk"].startswith("IDP_DATABASE_URL: SQLite")


def test_every_number_has_bounds_that_include_its_default() -> None:
    """A number without bounds would be taken whatever it is; defaults are safe."""
    numbers = {item.name for item in fields(Settings) if type(item.default) is int}
    assert numbers == set(settings_checks.BOUNDS)
    for name, bound in settings_checks.BOUNDS.items():
        assert bound.least <= bound.safe_least <= bound.safe_most <= bound.most
        assert not bound.unsafe(getattr(SAFE, name)), name


def test_the_defaults_that_are_not_checked_are_good() -> None:
    """R24: rate limits and countries of text messages are checked when they are changed."""
    for name, most in settings_checks.SAFE_RATES.items():
        rates = parse_many(getattr(SAFE, name))
        assert 0 < min(rate.amount * 60 / rate.get_expiry() for rate in rates) <= most, name
    assert SAFE.sms_countries
    assert all(map(is_country, SAFE.sms_countries))


def test_all_faults_of_the_settings_are_listed_together() -> None:
    """Nobody corrects a configuration one start at a time."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environ({"IDP_ENVIRONMENT": "production", "IDP_DEBUG": "true"})
    for reason in ("SECRET_KEY", "KEY_ENCRYPTION", "PEPPERS", "https", "DEBUG", "SMTP_HOST"):
        assert reason in caught.value.detail


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"IDP_BCRYPT_COST": "twelve"}, "must be a whole number"),
        ({"IDP_DEBUG": "perhaps"}, "must be true or false"),
        ({"IDP_SECRET_KEI": "x"}, "unknown settings: IDP_SECRET_KEI"),
        ({"IDP_SECRET_KEY_FILE": "/nowhere/secret"}, "cannot be read"),
    ],
)
def test_a_malformed_environment_is_named(environ: dict[str, str], reason: str) -> None:
    """A typing mistake is not silently a default."""
    with pytest.raises(ConfigurationError, match=reason):
        Settings.from_environ(environ)


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    """Secrets by *_FILE."""
    path = tmp_path / "secret"
    path.write_text("Zq8" * 16 + "\n")
    environ = {
        "IDP_SECRET_KEY_FILE": str(path),
        "IDP_KEY_ENCRYPTION_KEYS": SAFE.key_encryption_keys[0],
        "IDP_PASSWORD_PEPPERS": SAFE.password_peppers[0],
    }
    assert Settings.from_environ(environ).secret_key == "Zq8" * 16


@pytest.fixture
def production(world: World, tmp_path: Path) -> Iterator[World]:
    """A second installation: other environment, secrets, keys, database; same host name."""
    settings = replace(
        SAFE,
        issuer=world.settings.issuer,
        database_url=f"sqlite:///{tmp_path / 'production.db'}",
        redis_url="",
        accepted_risks=("database_url", "redis_url"),
    )
    app = create_app(settings, Ports(world.clock, SystemTokens(), world.mailer))
    with app.app_context():
        models.tables().create_all(db.engine)
        with committing(app.extensions["runtime"].work()) as work:
            signing_keys.ensure(work)
    yield World(app, settings, world.clock, world.mailer)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_n93_secrets_of_one_environment_are_refused_by_the_other(
    world: World, production: World
) -> None:
    """N93: access, refresh, code, hint, cookie and link of the Sandbox in Production, for the same
    client id and user name."""
    rp, username = world.relying_party(), world.account("moreaua")
    own = production.relying_party()
    production.account("moreaua")
    browser = world.browser()
    tokens = world.redeem(rp, browser.code(rp, username)).json or {}
    assert userinfo(production, tokens["access_token"]).status_code == 401
    assert production.introspect(own, tokens["access_token"]) == {"active": False}
    assert production.refresh(own, tokens["refresh_token"]).status_code == 400
    assert production.redeem(own, browser.code(rp, username)).status_code == 400
    assert production.post(rp, grant_type="client_credentials").status_code == 401
    foreign = production.browser()
    name = world.settings.cookie_name("session")
    cookie = browser.client.get_cookie(name, domain="gateway.test")
    assert cookie is not None
    for cookie_name in (name, production.settings.cookie_name("session")):
        foreign.client.set_cookie(cookie_name, cookie.value, domain="gateway.test", secure=True)
    assert "Sign in" in foreign.get("/").text
    pending = world.account("pendinga", state=AccountState.PENDING)
    production.account("pendinga", state=AccountState.PENDING, person_id="P9")
    with world.work() as work:
        path = activation.invite(work, accounts.by_username(work, pending))
    assert "This link is incomplete" in foreign.get(path).text


def test_n93_names_and_pages_of_the_environments_differ(world: World, production: World) -> None:
    """N93, EN-02: cookie names, banner, sender."""
    sandbox = world.settings
    assert sandbox.cookie_name("session") != production.settings.cookie_name("session")
    assert sandbox.mail_from != production.settings.mail_from
    assert "For testing only" in world.browser().get("/signin").text
    assert "For testing only" not in production.browser().get("/signin").text
