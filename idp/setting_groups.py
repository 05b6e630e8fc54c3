"""The settings by group: default, meaning, and which values work and are safe.

Each group is a frozen dataclass; ``idp.settings.Settings`` has all their fields. Rules over
several settings are in ``idp.settings_checks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import Any, TypeVar, dataclass_transform

from service_base.environment import Bound, setting

_C = TypeVar("_C")
HOUR, DAY = 3600, 86400


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
def _group(cls: type[_C]) -> type[_C]:
    """A group has fields only; the methods of their sum, ``Settings``, are made once."""
    return dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)(cls)


@_group
class Installation:
    """The installation."""

    environment: str = setting("sandbox", "production or sandbox; shown on every page and mail")
    issuer: str = setting(
        "http://localhost:8000", "public URL of the gateway; links are built from it only"
    )
    database_url: str = setting(
        "sqlite:///gateway.db", "SQLAlchemy URL: sqlite:/// or postgresql+psycopg://", secret=True
    )
    redis_url: str = setting(
        "",
        "Redis or Valkey for rate limits: redis://, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or"
        " redis+cluster://HOST:PORT,HOST:PORT; empty counts in each process",
        secret=True,
    )
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")
    debug: bool = setting(False, "show tracebacks; refused in production")
    demo: bool = setting(False, "demonstration pages; refused in production")
    demo_folder: str = setting(
        "", "folder of the demonstration, whose guided tour shows passwords; empty: no tour"
    )
    accepted_risks: tuple[str, ...] = setting(
        (), "settings that may be unsafe in production, e.g. database_url,lockout_failures"
    )


@_group
class Secrets:
    """Secrets."""

    secret_key: str = setting("", "root of cookie and token digests, >= 32 characters", secret=True)
    secret_key_fallbacks: tuple[str, ...] = setting(
        (), "earlier values of SECRET_KEY, still accepted", secret=True
    )
    audit_keys: tuple[str, ...] = setting(
        (), "earlier values of SECRET_KEY that only prove the audit trail", secret=True
    )
    key_encryption_keys: tuple[str, ...] = setting(
        (), "Fernet keys that seal private keys and mails; the first seals", secret=True
    )
    password_peppers: tuple[str, ...] = setting(
        (), "kid:secret pairs for the keyed pre-hash of passwords; the first is used", secret=True
    )
    pairwise_secret: str = setting(
        "",
        "root of the pairwise subjects of applications, >= 32 characters; never change it; empty: "
        "no application can have any",
        secret=True,
    )


@_group
class Network:
    """Network."""

    trusted_proxies: tuple[str, ...] = setting(
        (),
        "networks of proxies whose headers X-Forwarded-For and traceparent are trusted, e.g. "
        "10.0.0.0/8",
    )
    client_certificate_header: str = setting(
        "",
        "header in which trusted proxies send the certificate of an application (mutual TLS), e.g. "
        "X-Client-Certificate; empty: none",
    )
    client_certificate_verified_header: str = setting(
        "",
        "header in which they send SUCCESS if they verified its chain, e.g. X-Client-Verified; "
        "empty: tls_client_auth is not possible",
    )
    mtls_url: str = setting(
        "",
        "address of the gateway where the proxy asks for certificates; empty: the issuer",
    )
    outbound_networks: tuple[str, ...] = setting(
        (),
        "private networks where applications receive back-channel logouts and security events, "
        "and publish their keys, "
        "e.g. 10.20.0.0/16",
    )
    outbound_ca_file: str = setting(
        "",
        "PEM file of the authorities of these applications' certificates; empty: public ones",
    )
    max_body: int = setting(
        262144, "largest request body, in bytes", bound=Bound(1024, 64 << 20, 65_536, 8 << 20)
    )


@_group
class Passwords:
    """Passwords."""

    bcrypt_cost: int = setting(
        12, "bcrypt work factor; raised at the next sign-in", bound=Bound(4, 16, 12, 16)
    )
    password_min_length: int = setting(8, "shortest password", bound=Bound(4, 64, 8, 64))
    password_require_special: bool = setting(True, "require a special character")
    password_history: int = setting(
        4, "number of recent passwords that cannot be used again", bound=Bound(0, 24, 4, 24)
    )
    password_refuse_common: bool = setting(True, "refuse common and breached passwords")
    password_max_age_days: int = setting(
        0,
        "a password older than this is renewed at sign-in; 0: never",
        bound=Bound(0, 3650, 0, 3650),
    )
    temporary_password_seconds: int = setting(
        86400, "life of a temporary password", bound=Bound(60, 7 * DAY, 300, 3 * DAY)
    )


@_group
class Accounts:
    """Accounts and their links."""

    machine_id_pads: bool = setting(
        True, "machine ids have five digits, such as APIIESO00042; else APIIESO42"
    )
    machine_dormant_days: int = setting(
        90,
        "days without a program after which a custodian is asked; 0: never",
        bound=Bound(0, 3650, 0, 3650),
    )
    activation_days: int = setting(
        90, "life of an activation link, in days", bound=Bound(1, 365, 1, 90)
    )
    reset_seconds: int = setting(
        3600,
        "life of a reset or unlock link that an account holder requested",
        bound=Bound(60, 7 * DAY, 300, DAY),
    )
    agent_reset_days: int = setting(
        7, "life of a reset link that an operator sends, in days", bound=Bound(1, 30, 1, 7)
    )


@_group
class Guessing:
    """Lock-out, rate limits and alarms."""

    lockout_failures: int = setting(
        10,
        "number of incorrect passwords that block sign-in to an account",
        bound=Bound(1, 1000, 3, 100),
    )
    lockout_window: int = setting(
        900,
        "the time in which failed attempts are counted, in seconds",
        bound=Bound(1, DAY, 300, DAY),
    )
    lockout_seconds: int = setting(
        900, "how long sign-in is blocked, in seconds", bound=Bound(1, DAY, 300, DAY)
    )
    signin_limit: str = setting(
        "600 per minute",
        "sign-in attempts of one network; with Redis down a quarter, per process",
        rate=6_000,
    )
    signin_failure_limit: str = setting(
        "100 per 15 minute",
        "refused sign-ins of strangers in one network, and of each account and client known "
        "there; more are not looked at",
        rate=100,
    )
    recovery_limit: str = setting("60 per minute", "recovery requests of one network", rate=600)
    push_limit: str = setting(
        "6000 per minute", "pushes of one client, each operation of a Bulk", rate=60_000
    )
    alarm_failures: int = setting(
        200,
        "so many refused sign-ins of all accounts within LOCKOUT_WINDOW raise an alarm",
        bound=Bound(1, 1_000_000, 1, 10_000),
    )
    alarm_failures_network: int = setting(
        50, "the same for one network", bound=Bound(1, 1_000_000, 1, 1000)
    )


@_group
class Verification:
    """Second factors and risk."""

    enrolment: str = setting(
        "required",
        "required: a new account sets up a factor and a security question first; or optional",
    )
    second_factor: str = setting(
        "risk", "when a second factor is required: risk, every_30_days or always"
    )
    second_factor_administrators: str = setting(
        "always",
        "the same for administrators: accounts with a role in the console, and accounts of "
        "contacts of a participant",
    )
    weak_factors_satisfy_mfa: bool = setting(
        True, "whether a code by e-mail is accepted as a second factor (acr mfa)"
    )
    remember_days: int = setting(30, "how long a browser is remembered", bound=Bound(1, 365, 1, 90))
    place_database: str = setting(
        "", "path of a MaxMind-format file: country or city of addresses; empty: not known"
    )
    asn_database: str = setting("", "the same for the numbers of their networks (ASN)")
    listed_networks: str = setting(
        "",
        "path of a file of suspicious networks, one a line; sign-ins from them have a higher risk",
    )
    denied_networks: tuple[str, ...] = setting(
        (), "networks from which no sign-in is accepted, e.g. 192.0.2.0/24"
    )


@_group
class Sessions:
    """Sessions."""

    session_idle: int = setting(
        3600, "a session ends after this long without use", bound=Bound(10, DAY, 60, 4 * HOUR)
    )
    session_absolute: int = setting(
        43200, "a session ends after this long in any case", bound=Bound(10, 7 * DAY, 300, DAY)
    )
    bound_sessions: bool = setting(
        True, "offer browsers to bind their sessions to a key that stays on the computer"
    )
    bound_cookie_seconds: int = setting(
        600,
        "how long a bound session can be used before the browser proves its key again",
        bound=Bound(10, HOUR, 60, HOUR),
    )
    interaction_ttl: int = setting(
        3600, "how long a started sign-in can be finished", bound=Bound(10, DAY, 300, 4 * HOUR)
    )


@_group
class Tokens:
    """Tokens and signing keys."""

    require_pushed_requests: bool = setting(
        False, "all clients must push their authorization requests (RFC 9126)"
    )
    require_dpop_nonces: bool = setting(
        False, "DPoP proofs must have a nonce of the gateway (RFC 9449 section 8)"
    )
    # RFC 6749 section 4.1.2: ten minutes at most.
    code_ttl: int = setting(60, "life of an authorization code", bound=Bound(1, 600, 10, 300))
    id_token_ttl: int = setting(600, "life of an ID token", bound=Bound(10, DAY, 60, HOUR))
    access_token_ttl: int = setting(600, "life of an access token", bound=Bound(10, DAY, 60, HOUR))
    refresh_idle: int = setting(
        86400,
        "a refresh token expires after this long without use",
        bound=Bound(10, 90 * DAY, 60, 30 * DAY),
    )
    refresh_absolute: int = setting(
        2592000,
        "a family of refresh tokens expires after this long",
        bound=Bound(10, 365 * DAY, 60, 90 * DAY),
    )
    refresh_grace: int = setting(
        10,
        "how long a refresh can be repeated if its response was lost",
        bound=Bound(0, 300, 0, 60),
    )
    key_cache: int = setting(
        5, "how long a process uses its copy of the signing keys", bound=Bound(0, 300, 0, 60)
    )
    key_publish_lead: int = setting(
        3600, "a key is published this long before it signs", bound=Bound(0, 7 * DAY, 300, 7 * DAY)
    )
    max_groups: int = setting(
        150, "more groups than this are given by userinfo only", bound=Bound(1, 10_000, 1, 500)
    )


@_group
class Provisioning:
    """Pushes of the registration system."""

    mass_change_percent: int = setting(
        5,
        "pushes stop when so many per cent of all accounts were suspended or closed in an hour",
        bound=Bound(1, 100, 1, 20),
    )
    mass_change_least: int = setting(
        20, "but never before so many accounts were", bound=Bound(1, 100_000, 1, 1000)
    )


@_group
class Mail:
    """Mail."""

    smtp_host: str = setting("", "SMTP server for mails; needed in production")
    smtp_port: int = setting(587, "its port", bound=Bound(1, 65_535, 1, 65_535))
    smtp_username: str = setting("", "its user name, when it asks for one")
    smtp_password: str = setting("", "its password", secret=True)
    smtp_security: str = setting("starttls", "starttls, tls or none (none only on loopback)")
    mail_from: str = setting("gateway@localhost", "sender address of this environment")
    mail_from_name: str = setting("IESO Gateway", "sender name")


@_group
class TextMessages:
    """Text messages."""

    sms_url: str = setting(
        "", "text messages: URL of a form API that takes To, From and Body; empty: none are sent"
    )
    sms_username: str = setting("", "its user name (Basic authentication)")
    sms_password: str = setting("", "its password", secret=True)
    sms_from: str = setting("", "sender number or name of text messages")
    sms_countries: tuple[str, ...] = setting(
        ("CA", "US"), "countries (ISO 3166) to which text messages are sent"
    )
    sms_account_hour: int = setting(
        5, "most text messages for one account within an hour", bound=Bound(0, 1000, 0, 20)
    )
    sms_account_day: int = setting(10, "the same within a day", bound=Bound(0, 1000, 0, 50))
    sms_number_day: int = setting(
        10, "most to one number within a day", bound=Bound(0, 1000, 0, 50)
    )
    sms_number_accounts: int = setting(
        3, "most accounts that text one number within a day", bound=Bound(0, 1000, 0, 20)
    )
    sms_network_hour: int = setting(
        60, "most requested from one network within an hour", bound=Bound(0, 100_000, 0, 1000)
    )
    sms_country_hour: int = setting(
        600, "most to one country within an hour", bound=Bound(0, 1_000_000, 0, 10_000)
    )
    sms_hour: int = setting(
        1000, "most in all within an hour", bound=Bound(0, 1_000_000, 0, 20_000)
    )


@_group
class Contact:
    """Customer Relations."""

    contact_phone: str = setting("905-403-6900", "Customer Relations, telephone")
    contact_toll_free: str = setting("1-888-448-7777", "Customer Relations, toll free")
    contact_fax: str = setting("905-403-6921", "Customer Relations, fax")
    contact_email: str = setting("customer.relations@ieso.ca", "Customer Relations, e-mail")


@_group
class Branding:
    """Branding."""

    brand_name: str = setting("IESO Gateway", "name of the gateway on pages and in messages")
    brand_accent: str = setting("#0b5c66", "accent colour of light pages; needs contrast (AA)")
    brand_accent_dark: str = setting("#7fd0d8", "the same of dark pages")
    brand_folder: str = setting(
        "",
        "folder with logo.svg or logo.png, conditions.en.txt, conditions.fr.txt; empty: built in",
    )
    platform_url: str = setting(
        "https://www.ieso.ca/", "page with system status and supported browsers; empty: no link"
    )
    other_environment_url: str = setting(
        "", "address of the other environment's gateway, linked in the footer; empty: no link"
    )


GROUPS: tuple[type[Any], ...] = (
    Installation,
    Secrets,
    Network,
    Passwords,
    Accounts,
    Guessing,
    Verification,
    Sessions,
    Tokens,
    Provisioning,
    Mail,
    TextMessages,
    Contact,
    Branding,
)


def in_order() -> Iterator[tuple[str, Field[Any]]]:
    """Every setting, group by group: the group's title and the field."""
    for group in GROUPS:
        for item in fields(group):
            yield str(group.__doc__).rstrip("."), item
