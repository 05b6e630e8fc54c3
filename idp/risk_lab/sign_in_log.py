"""Rows of a sign-in log, in our columns or those of the public RBA data set, read one by one."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import BinaryIO

from idp.mfa.features import HOME_ZONE, agent_of, hour_of
from idp.mfa.risk_values import Agent, Attempt, Place
from idp.risk_lab.lab_refusals import LogColumnsMissing, LogEmpty, LogUnreadable, LogUnsorted

#: Columns of the public data set, by our names. The last ones are its own.
OTHER_COLUMNS = {
    "time": "Login Timestamp", "user": "User ID", "ip": "IP Address", "country": "Country",
    "region": "Region", "city": "City", "asn": "ASN", "user_agent": "User Agent String",
    "success": "Login Successful", "is_attack": "Is Attack IP",
    "is_takeover": "Is Account Takeover", "browser": "Browser Name and Version",
    "system": "OS Name and Version", "kind": "Device Type",
}  # fmt: skip
#: Without these nothing can be compared.
NEEDED = ("time", "user", "ip", "country", "asn", "user_agent", "success", "is_attack")
#: What the public data set has in place of an unknown value.
UNKNOWN = ("-", "unknown")
#: The kinds of attacks of the public data set.
TAKEOVER, ATTACK_ADDRESS = "account_takeover", "attack_address"
#: A log with a greater share of unreadable lines is not evaluated.
TOLERATED = 0.01


class BadRow(ValueError):
    """A row of the log is invalid; the message names the column."""


@dataclass(frozen=True)
class Row:
    """One row of a log."""

    user: str
    attempt: Attempt
    #: A name for the cookie of the browser; the same for its later values and for copies of it.
    cookie: str
    success: bool
    #: The kind of attack; empty for the person's own sign-in.
    attack: str
    #: Whether the browser proved the key that it is bound to.
    has_key: bool = False
    #: When the cookie was copied; None in the browser itself.
    copied_at: datetime | None = None


@dataclass
class Reading:
    """How far a log was read."""

    #: In bytes.
    size: int = 0
    lines: int = 0
    #: Rows of the people in the sample.
    kept: int = 0
    broken: int = 0
    first_broken: int = 0
    fault: str = ""

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, line: bytes) -> None:
        """Another line was read."""
        self.size += len(line)
        self._digest.update(line)

    @property
    def digest(self) -> str:
        """The digest of all bytes so far."""
        return self._digest.hexdigest()

    def break_at(self, line: int, fault: str) -> None:
        """A line cannot be read."""
        self.broken += 1
        if not self.first_broken:
            self.first_broken, self.fault = line, fault

    @property
    def refusal(self) -> LogUnreadable | None:
        """The refusal of a log with too many unreadable lines."""
        if self.broken <= self.lines * TOLERATED:
            return None
        return LogUnreadable(self.broken, self.lines, self.first_broken, self.fault)


def read(source: BinaryIO, reading: Reading, sample: float = 1.0) -> Iterator[Row]:
    """The rows of the log for a share of the people, each as soon as it is read. Unreadable lines
    are counted. Raises LogEmpty, LogColumnsMissing, and LogUnsorted."""
    lines = csv.reader(_lines(source, reading))
    header = next(lines, None)
    if not header:
        raise LogEmpty()
    places = _places(header)
    last = None
    for record in _records(lines):
        if not record:
            continue
        reading.lines += 1
        try:
            row = _row(record, header, places, sample)
        except BadRow as error:
            reading.break_at(lines.line_num, str(error))
            continue
        if row is None:
            continue
        if last is not None and row.attempt.at < last:
            raise LogUnsorted(lines.line_num)
        last = row.attempt.at
        reading.kept += 1
        yield row


def _records(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    """A record that is no CSV has one column: too few."""
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield [str(error)]


def _row(
    record: list[str], header: Sequence[str], places: Mapping[str, int], sample: float
) -> Row | None:
    """The row; None for people who are not in the sample. Raises BadRow."""
    if len(record) != len(header):
        raise BadRow(f"{len(record)} columns instead of {len(header)}")
    if sample < 1 and not is_sampled(record[places["user"]], sample):
        return None
    return parse_row({name: record[at] for name, at in places.items()})


def _lines(source: BinaryIO, reading: Reading) -> Iterator[str]:
    for number, line in enumerate(source):
        reading.add(line)
        yield line.decode("utf-8-sig" if number == 0 else "utf-8", "replace")


def _places(header: Sequence[str]) -> dict[str, int]:
    """Where each column is, by our names. Raises LogColumnsMissing."""
    theirs = {theirs: ours for ours, theirs in OTHER_COLUMNS.items()}
    is_theirs = OTHER_COLUMNS["time"] in header
    found = {theirs.get(name, name) if is_theirs else name: at for at, name in enumerate(header)}
    missing = [name for name in NEEDED if name not in found]
    if missing:
        names = [OTHER_COLUMNS[name] for name in missing] if is_theirs else missing
        raise LogColumnsMissing(tuple(names))
    return found


def is_sampled(user: str, sample: float) -> bool:
    """Whether the person is in a sample of this share: the same people in each run, and in each
    larger sample."""
    digest = hashlib.blake2b(user.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < sample * 2**64


def parse_row(record: Mapping[str, str]) -> Row:
    """Parse a row with either set of columns. Raises BadRow."""
    if "time" not in record:
        record = {
            ours: record[theirs] for ours, theirs in OTHER_COLUMNS.items() if theirs in record
        }
    try:
        at = _moment(record["time"])
        copied = record.get("cookie_copied_at")
        copied_at = _moment(copied) if copied else None
        user, ip = record["user"], record["ip"]
    except (KeyError, ValueError) as error:
        raise BadRow(str(error)) from error
    if not user:
        raise BadRow("no user")
    country, region, city = (_known(record.get(name, "")) for name in ("country", "region", "city"))
    return Row(
        user,
        Attempt(
            at=at,
            hour=hour_of(at, HOME_ZONE),
            ip=ip,
            asn=intern(record.get("asn", "")),
            place=Place(country, region, city),
            agent=_agent(record),
        ),
        record.get("device_cookie", ""),
        record.get("success", "true").lower() == "true",
        _attack(record),
        record.get("device_key", "").lower() == "true",
        copied_at,
    )


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _attack(record: Mapping[str, str]) -> str:
    if record.get("is_takeover", "").lower() == "true":
        return TAKEOVER
    if record.get("is_attack", "").lower() != "true":
        return ""
    return record.get("attack_kind") or (ATTACK_ADDRESS if "is_takeover" in record else "attack")


def _known(value: str) -> str:
    return "" if value in UNKNOWN else intern(value)


def _agent(record: Mapping[str, str]) -> Agent:
    """The parts of the browser as the data set names them ("Firefox 20.0.0.1618", "iOS 13.4"), or
    as the User-Agent header has them."""
    if "browser" not in record:
        return agent_of(record.get("user_agent", ""))
    family, version = _named(record["browser"])
    system, _ = _named(record.get("system", ""))
    major = version.partition(".")[0]
    is_number = major.isascii() and major.isdigit() and len(major) < 6
    return Agent(family, int(major) if is_number else 0, system, _known(record.get("kind", "")))


def _named(text: str) -> tuple[str, str]:
    """A name and the version behind it."""
    name, _, version = text.rpartition(" ")
    if not name or not version[:1].isdigit():
        name, version = text, ""
    return _known(name), version
