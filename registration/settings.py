"""Settings: one frozen value, read once from the environment, unsafe combinations refused.

Every setting is an environment variable ``REGISTRATION_<NAME>``; a secret may also be given as
``REGISTRATION_<NAME>_FILE``, the path of a file that holds it. ``registration settings`` prints
them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from service_base import environment
from service_base.addresses import proxy_faults
from service_base.environment import Bound, setting
from service_base.refusals import ConfigurationError

PREFIX = "REGISTRATION_"
#: Shorter secrets can be guessed.
MIN_SECRET_LENGTH = 32
HOUR, DAY = 3600, 86400


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that an operator can choose. Durations are seconds."""

    environment: str = setting("sandbox", "production or sandbox; shown on every page and mail")
    url: str = setting(
        "http://localhost:8005", "public URL of registration; links are built from it only"
    )
    database_url: str = setting(
        "sqlite:///registration.db",
        "SQLAlchemy URL: sqlite:/// or postgresql+psycopg://; a database of its own",
        secret=True,
    )
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")
    demo: bool = setting(False, "demonstration pages; refused in production")
    secret_key: str = setting(
        "", "root of cookies, digests and seals, >= 32 characters", secret=True
    )
    secret_key_fallbacks: tuple[str, ...] = setting(
        (), "earlier values of SECRET_KEY, still accepted", secret=True
    )
    issuer: str = setting("http://localhost:8000", "the gateway, where people sign in")
    client_id: str = setting("registration-system", "client id at the gateway, for sign-ins")
    client_secret: str = setting("", "its secret", secret=True)
    api_audience: str = setting(
        "urn:ieso:registration:api", "audience of the access tokens that programs send"
    )
    push_client_id: str = setting("registration-pushes", "client id at the gateway, for pushes")
    push_key: str = setting(
        "", "its private key (PEM, EC P-256 or RSA), for private_key_jwt", secret=True
    )
    trusted_proxies: tuple[str, ...] = setting(
        (), "networks of proxies whose traceparent header is continued, e.g. 10.0.0.0/8"
    )
    operator_group: str = setting(
        "Registration Operator", "role group of the IESO's own people (Market Registration)"
    )
    session_seconds: int = setting(
        8 * HOUR, "longest session", bound=Bound(300, 7 * DAY, 300, 12 * HOUR)
    )
    idle_seconds: int = setting(
        HOUR, "a session ends after this time without a page", bound=Bound(60, DAY, 300, 8 * HOUR)
    )
    fresh_seconds: int = setting(
        900,
        "sensitive acts need a second factor not older than this",
        bound=Bound(60, DAY, 60, HOUR),
    )
    form_seconds: int = setting(
        2 * HOUR, "a form can be sent for this long", bound=Bound(60, DAY, 300, 8 * HOUR)
    )
    max_body: int = setting(
        262_144, "largest request body, in bytes", bound=Bound(1024, 64 << 20, 65_536, 8 << 20)
    )
    smtp_host: str = setting("localhost", "mail server")
    smtp_port: int = setting(25, "its port", bound=Bound(1, 65535, 1, 65535))
    smtp_security: str = setting("", "tls, starttls or empty")
    smtp_username: str = setting("", "user name at the mail server")
    smtp_password: str = setting("", "password at the mail server", secret=True)
    mail_from: str = setting("registration@ieso.example", "sender of mails")
    mail_from_name: str = setting("Online IESO Registration", "name of the sender")
    brand_name: str = setting("Online IESO", "name of registration on pages and in mails")
    brand_accent: str = setting("#0b5c66", "accent colour of light pages; needs contrast (AA)")
    brand_accent_dark: str = setting("#7fd0d8", "the same of dark pages")
    brand_folder: str = setting("", "folder with logo.svg or logo.png; empty: built in")
    platform_url: str = setting(
        "https://www.ieso.ca/", "page with system status and supported browsers; empty: no link"
    )
    other_environment_url: str = setting(
        "", "address of the other environment's registration; empty: no link"
    )
    contact_phone: str = setting("905-403-6900", "Customer Relations, telephone")
    contact_toll_free: str = setting("1-888-448-7777", "Customer Relations, toll free")
    contact_fax: str = setting("905-403-6921", "Customer Relations, fax")
    contact_email: str = setting("customer.relations@ieso.ca", "Customer Relations, e-mail")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read ``REGISTRATION_*`` variables. Raises ConfigurationError naming every fault."""
        settings = cls(**environment.read(cls, PREFIX, environ))
        settings.validate()
        return settings

    def validate(self) -> None:
        """Raise ConfigurationError with all the reasons why this configuration is unsafe."""
        if faults := list(self._faults()):
            raise ConfigurationError("; ".join(faults))

    @property
    def is_loopback_http(self) -> bool:
        """Whether the URL is a plain http address of this machine (development, demo)."""
        return on_loopback(self.url)

    def cookie_name(self, purpose: str) -> str:
        """The environment is part of the name, and ``__Host-`` wherever https allows it."""
        name = f"reg-{self.environment}-{purpose}"
        return name if self.is_loopback_http else f"__Host-{name}"

    def _faults(self) -> Iterator[str]:
        if self.environment not in ("production", "sandbox"):
            yield f"{PREFIX}ENVIRONMENT must be production or sandbox"
        if len(self.secret_key) < MIN_SECRET_LENGTH:
            yield f"{PREFIX}SECRET_KEY must have at least {MIN_SECRET_LENGTH} characters"
        if not self.api_audience.strip():
            yield f"{PREFIX}API_AUDIENCE must not be empty"
        if self.smtp_security not in ("", "tls", "starttls"):
            yield f"{PREFIX}SMTP_SECURITY must be tls, starttls or empty"
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            yield f"{PREFIX}LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR"
        for name in ("url", "issuer"):
            address = str(getattr(self, name))
            parts = urlsplit(address)
            if parts.path or parts.query or parts.fragment or not parts.hostname:
                yield f"{PREFIX}{name.upper()} must be scheme and host only, such as https://x.ca"
            elif parts.scheme != "https" and not on_loopback(address):
                yield f"{PREFIX}{name.upper()} must be https"
        if not self.database_url.startswith(("sqlite:///", "postgresql+psycopg://")):
            yield f"{PREFIX}DATABASE_URL must be sqlite:/// or postgresql+psycopg://"
        yield from proxy_faults(f"{PREFIX}TRUSTED_PROXIES", self.trusted_proxies)
        yield from self._bounds()
        if self.environment == "production":
            if self.demo:
                yield f"{PREFIX}DEMO is refused in production"
            if self.is_loopback_http:
                yield f"{PREFIX}URL must be https in production"
            if self.database_url.startswith("sqlite"):
                yield f"{PREFIX}DATABASE_URL must be PostgreSQL in production"

    def _bounds(self) -> Iterator[str]:
        for item in fields(self):
            bound: Bound | None = item.metadata["bound"]
            value = getattr(self, item.name)
            if bound is None:
                continue
            is_production = self.environment == "production"
            least = bound.safe_least if is_production else bound.least
            most = bound.safe_most if is_production else bound.most
            if not least <= value <= most:
                yield f"{PREFIX}{item.name.upper()} must be between {least} and {most}"


def on_loopback(url: str) -> bool:
    """Whether it is a plain http address of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
