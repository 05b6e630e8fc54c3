"""What is counted for each request, by the name of its endpoint: never by its path, of which there
is no end."""

from __future__ import annotations

from service_base import metrics

REQUESTS = metrics.Counter(
    "http_requests", "Requests that were answered, by endpoint and status", ("endpoint", "status")
)
SECONDS = metrics.Histogram(
    "http_request_duration_seconds", "Time from the request to its answer", ("endpoint",)
)
REFUSALS = metrics.Counter(
    "refusals", "Refusals by services that no page of their own answers, by name", ("refusal",)
)
FAULTS = metrics.Counter("faults", "Faults behind answers with 500 and 503, by kind", ("kind",))
#: The endpoint of requests that match none.
NO_ENDPOINT = "none"


def count(endpoint: str | None, status: int, seconds: float) -> None:
    """Count a request that was answered."""
    name = endpoint or NO_ENDPOINT
    REQUESTS.add(name, str(status))
    SECONDS.observe(seconds, name)
