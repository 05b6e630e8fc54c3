"""A log of the shape of the public RBA data set, invented: its columns, its order, its spellings.

``python -m tests.risk_lab.public_log ROWS`` prints one of any size."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import IO

COLUMNS = (
    "index", "Login Timestamp", "User ID", "Round-Trip Time [ms]", "IP Address", "Country",
    "Region", "City", "ASN", "User Agent String", "Browser Name and Version",
    "OS Name and Version", "Device Type", "Login Successful", "Is Attack IP",
    "Is Account Takeover",
)  # fmt: skip
PLACES = (
    ("NO", "Oslo County", "Oslo", 29695), ("NO", "-", "-", 41164), ("US", "Texas", "Austin", 7922),
    ("DE", "Hesse", "Frankfurt", 3320), ("PL", "Mazovia", "Warsaw", 5617),
)  # fmt: skip
BROWSERS = ("Chrome", "Chrome Mobile WebView", "Firefox", "Safari", "Mobile Safari UI/WKWebView")
SYSTEMS = (
    ("Windows 10", "desktop"), ("iOS 13.4", "mobile"), ("Android 10", "mobile"),
    ("Mac OS X 10.14.6", "desktop"), ("Linux", "unknown"),
)  # fmt: skip


def rows(random: Random, count: int) -> Iterator[tuple[str, ...]]:
    """So many sign-ins of a tenth as many people over a year: one in twenty fails, one in ten comes
    from an address of attackers, and some of those take an account over."""
    at = datetime(2020, 2, 3, 12, 43, 30, 772000)  # noqa: DTZ001 - the data set names no zone
    pause = timedelta(days=365) / count
    for index in range(count):
        at += pause * random.uniform(0.5, 1.5)
        person = int(count / 10 * random.random() ** 2)
        habits = Random(person)
        is_attack = random.random() < 0.1
        source = random if is_attack or random.random() < 0.03 else habits
        country, region, city, asn = source.choice(PLACES)
        browser, version = source.choice(BROWSERS), source.randint(60, 83)
        system, device = source.choice(SYSTEMS)
        address = f"10.{source.randrange(256)}.{source.randrange(256)}.{source.randrange(256)}"
        is_done = random.random() < (0.02 if is_attack else 0.95)
        yield (
            str(index), str(at)[:23], str(person * 7_919_000_017 - 2**62), "", address, country,
            region, city, str(asn), f"Mozilla/5.0 ({system}) {browser}/{version} {person}",
            f"{browser} {version}.0.{source.randrange(4000)}", system, device, str(is_done),
            str(is_attack), str(is_attack and is_done),
        )  # fmt: skip


def write(target: IO[str], count: int, seed: int = 1) -> None:
    """Write a log of so many rows."""
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    writer.writerows(rows(Random(seed), count))


if __name__ == "__main__":
    write(sys.stdout, int(sys.argv[1]))
