"""Simulate a sign-in log: people at work, their habits, and five kinds of attacks.

All randomness comes from the given generator, so that a seed determines the log.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

from idp.mfa.features import HOME_ZONE, is_free_day

ZONE = ZoneInfo(HOME_ZONE)
COLUMNS = (
    "time", "user", "ip", "country", "region", "city", "asn", "user_agent", "device_cookie",
    "success", "is_attack", "attack_kind",
)  # fmt: skip
CITIES = (
    ("Toronto", 40), ("Ottawa", 14), ("Mississauga", 10), ("Hamilton", 8), ("London", 6),
    ("Sudbury", 5), ("Thunder Bay", 4), ("Kingston", 4), ("Windsor", 4), ("Peterborough", 3),
)  # fmt: skip
#: Residential providers: AS number and share.
PROVIDERS = (("64601", 45), ("64602", 35), ("64603", 12), ("64604", 8))
MOBILE_ASN, VPN_ASNS = "64610", ("64701", "64702", "64703")
COUNTRIES = ("US", "CN", "RU", "BR", "IN", "VN", "NG", "DE", "NL", "FR", "ID", "TR", "UA", "GB")
BROWSERS = (("Edge", 46), ("Chrome", 38), ("Firefox", 8), ("Safari", 8))


class AttackKind(StrEnum):
    """What the attacker has beside the password."""

    #: Nothing else.
    NAIVE = "naive"
    #: A network of the same country.
    VPN = "vpn"
    #: The network and the browser of the person.
    TARGETED = "targeted"
    STOLEN_COOKIE = "stolen_cookie"
    #: The place, the browser and the hour of a sign-in of the person.
    INSIDER = "insider"


RELEASE_DAYS = 28


@dataclass
class Device:
    """A workstation: its cookie, its browser, and how late it installs updates."""

    cookie: str
    family: str
    lag_days: int


@dataclass
class Person:
    """A person's location, hours and devices."""

    name: str
    role: str
    company: int
    city: str
    asn: str
    home_ip: str
    devices: list[Device]
    peaks: tuple[float, ...]
    remote: float
    away_until: datetime | None = None
    away: tuple[str, str, str] = ("", "", "")
    seen: list[dict[str, str]] = field(default_factory=list)


Row = dict[str, str]


def simulate(random: Random, *, people: int, days: int, start: datetime) -> Iterator[Row]:
    """The rows of the log in chronological order; times are UTC, ISO 8601."""
    crowd = [_person(random, number) for number in range(people)]
    rooms = {company: _device(random) for company in {person.company for person in crowd}}
    rows: list[Row] = []
    for day in range(days):
        moment = start + timedelta(days=day)
        for person in crowd:
            for at in _times(random, person, moment):
                rows.append(_legitimate(random, person, at, rooms))
    rows.sort(key=lambda row: row["time"])
    attacks = sorted(_attacks(random, rows, crowd), key=lambda row: row["time"])
    yield from _merged(rows, attacks)


def _merged(one: list[Row], other: list[Row]) -> Iterator[Row]:
    at = 0
    for row in one:
        while at < len(other) and other[at]["time"] < row["time"]:
            yield other[at]
            at += 1
        yield row
    yield from other[at:]


def _pick(random: Random, choices: tuple[tuple[str, int], ...]) -> str:
    return random.choices([c for c, _ in choices], [w for _, w in choices])[0]


