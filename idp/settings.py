"""Settings: one frozen value, read once from the environment, unsafe combinations refused.

Every setting is an environment variable ``IDP_<NAME>``; a secret may also be given as
``IDP_<NAME>_FILE``, the path of a file that holds it. ``gateway settings`` prints this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from idp import safety
from idp.errors import ConfigurationError


def _setting(default: Any, meaning: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"meaning": meaning, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that an operator can choose. Durations are whole seconds unless the name says days."""

    environment: str = _setting("sandbox", "production or sandbox; shown on every page and mail")
    issuer: str = _setting(
        "http://localhost:8000", "public URL of the gateway; links are built from it only"
    )
    database_url: str = _setting(
        "sqlite:///gateway.db", "SQLAlchemy URL: sqlite:/// or postgresql+psycopg://", secret=True
    )
    redis_url: str = _setting(
        "", "Redis or Valkey for rate limits; empty counts in each process", secret=True
    )
    secret_key: str = _setting(
        "", "root of cookie and token digests, >= 32 characters", secret=True
    )
    secret_key_fallbacks: tuple[str, ...] = _setting(
        (), "earlier values of SECRET_KEY, still accepted", secret=True
    )
    audit_keys: tuple[str, ...] = _setting(
        (), "earlier values of SECRET_KEY that only prove the audit trail", secret=True
    )
    key_encryption_keys: tuple[str, ...] = _setting(
        (), "Fernet keys that seal private keys and mails; the first seals", secret=True
    )
    password_peppers: tuple[str, ...] = _setting(
        (), "kid:secret pairs for the keyed pre-hash of passwords; the first is used", secret=True
    )
    accepted_risks: tuple[str, ...] = _setting(
        (), "settings that may be unsafe in production, e.g. database_url,lockout_failures"
    )
    debug: bool = _setting(False, "show tracebacks; refused in production")
    demo: bool = _setting(False, "demonstration pages; refused in production")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "networks whose X-Forwarded-For is believed, e.g. 10.0.0.0/8"
    )
    outbound_networks: tuple[str, ...] = _setting(
        (), "private networks where applications are told of logouts, e.g. 10.20.0.0/16"
    )
    bcrypt_cost: int = _setting(12, "bcrypt work factor; raised at the next sign-in")
    password_min_length: int = _setting(8, "shortest password")
    password_require_special: bool = _setting(True, "demand a special character")
    password_history: int = _setting(4, "how many last passwords may not return")
    password_refuse_common: bool = _setting(True, "refuse common and breached passwords")
    machine_id_pads: bool = _setting(
        True, "machine ids have five digits, such as APIIESO00042; else APIIESO42"
    )
    activation_days: int = _setting(90, "life of an activation link, in days")
    reset_seconds: int = _setting(3600, "life of a reset or unlock link that a person asked for")
    agent_reset_days: int = _setting(7, "life of a reset link that an operator sends, in days")
    temporary_password_seconds: int = _setting(86400, "life of a temporary password")
    password_max_age_days: int = _setting(
        0, "a password older than this is renewed at sign-in; 0: never"
    )
    lockout_failures: int = _setting(10, "so many wrong passwords lock an account")
    lockout_window: int = _setting(900, "within so many seconds")
    lockout_seconds: int = _setting(900, "and for so long; then the lock ends by itself")
    remember_days: int = _setting(30, "how long a browser is remembered")
    enrolment: str = _setting(
        "required", "required: factor and security question come before all else; or optional"
    )
    second_factor: str = _setting(
        "risk", "when a second factor is asked for: risk, every_30_days or always"
    )
    second_factor_administrators: str = _setting(
        "always", "the same for whoever has a role in the console"
    )
    weak_factors_satisfy_mfa: bool = _setting(
        True, "whether a code by mail is enough of a second factor (acr mfa)"
    )
    place_database: str = _setting(
        "", "path of a MaxMind-format file: country or city of addresses; empty: not known"
    )
    asn_database: str = _setting("", "the same for the numbers of their networks (ASN)")
    listed_networks: str = _setting(
        "", "path of a file of networks with a bad name, one a line; their sign-ins weigh more"
    )
    denied_networks: tuple[str, ...] = _setting(
        (), "networks from which nobody signs in, e.g. 192.0.2.0/24"
    )
    session_idle: int = _setting(3600, "a session ends after this long without use")
    session_absolute: int = _setting(43200, "a session ends after this long in any case")
    interaction_ttl: int = _setting(3600, "how long a started sign-in can be finished")
    code_ttl: int = _setting(60, "life of an authorization code")
    id_token_ttl: int = _setting(600, "life of an ID token")
    access_token_ttl: int = _setting(600, "life of an access token")
    refresh_idle: int = _setting(86400, "a refresh token dies after this long without use")
    refresh_absolute: int = _setting(2592000, "a family of refresh tokens dies after this long")
    refresh_grace: int = _setting(
        10, "a refresh whose answer was lost may be repeated for this long"
    )
    key_cache: int = _setting(5, "how long a process trusts its copy of the signing keys")
    key_publish_lead: int = _setting(3600, "a key is published this long before it signs")
    max_groups: int = _setting(150, "more groups than this are given by userinfo only")
    signin_limit: str = _setting(
        "600 per minute", "sign-in attempts of one network; with Redis down a quarter, per process"
    )
    signin_failure_limit: str = _setting(
        "100 per 15 minute",
        "refused sign-ins of strangers in one network, and of each account and client known there; "
        "more are not looked at",
    )
    alarm_failures: int = _setting(
        200, "so many refused sign-ins of all accounts within LOCKOUT_WINDOW raise an alarm"
    )
    alarm_failures_network: int = _setting(50, "the same for one network")
    mass_change_percent: int = _setting(
        5, "pushes stop when so many per cent of all accounts were suspended or closed in an hour"
    )
    mass_change_least: int = _setting(20, "but never before so many accounts were")
    machine_dormant_days: int = _setting(
        90, "days without a program after which a custodian is asked; 0: never"
    )
    push_limit: str = _setting("6000 per minute", "pushes of one client, each operation of a Bulk")
    recovery_limit: str = _setting("60 per minute", "recovery requests of one network")
    max_body: int = _setting(262144, "largest request body, in bytes")
    smtp_host: str = _setting("", "SMTP server for mails; needed in production")
    smtp_port: int = _setting(587, "its port")
    smtp_username: str = _setting("", "its user name, when it asks for one")
    smtp_password: str = _setting("", "its password", secret=True)
    smtp_security: str = _setting("starttls", "starttls, tls or none (none only on loopback)")
    mail_from: str = _setting("gateway@localhost", "sender address of this environment")
    mail_from_name: str = _setting("IESO Gateway", "sender name")
    sms_url: str = _setting(
        "", "text messages: URL of a form API that takes To, From and Body; empty: none are sent"
    )
    sms_username: str = _setting("", "its user name (Basic authentication)")
    sms_password: str = _setting("", "its password", secret=True)
    sms_from: str = _setting("", "sender number or name of text messages")
    sms_countries: tuple[str, ...] = _setting(
        ("CA", "US"), "countries (ISO 3166) to which text messages are sent"
    )
    sms_account_hour: int = _setting(5, "most text messages for one account within an hour")
    sms_account_day: int = _setting(10, "the same within a day")
    sms_number_day: int = _setting(10, "most to one number within a day")
    sms_number_accounts: int = _setting(3, "most accounts that text one number within a day")
    sms_network_hour: int = _setting(60, "most asked for from one network within an hour")
    sms_country_hour: int = _setting(600, "most to one country within an hour")
    sms_hour: int = _setting(1000, "most in all within an hour")
    contact_phone: str = _setting("905-403-6900", "Customer Relations, telephone")
    contact_toll_free: str = _setting("1-888-448-7777", "Customer Relations, toll free")
    contact_fax: str = _setting("905-403-6921", "Customer Relations, fax")
    contact_email: str = _setting("customer.relations@ieso.ca", "Customer Relations, e-mail")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``IDP_*`` variables. Raises ConfigurationError naming every fault at once."""
        values: dict[str, Any] = {}
        known: set[str] = set()
        for item in fields(cls):
            name = f"IDP_{item.name.upper()}"
            known.update((name, f"{name}_FILE"))
            raw = _read(environ, name, secret=item.metadata["secret"])
            if raw is not None:
                values[item.name] = _parse(name, raw, item.default)
        unknown = sorted(n for n in environ if n.startswith("IDP_") and n not in known)
        if unknown:
            raise ConfigurationError(f"unknown settings: {', '.join(unknown)}")
        settings = cls(**values)
        settings.validate()
        return settings

    def validate(self) -> None:
        """Raise ConfigurationError with all the reasons why this configuration is unsafe."""
        if faults := safety.faults(self):
            raise ConfigurationError("; ".join(faults))

    def risks(self) -> list[str]:
        """What is unsafe and accepted, a sentence each; said at every start."""
        return safety.accepted(self)

    def in_force(self) -> list[dict[str, str]]:
        """Every setting: name of its variable, meaning, default, value. Of secrets only whether
        they are set."""
        return [
            {
                "name": f"IDP_{item.name.upper()}",
                "meaning": item.metadata["meaning"],
                "default": "" if item.metadata["secret"] else shown(item.default),
                "value": ("set" if getattr(self, item.name) else "not set")
                if item.metadata["secret"]
                else shown(getattr(self, item.name)),
            }
            for item in fields(self)
        ]

    @property
    def is_loopback_http(self) -> bool:
        """Whether the issuer is a plain http address of this machine (development, demo)."""
        parts = urlsplit(self.issuer)
        return parts.scheme == "http" and safety.is_loopback(parts.hostname or "")

    def cookie_name(self, purpose: str) -> str:
        """The environment is part of the name, and ``__Host-`` wherever https allows it."""
        name = f"gw-{self.environment}-{purpose}"
        return name if self.is_loopback_http else f"__Host-{name}"


def shown(value: Any) -> str:
    """A setting's value as text."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(environ: Mapping[str, str], name: str, *, secret: bool) -> str | None:
    if name in environ:
        return environ[name]
    if secret and (path := environ.get(f"{name}_FILE")):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {error.strerror}") from error
    return None


def _parse(name: str, raw: str, default: Any) -> Any:
    if default is MISSING or isinstance(default, str):
        return raw
    if isinstance(default, bool):
        if raw.lower() in ("1", "true", "yes", "on"):
            return True
        if raw.lower() in ("0", "false", "no", "off", ""):
            return False
        raise ConfigurationError(f"{name} must be true or false")
    if isinstance(default, int):
        if not raw.isascii() or not raw.isdigit():
            raise ConfigurationError(f"{name} must be a whole number")
        return int(raw)
    return tuple(part.strip() for part in raw.split(",") if part.strip())
