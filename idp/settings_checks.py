"""Checks of settings: invalid values, and values that are unsafe in production.

Values out of bounds are always refused. Unsafe values are refused in production, unless
``IDP_ACCEPTED_RISKS`` names the setting; then every start and ``gateway settings`` report it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hosted_pages import brand
from idp.mfa.second_factor_rule import Rule
from idp.policy import phone_number
from idp.setting_groups import in_order
from service_base import redis_url
from service_base.addresses import proxy_faults
from service_base.environment import Bound

if TYPE_CHECKING:
    from idp.settings import Settings

ENVIRONMENTS = ("production", "sandbox")
#: Shorter secrets can be guessed; 32 characters of base64 are 192 bits.
MIN_SECRET_LENGTH = 32
#: Words that mark a placeholder secret, and the mark of trial keys.
PLACEHOLDERS = ("change-me", "changeme", "example", "secret-key", "default", "insecure")
TRIAL_MARK = "sandbox-"
#: Names of headers; one with an underscore never arrives.
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")

_FIELDS = [item for _, item in in_order()]
_DEFAULTS: dict[str, Any] = {item.name: item.default for item in _FIELDS}
#: Numbers: the valid range and the range that is safe in production.
BOUNDS: dict[str, Bound] = {
    item.name: item.metadata["bound"] for item in _FIELDS if item.metadata["bound"]
}
#: Rate limits: the highest safe value per minute.
SAFE_RATES: dict[str, int] = {
    item.name: item.metadata["rate"] for item in _FIELDS if item.metadata["rate"]
}
#: Other settings with one safe value, and the effect of other values.
SAFE_VALUES = {
    "password_refuse_common": (True, "common and breached passwords are taken"),
    "password_require_special": (True, "passwords need no special character"),
    "second_factor_administrators": (
        "always",
        "people with a role in the console are not always asked for a second factor",
    ),
}
#: Every risk that can be accepted, by the name of its setting.
RISKS = (*BOUNDS, *SAFE_RATES, *SAFE_VALUES, "database_url", "redis_url")


def faults(settings: Settings) -> list[str]:
    """All reasons to refuse these settings."""
    found = list(_faults(settings))
    if settings.environment != "production":
        return found
    found += _production_faults(settings)
    found += [
        f"{sentence}: change it, or add {name} to IDP_ACCEPTED_RISKS"
        for name, sentence in _unsafe(settings)
        if name not in settings.accepted_risks
    ]
    return found


def accepted_risks(settings: Settings) -> list[str]:
    """The unsafe settings that are accepted."""
    if settings.environment != "production":
        return []
    return [text for name, text in _unsafe(settings) if name in settings.accepted_risks]


def safe_values(name: str) -> str:
    """The values of a setting that are safe in production, as text; empty if all are, or if other
    rules apply."""
    if bound := BOUNDS.get(name):
        return f"{bound.safe_least} to {bound.safe_most}"
    if name in SAFE_RATES:
        return f"at most {SAFE_RATES[name]} a minute"
    return str(SAFE_VALUES[name][0]).lower() if name in SAFE_VALUES else ""


def _unsafe(settings: Settings) -> Iterator[tuple[str, str]]:
    """The unsafe settings, each with an explanation."""
    for name, bound in BOUNDS.items():
        value = getattr(settings, name)
        if bound.unsafe(value):
            yield (
                name,
                (
                    f"IDP_{name.upper()}={value} is unsafe in production"
                    f" ({bound.safe_least} to {bound.safe_most} is safe)"
                ),
            )
    for name, text in _changed_rates(settings):
        most = SAFE_RATES[name]
        if (rate := _rate(text)) is not None and rate > most:
            yield name, f"IDP_{name.upper()}={text} is no limit (more than {most} a minute)"
    for name, (safe, meaning) in SAFE_VALUES.items():
        if getattr(settings, name) != safe:
            yield name, f"IDP_{name.upper()}: {meaning}"
    if settings.database_url.startswith("sqlite"):
        yield "database_url", "IDP_DATABASE_URL: SQLite serves one machine and one writer at a time"
    if not settings.redis_url:
        yield "redis_url", "IDP_REDIS_URL is missing: each process counts rate limits for itself"


def _changed_rates(settings: Settings) -> Iterator[tuple[str, str]]:
    """The rate limits that are not the defaults. The defaults are safe and need no library, which
    would make every command start later."""
    for name in SAFE_RATES:
        if (text := getattr(settings, name)) != _DEFAULTS[name]:
            yield name, text


def _rate(text: str) -> float | None:
    """The requests per minute that a limit allows; None if it is not a limit."""
    from limits import parse_many

    try:
        return min(limit.amount * 60 / limit.get_expiry() for limit in parse_many(text))
    except ValueError:
        return None


def _bound_faults(settings: Settings) -> Iterator[str]:
    for name, bound in BOUNDS.items():
        if not bound.least <= getattr(settings, name) <= bound.most:
            yield f"IDP_{name.upper()} must be between {bound.least} and {bound.most}"
    for name, text in _changed_rates(settings):
        if _rate(text) is None:
            yield f"IDP_{name.upper()} is not a limit such as 100 per 15 minute"


def _certificate_faults(settings: Settings) -> Iterator[str]:
    header, verified = (
        settings.client_certificate_header,
        settings.client_certificate_verified_header,
    )
    for name, value in (
        ("IDP_CLIENT_CERTIFICATE_HEADER", header),
        ("IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER", verified),
    ):
        if value and not _HEADER.fullmatch(value):
            yield f"{name} must be the name of a header, with hyphens"
    if header and not settings.trusted_proxies:
        yield "IDP_CLIENT_CERTIFICATE_HEADER needs IDP_TRUSTED_PROXIES: others can send any header"
    if not header and (verified or settings.mtls_url):
        yield (
            "IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER and IDP_MTLS_URL need "
            "IDP_CLIENT_CERTIFICATE_HEADER"
        )
    if verified and verified.casefold() == header.casefold():
        yield "IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER must be another header"
    parts = urlsplit(settings.mtls_url)
    if settings.mtls_url and (settings.mtls_url != f"https://{parts.netloc}" or parts.username):
        yield "IDP_MTLS_URL must be https://host[:port] and nothing more"


def _faults(settings: Settings) -> Iterator[str]:
    if settings.environment not in ENVIRONMENTS:
        yield f"IDP_ENVIRONMENT must be one of {', '.join(ENVIRONMENTS)}"
    if len(settings.secret_key) < MIN_SECRET_LENGTH:
        yield f"IDP_SECRET_KEY is missing or shorter than {MIN_SECRET_LENGTH} characters"
    if any(len(key) < MIN_SECRET_LENGTH for key in settings.secret_key_fallbacks):
        yield "IDP_SECRET_KEY_FALLBACKS holds a short key"
    if not settings.key_encryption_keys:
        yield "IDP_KEY_ENCRYPTION_KEYS is missing"
    if not settings.password_peppers:
        yield "IDP_PASSWORD_PEPPERS is missing"
    for pepper in settings.password_peppers:
        kid, _, value = pepper.partition(":")
        if not kid.isalnum() or len(value) < MIN_SECRET_LENGTH:
            yield "IDP_PASSWORD_PEPPERS must hold kid:secret pairs, each secret >= 32 characters"
    if 0 < len(settings.pairwise_secret) < MIN_SECRET_LENGTH:
        yield f"IDP_PAIRWISE_SECRET is shorter than {MIN_SECRET_LENGTH} characters"
    yield from _url_faults(settings)
    if settings.demo_folder and not (settings.demo and settings.is_loopback_http):
        yield "IDP_DEMO_FOLDER needs IDP_DEMO and an http issuer of this machine"
    if settings.redis_url and (fault := redis_url.fault(settings.redis_url)):
        yield f"IDP_REDIS_URL {fault}"
    if settings.sms_url and not settings.sms_url.startswith("https://"):
        yield "IDP_SMS_URL must be https"
    yield from _factor_faults(settings)
    yield from brand.faults(settings.brand, "IDP_")
    yield from _condition_faults(settings)
    yield from _bound_faults(settings)
    if settings.smtp_security not in ("starttls", "tls", "none"):
        yield "IDP_SMTP_SECURITY must be starttls, tls or none"
    yield from proxy_faults("IDP_TRUSTED_PROXIES", settings.trusted_proxies)
    yield from _certificate_faults(settings)
    for name in settings.accepted_risks:
        if name not in RISKS:
            yield f"IDP_ACCEPTED_RISKS: {name} is no risk that can be accepted"


def _url_faults(settings: Settings) -> Iterator[str]:
    try:
        parts = urlsplit(settings.issuer)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        yield "IDP_ISSUER is not a URL"
        return
    if parts.path or parts.query or parts.fragment or parts.username or not host:
        yield "IDP_ISSUER must be scheme://host[:port] and nothing more"
    if parts.scheme != "https" and not settings.is_loopback_http:
        yield "IDP_ISSUER must be https (plain http is for a loopback address only)"
    if not settings.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
        yield "IDP_DATABASE_URL must be sqlite:/// or postgresql+psycopg://"


def _factor_faults(settings: Settings) -> Iterator[str]:
    if settings.enrolment not in ("required", "optional"):
        yield "IDP_ENROLMENT must be required or optional"
    for name in ("second_factor", "second_factor_administrators"):
        if getattr(settings, name) not in set(Rule):
            yield f"IDP_{name.upper()} must be one of {', '.join(Rule)}"
    for name in ("denied_networks", "outbound_networks"):
        for network in getattr(settings, name):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                yield f"IDP_{name.upper()}: {error}"
    if settings.outbound_ca_file:
        import ssl

        try:
            ssl.create_default_context(cafile=settings.outbound_ca_file)
        except OSError as error:
            yield f"IDP_OUTBOUND_CA_FILE: {error.strerror or error}"
    for country in settings.sms_countries:
        if country not in _DEFAULTS["sms_countries"] and not phone_number.is_country(country):
            yield f"IDP_SMS_COUNTRIES: {country} is no country"


def _condition_faults(settings: Settings) -> Iterator[str]:
    found = [conditions_file(settings, locale) for locale in ("en", "fr")]
    if any(found) and not all(found):
        yield "IDP_BRAND_FOLDER needs conditions.en.txt and conditions.fr.txt, or neither"
    for path in filter(None, found):
        if not path.read_text(encoding="utf-8").strip():
            yield f"IDP_BRAND_FOLDER: {path.name} is empty"


def conditions_file(settings: Settings, locale: str) -> Path | None:
    """The file with the brand's conditions of use in a language, if there is one."""
    if not settings.brand_folder:
        return None
    path = Path(settings.brand_folder) / f"conditions.{locale}.txt"
    return path if path.is_file() else None