def _person(random: Random, number: int) -> Person:
    role = _pick(random, (("office", 62), ("shift", 16), ("early", 10), ("evening", 12)))
    start = {"office": 8.4, "shift": 6.8, "early": 5.3, "evening": 9.2}[role]
    first = random.gauss(start, 0.6)
    later = {"office": 13.2, "shift": 18.8, "early": 11.0, "evening": 20.5}[role]
    return Person(
        f"user{number:05}",
        role,
        number % max(1, number // 12 + 1),
        _pick(random, CITIES),
        _pick(random, PROVIDERS),
        _address(random),
        [_device(random) for _ in range(random.choices((1, 2, 3), (6, 3, 1))[0])],
        (first, random.gauss(later, 0.8)),
        random.betavariate(1.2, 3),
    )


def _device(random: Random) -> Device:
    lag = int(random.expovariate(1 / 9))
    return Device(f"{random.getrandbits(64):016x}", _pick(random, BROWSERS), lag)


def _address(random: Random) -> str:
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def _times(random: Random, person: Person, day: datetime) -> Iterator[datetime]:
    """The times of one day at which the person signs in, in Ontario time."""
    local = day.astimezone(ZONE)
    free = is_free_day(local.date())
    if person.role == "shift":
        block = (local.toordinal() + person.company) % 8
        if block >= 4 and random.random() > 0.03:
            return
        peaks: tuple[float, ...] = (person.peaks[0],) if block < 2 else (person.peaks[1],)
    elif free:
        if random.random() > 0.05:
            return
        peaks = (random.uniform(9, 21),)
    else:
        peaks = person.peaks if random.random() < 0.45 else person.peaks[:1]
        if random.random() < 0.08:
            return
    for peak in peaks:
        hour = random.gauss(peak, 0.45) if random.random() > 0.06 else random.uniform(6, 22)
        minutes = int((hour % 24) * 60)
        wall = datetime(
            local.year, local.month, local.day, minutes // 60, minutes % 60,
            random.randrange(60), tzinfo=ZONE,
        )  # fmt: skip
        yield wall


def _legitimate(random: Random, person: Person, at: datetime, rooms: dict[int, Device]) -> Row:
    device = _device_today(random, person, rooms)
    ip, asn, country, city = _network_today(random, person, at)
    row = _row(at, person.name, ip, asn, country, city, device, "")
    if random.random() < 0.015:
        row["device_cookie"] = ""
        device.cookie = f"{random.getrandbits(64):016x}"
    person.seen.append(row)
    return row


def _device_today(random: Random, person: Person, rooms: dict[int, Device]) -> Device:
    """The person's workstation; in a control room, the one shared by the shift."""
    if person.role == "shift" and random.random() < 0.8:
        return rooms[person.company]
    if random.random() < 1 / 250:
        person.devices[0] = _device(random)
    return random.choices(person.devices, [4, 1, 1][: len(person.devices)])[0]


def _network_today(random: Random, person: Person, at: datetime) -> tuple[str, str, str, str]:
    """Office, home, mobile, or travelling for some days."""
    if person.away_until and at < person.away_until:
        return (_address(random), person.away[1], person.away[0], person.away[2])
    person.away_until = None
    dice = random.random()
    if dice < 0.006:
        person.away_until = at + timedelta(days=random.randrange(2, 8))
        abroad = random.random() < 0.35
        country = random.choice(("US", "GB", "FR")) if abroad else "CA"
        person.away = (country, f"6490{random.randrange(9)}", "Elsewhere")
        return (_address(random), person.away[1], country, "Elsewhere")
    if dice < 0.03:
        return (_address(random), MOBILE_ASN, "CA", person.city)
    if person.role == "shift" or random.random() > person.remote:
        office = f"172.16.{person.company % 256}.{1 + person.company // 256}"
        return (office, f"6480{person.company % 7}", "CA", person.city)
    if random.random() < 1 / 25:
        person.home_ip = _address(random)
    return (person.home_ip, person.asn, "CA", person.city)


def _row(
    at: datetime, user: str, ip: str, asn: str, country: str, city: str, device: Device, kind: str
) -> Row:
    utc = at.astimezone(ZoneInfo("UTC"))
    return {
        "time": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user": user,
        "ip": ip,
        "country": country,
        "region": "ON" if country == "CA" else "",
        "city": city,
        "asn": asn,
        "user_agent": user_agent(device.family, at, device.lag_days),
        "device_cookie": device.cookie,
        "success": "true",
        "is_attack": "true" if kind else "false",
        "attack_kind": kind,
    }


def user_agent(family: str, at: datetime, lag_days: int) -> str:
    """The User-Agent header of a browser that is some days behind the latest version."""
    release = 120 + max(0, ((at.toordinal() - lag_days) - 738_000)) // RELEASE_DAYS
    windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
    chrome = f"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{release}.0.0.0 Safari/537.36"
    return {
        "Edge": f"{windows} {chrome} Edg/{release}.0.0.0",
        "Chrome": f"{windows} {chrome}",
        "Firefox": f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{release}.0) Gecko/20100101 "
        f"Firefox/{release}.0",
        "Safari": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, "
        f"like Gecko) Version/{17 + (release - 120) // 13}.1 Safari/605.1.15",
    }[family]


def _attacks(random: Random, rows: list[Row], crowd: list[Person]) -> Iterator[Row]:
    """Two attempts of each kind on every person, in the second half of the log."""
    middle, end = (datetime.fromisoformat(rows[i]["time"]) for i in (len(rows) // 3, -1))
    span = (end - middle).total_seconds()
    for person in crowd:
        if not person.seen:
            continue
        for kind in AttackKind:
            for _ in range(2):
                at = middle + timedelta(seconds=random.random() * span)
                yield _attack(random, person, kind, at)


def _attack(random: Random, person: Person, kind: AttackKind, at: datetime) -> Row:
    known = random.choice(person.seen)
    fresh = Device("", _pick(random, BROWSERS), int(random.expovariate(1 / 9)))
    victim = random.choice(person.devices)
    like_victim = Device("", victim.family, victim.lag_days)
    vpn = random.choice(VPN_ASNS)
    if kind is AttackKind.NAIVE:
        country = random.choice(COUNTRIES)
        asn = str(60000 + random.randrange(4000))
        return _row(at, person.name, _address(random), asn, country, "Far", fresh, kind)
    if kind is AttackKind.VPN:
        popular = Device("", random.choice(("Edge", "Chrome")), fresh.lag_days)
        return _row(at, person.name, _address(random), vpn, "CA", "Toronto", popular, kind)
    if kind is AttackKind.TARGETED:
        city = person.city
        return _row(at, person.name, _address(random), person.asn, "CA", city, like_victim, kind)
    if kind is AttackKind.STOLEN_COOKIE:
        like_victim.cookie = known["device_cookie"] or victim.cookie
        if random.random() < 0.5:
            like_victim.family = fresh.family
        asn, city = (vpn, "Toronto") if random.random() < 0.5 else (person.asn, person.city)
        return _row(at, person.name, _address(random), asn, "CA", city, like_victim, kind)
    office = datetime.fromisoformat(known["time"])
    moment = at.replace(hour=office.hour, minute=math.floor(random.random() * 60))
    row = dict(known) | {"is_attack": "true", "attack_kind": kind}
    return row | {"time": moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")}
