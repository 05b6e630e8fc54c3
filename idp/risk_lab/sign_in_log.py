"""Rows of a sign-in log, in our columns or those of the public data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from idp.mfa.features import HOME_ZONE, agent_of, hour_of
from idp.mfa.risk_values import Attempt, Place

#: Columns of the public data set, by our names.
OTHER_COLUMNS = {
    "time": "Login Timestamp", "user": "User ID", "ip": "IP Address", "country": "Country",
    "region": "Region", "city": "City", "asn": "ASN", "user_agent": "User Agent String",
    "success": "Login Successful", "is_attack": "Is Attack IP",
    "is_takeover": "Is Account Takeover",
}  # fmt: skip


class BadRow(ValueError):
    """A row of the log is invalid; the message names the column."""


@dataclass(frozen=True)
class Row:
    """One row of a log."""

    user: str
    attempt: Attempt
    cookie: str
    success: bool
    #: The kind of attack; empty for the person's own sign-in.
    attack: str


def parse_row(record: Mapping[str, str]) -> Row:
    """Parse a row with either set of columns. Raises BadRow."""
    if "time" not in record:
        record = {
            ours: record[theirs] for ours, theirs in OTHER_COLUMNS.items() if theirs in record
        }
    try:
        at = datetime.fromisoformat(record["time"])
        user, ip = record["user"], record["ip"]
    except (KeyError, ValueError) as error:
        raise BadRow(str(error)) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    attacked = "true" in (
        record.get("is_attack", "").lower(),
        record.get("is_takeover", "").lower(),
    )
    return Row(
        user,
        Attempt(
            at=at,
            hour=hour_of(at, HOME_ZONE),
            ip=ip,
            asn=record.get("asn", ""),
            place=Place(
                record.get("country", ""), record.get("region", ""), record.get("city", "")
            ),
            agent=agent_of(record.get("user_agent", "")),
        ),
        record.get("device_cookie", ""),
        record.get("success", "true").lower() == "true",
        (record.get("attack_kind") or "attack") if attacked else "",
    )
