"""Checks of other servers and of the public address. No message is sent and nobody signs in."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from idp.doctor.findings import Finding, Installation, fault, ok, skipped, warning
from service_base import redis_url, tracing
from service_base.smtp import connected

TIMEOUT = 5.0
#: The most that is read of an answer.
MOST_BYTES = 100_000
#: Days before a certificate runs out, and the seconds for which browsers should insist on https.
EXPIRES_SOON, LEAST_HSTS = 14, 180 * 86400
DISCOVERY = "/.well-known/openid-configuration"
OUTSIDE = "Check DNS, the firewall and the proxy."


@dataclass(frozen=True)
class Answer:
    """An answer of the public address."""

    status: int
    headers: dict[str, str]
    body: bytes
    #: When its certificate runs out, in seconds since 1970; None for plain http.
    expires_at: float | None


def ask(issuer: str, path: str) -> Answer:
    """An answer as everybody gets it. Raises OSError or HTTPException."""
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    connection = (
        HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=ssl.create_default_context())
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=TIMEOUT)
    )
    try:
        connection.request("GET", path)
        expires_at = None
        if isinstance(connection.sock, ssl.SSLSocket):
            ends = (connection.sock.getpeercert() or {}).get("notAfter")
            expires_at = float(ssl.cert_time_to_seconds(str(ends)))
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read(MOST_BYTES), expires_at)
    finally:
        connection.close()


def check_traces(installation: Installation) -> Iterator[Finding]:
    """The collector takes spans: it gets a message without any."""
    if not tracing.is_wanted(installation.environ):
        yield skipped("no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT is not set")
        return
    reason = tracing.fault(installation.environ) or tracing.try_collector(TIMEOUT)
    if reason:
        yield fault(f"no traces are sent: {reason}", "Correct it: docs/operations.md, Traces.")
        return
    yield ok("the collector takes traces")


def check_redis(installation: Installation) -> Iterator[Finding]:
    """It answers."""
    url = installation.settings.redis_url
    if not url:
        yield skipped("no Redis is configured: each process counts alone")
        return
    from limits.storage import storage_from_string

    if not storage_from_string(url, **redis_url.options(url, TIMEOUT)).check():
        yield fault(
            "Redis does not answer",
            "Start it, or correct IDP_REDIS_URL. Until then limits are stricter.",
        )
        return
    yield ok("Redis answers")


def check_mail(installation: Installation) -> Iterator[Finding]:
    """The mail server lets the gateway in. No mail is sent."""
    settings = installation.settings
    if not settings.smtp_host:
        yield skipped("no mail server is configured")
        return
    try:
        with connected(settings, TIMEOUT) as server:
            server.ehlo_or_helo_if_needed()
            server.noop()
            server.quit()
    except ssl.SSLError as error:
        advice = "Its certificate must be valid for IDP_SMTP_HOST, and IDP_SMTP_SECURITY right."
        yield fault(f"no TLS with {settings.smtp_host}: {_reason(error)}", advice)
    except smtplib.SMTPAuthenticationError:
        advice = "Correct IDP_SMTP_USERNAME and IDP_SMTP_PASSWORD."
        yield fault(f"{settings.smtp_host} refuses the user name or password", advice)
    except smtplib.SMTPNotSupportedError:
        advice = "Set IDP_SMTP_SECURITY or IDP_SMTP_USERNAME as the server offers it."
        yield fault(f"{settings.smtp_host} does not offer what is configured", advice)
    except (OSError, smtplib.SMTPException) as error:
        advice = "Check IDP_SMTP_HOST, IDP_SMTP_PORT and the firewall."
        yield fault(f"{settings.smtp_host} does not answer: {_reason(error)}", advice)
    else:
        yield ok(f"{settings.smtp_host} accepts mails by {settings.smtp_security}")


def check_text_messages(installation: Installation) -> Iterator[Finding]:
    """The provider can be reached. No message is sent."""
    url = installation.settings.sms_url
    if not url:
        yield skipped("no provider is configured: no page offers text messages")
        return
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), TIMEOUT) as connection:
            if parts.scheme == "https":
                context = ssl.create_default_context()
                context.wrap_socket(connection, server_hostname=host).close()
    except OSError as error:
        advice = "Check IDP_SMS_URL and the firewall."
        yield fault(f"{host} cannot be reached: {_reason(error)}", advice)
        return
    yield ok(f"{host} can be reached")


def check_tls(installation: Installation) -> Iterator[Finding]:
    """As browsers see the public address: certificate, its end, and HSTS."""
    settings = installation.settings
    if settings.is_loopback_http:
        yield skipped("plain http on this machine")
        return
    try:
        answer = ask(settings.issuer, "/healthz")
    except ssl.SSLCertVerificationError as error:
        yield fault(
            f"the certificate is not valid: {error.verify_message}",
            "Install a certificate for this name with its whole chain at the proxy.",
        )
        return
    except (OSError, HTTPException) as error:
        yield fault(f"{settings.issuer} does not answer: {_reason(error)}", OUTSIDE)
        return
    days = int(((answer.expires_at or 0.0) - time.time()) // 86400)
    if days < EXPIRES_SOON:
        yield warning(f"the certificate runs out in {days} days", "Renew it at the proxy.")
    else:
        yield ok(f"the certificate is valid for {days} days")
    if _hsts_seconds(answer.headers.get("strict-transport-security", "")) < LEAST_HSTS:
        yield warning(
            "the header Strict-Transport-Security is missing or short",
            "The gateway sends it: the proxy must pass it on unchanged.",
        )
    else:
        yield ok("browsers insist on https")


def _hsts_seconds(header: str) -> int:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age" and value.strip('"').isdigit():
            return int(value.strip('"'))
    return 0


def check_discovery(installation: Installation) -> Iterator[Finding]:
    """The public address leads to this gateway (OpenID Connect Discovery 1.0 section 4.3)."""
    issuer = installation.settings.issuer
    try:
        answer = ask(issuer, DISCOVERY)
    except (OSError, HTTPException) as error:
        yield fault(f"{issuer} does not answer: {_reason(error)}", OUTSIDE)
        return
    try:
        found = json.loads(answer.body)["issuer"]
    except (ValueError, KeyError, TypeError):
        yield fault(
            f"{DISCOVERY} has the status {answer.status} and no issuer",
            "The proxy must pass every path of this name to the gateway, with its Host header.",
        )
        return
    if found != issuer:
        yield fault(
            f"discovery names the issuer {found}, the settings {issuer}",
            "Set IDP_ISSUER to the public URL in every process.",
        )
    else:
        yield ok("discovery names the configured issuer")


def check_forward_auth(installation: Installation) -> Iterator[Finding]:
    """A proxy that asks without credentials is refused, never let in (docs/decisions/0029)."""
    yield _refusal_of(installation, "/auth/verify", (401, 403, 404))


def check_scim(installation: Installation) -> Iterator[Finding]:
    """The registration system reaches the bridge, and nobody without a token."""
    yield _refusal_of(installation, "/scim/v2/Users", (401,))


def _refusal_of(installation: Installation, path: str, expected: tuple[int, ...]) -> Finding:
    """Whether a request without credentials is refused as it must be."""
    issuer = installation.settings.issuer
    try:
        status = ask(issuer, path).status
    except (OSError, HTTPException) as error:
        return fault(f"{issuer} does not answer: {_reason(error)}", OUTSIDE)
    if status in expected:
        return ok(f"{path} refuses a request without credentials ({status})")
    if status < 300:
        advice = "Something in front of the gateway answers for it: correct the proxy."
        return fault(f"{path} lets in a request without credentials ({status})", advice)
    return fault(f"{path} has the status {status}", OUTSIDE)


def _reason(error: Exception) -> str:
    """Why, without addresses that only an administrator of the network should know."""
    return getattr(error, "strerror", None) or type(error).__name__
