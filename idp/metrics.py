"""What the gateway counts beyond requests. The values that are read from the database are in
``idp.maintenance.measured_state``."""

from __future__ import annotations

from service_base import metrics

EVENTS = metrics.Counter(
    "events",
    "Events of the audit log as they happen, also those that sampling leaves out",
    ("event", "outcome", "reason"),
)
RISK_DECISIONS = metrics.Counter(
    "risk_decisions", "Assessed sign-ins, by decision, band of the score, and rule",
    ("decision", "band", "rule"),
)  # fmt: skip
RATE_LIMITED = metrics.Counter(
    "rate_limited_requests", "Requests over a rate limit (429)", ("endpoint",)
)
WITHOUT_REDIS = metrics.Counter(
    "rate_limits_without_redis", "Requests that a process counted alone, since Redis is away"
)
UNSERVED = metrics.Counter(
    "unserved_requests", "Requests refused before the application, by reason", ("reason",)
)
MESSAGES = metrics.Counter(
    "messages", "Attempts to deliver a message, by channel and result", ("channel", "result")
)