def _production_faults(settings: Settings) -> list[str]:
    secrets = (
        settings.secret_key,
        *settings.secret_key_fallbacks,
        *settings.key_encryption_keys,
        *settings.password_peppers,
        settings.pairwise_secret,
    )
    faults = []
    if settings.enrolment != "required":
        faults.append("IDP_ENROLMENT must be required in production")
    if not settings.issuer.startswith("https://"):
        faults.append("production needs an https issuer")
    if settings.debug:
        faults.append("IDP_DEBUG must be off in production")
    if settings.demo:
        faults.append("IDP_DEMO must be off in production")
    if any(word in secret.lower() for secret in secrets for word in PLACEHOLDERS):
        faults.append("a secret still holds a placeholder")
    if any(TRIAL_MARK in secret.lower() for secret in secrets):
        faults.append("a secret is marked as a sandbox key")
    if not settings.smtp_host:
        faults.append("IDP_SMTP_HOST is missing")
    if settings.smtp_security == "none" and not is_loopback(settings.smtp_host):
        faults.append("mail must be encrypted on its way: IDP_SMTP_SECURITY=starttls or tls")
    if settings.mail_from.endswith("@localhost") or "sbx" in settings.mail_from:
        faults.append("IDP_MAIL_FROM must be the production sender")
    if "sbx" in (urlsplit(settings.issuer).hostname or ""):
        faults.append("IDP_ISSUER names a sandbox host")
    return faults


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
