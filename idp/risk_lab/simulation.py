"""Simulate a sign-in log: people at work, their habits, and six kinds of attacks.

All randomness comes from the given generator, so that a seed determines the log.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

from idp.mfa.features import HOME_ZONE, is_free_day

ZONE = ZoneInfo(HOME_ZONE)
COLUMNS = (
    "time", "user", "ip", "country", "region", "city", "asn", "user_agent", "device_cookie",
    "device_key", "cookie_copied_at", "success", "is_attack", "attack_kind",
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
    #: A copy of the browser's cookies: from a network of the country or of the person's provider,
    #: half of the time with the person's browser.
    STOLEN_COOKIE = "stolen_cookie"
    #: The same, from the address of the person's last sign-in and always with the person's browser.
    STOLEN_COOKIE_NEAR = "stolen_cookie_near"
    #: The place, the browser and the hour of a sign-in of the person.
    INSIDER = "insider"


RELEASE_DAYS = 28
#: A program that copies cookies runs within this time after a sign-in.
WORK, WEEK = timedelta(hours=8), timedelta(days=7)
#: Hours until the copy is used: log-normal, at most a month. A fifth of the thieves come within
#: half an hour, as after phishing (Bursztein et al., IMC 2014), half within seven hours.
DELAY_MEDIAN, DELAY_SIGMA, DELAY_MOST = 7.0, 3.14, 720.0
#: For how many hours a copy of all cookies passes for a proof of the key at a sign-in, after the
#: last request: seventy seconds (docs/decisions/0089). A person at work sends one in an hour.
PROOF = 70 / 3600


@dataclass
class Device:
    """A workstation: its cookie, its browser, and how late it installs updates."""

    cookie: str
    family: str
    lag_days: int
    #: Whether it proves a key.
    has_key: bool = False


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
    #: The share of browsers that have a key.
    bound: float
    away_until: datetime | None = None
    away: tuple[str, str, str] = ("", "", "")
    #: The sign-ins and their browsers, in chronological order.
    seen: list[tuple[Row, Device]] = field(default_factory=list)


Row = dict[str, str]


def simulate(
    random: Random, *, people: int, days: int, start: datetime, bound: float = 0.0
) -> Iterator[Row]:
    """The rows of the log in chronological order; times are UTC, ISO 8601. ``bound`` is the share
    of browsers that prove a key; the people's own sign-ins do not depend on it."""
    crowd = [_person(random, number, bound) for number in range(people)]
    rooms = {company: _device(random, bound) for company in {person.company for person in crowd}}
    rows: list[Row] = []
    for day in range(days):
        moment = start + timedelta(days=day)
        for person in crowd:
            for at in _times(random, person, moment):
                rows.append(_legitimate(random, person, at, rooms))
    rows.sort(key=_time)
    for person in crowd:
        person.seen.sort(key=lambda seen: seen[0]["time"])
    attacks = sorted(_attacks(random, rows, crowd), key=_time)
    yield from _merged(rows, attacks)


def _time(row: Row) -> str:
    return row["time"]


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


def _person(random: Random, number: int, bound: float) -> Person:
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
        [_device(random, bound) for _ in range(random.choices((1, 2, 3), (6, 3, 1))[0])],
        (first, random.gauss(later, 0.8)),
        random.betavariate(1.2, 3),
        bound,
    )


def _device(random: Random, bound: float) -> Device:
    lag = int(random.expovariate(1 / 9))
    cookie = random.getrandbits(64)
    return Device(f"{cookie:016x}", _pick(random, BROWSERS), lag, cookie < bound * 2**64)


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
        # The cookie was lost: the browser gets another one at this sign-in.
        device.cookie = row["device_cookie"] = f"{random.getrandbits(64):016x}"
    person.seen.append((row, device))
    return row


def _device_today(random: Random, person: Person, rooms: dict[int, Device]) -> Device:
    """The person's workstation; in a control room, the one shared by the shift."""
    if person.role == "shift" and random.random() < 0.8:
        return rooms[person.company]
    if random.random() < 1 / 250:
        person.devices[0] = _device(random, person.bound)
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
    return {
        "time": _text(at),
        "user": user,
        "ip": ip,
        "country": country,
        "region": "ON" if country == "CA" else "",
        "city": city,
        "asn": asn,
        "user_agent": user_agent(device.family, at, device.lag_days),
        "device_cookie": device.cookie,
        "device_key": "true" if device.has_key else "",
        "cookie_copied_at": "",
        "success": "true",
        "is_attack": "true" if kind else "false",
        "attack_kind": kind,
    }


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(row: Row) -> datetime:
    return datetime.fromisoformat(row["time"])


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
    """On every person one attempt of each kind in the first week, and two in the last two thirds of
    the log."""
    middle, end = (_at(rows[i]) for i in (len(rows) // 3, -1))
    for person in crowd:
        if not person.seen:
            continue
        first = _at(person.seen[0][0])
        for kind in AttackKind:
            for begin, until in ((first, first + WEEK), (middle, end), (middle, end)):
                row = _attack(random, person, kind, begin + (until - begin) * random.random())
                if row is not None and row["time"] <= rows[-1]["time"]:
                    yield row


def _attack(random: Random, person: Person, kind: AttackKind, at: datetime) -> Row | None:
    """An attempt at about this time; None if it needs an earlier sign-in of the person."""
    if kind in (AttackKind.STOLEN_COOKIE, AttackKind.STOLEN_COOKIE_NEAR):
        return _theft(random, person, kind, at)
    fresh = Device("", _pick(random, BROWSERS), int(random.expovariate(1 / 9)))
    if kind is AttackKind.NAIVE:
        country = random.choice(COUNTRIES)
        asn = str(60000 + random.randrange(4000))
        return _row(at, person.name, _address(random), asn, country, "Far", fresh, kind)
    if kind is AttackKind.VPN:
        popular = Device("", random.choice(("Edge", "Chrome")), fresh.lag_days)
        vpn = random.choice(VPN_ASNS)
        return _row(at, person.name, _address(random), vpn, "CA", "Toronto", popular, kind)
    if kind is AttackKind.TARGETED:
        victim = random.choice(person.devices)
        like_victim = Device("", victim.family, victim.lag_days)
        city = person.city
        return _row(at, person.name, _address(random), person.asn, "CA", city, like_victim, kind)
    return _insider(random, person, at)


def _before(person: Person, at: datetime) -> list[tuple[Row, Device]]:
    """The last week or so of the person's sign-ins before a time."""
    number = bisect.bisect_left(person.seen, _text(at), key=lambda seen: seen[0]["time"])
    return person.seen[max(0, number - 7) : number]


def _insider(random: Random, person: Person, at: datetime) -> Row | None:
    """Somebody at the workstation itself."""
    seen = _before(person, at)
    if not seen:
        return None
    known, device = random.choice(seen)
    office = _at(known)
    moment = max(at.replace(hour=office.hour, minute=int(random.random() * 60)), office)
    network = (known["ip"], known["asn"], known["country"], known["city"])
    here = replace(device, cookie=known["device_cookie"])
    return _row(moment, person.name, *network, here, AttackKind.INSIDER)


def _theft(random: Random, person: Person, kind: AttackKind, about: datetime) -> Row | None:
    """A program copies all cookies of a browser while the person works, and the thief uses them
    later. Whether the person signed in there in between is left to chance."""
    seen = _before(person, about)
    if not seen:
        return None
    known, device = seen[-1]
    copied = _at(known) + random.random() * WORK
    delay = DELAY_MOST
    while delay >= DELAY_MOST:
        delay = random.lognormvariate(math.log(DELAY_MEDIAN), DELAY_SIGMA)
    at = copied + timedelta(hours=delay)
    last_request = min(random.expovariate(1.0), (copied - _at(known)).total_seconds() / 3600)
    thief = Device(
        known["device_cookie"],
        device.family,
        device.lag_days,
        has_key=device.has_key and last_request + delay < PROOF,
    )
    network = (known["ip"], known["asn"], known["country"], known["city"])
    if kind is AttackKind.STOLEN_COOKIE:
        if random.random() < 0.5:
            thief.family = _pick(random, BROWSERS)
        vpn = (_address(random), random.choice(VPN_ASNS), "CA", "Toronto")
        home = (_address(random), person.asn, "CA", person.city)
        network = vpn if random.random() < 0.5 else home
    row = _row(at, person.name, *network, thief, kind)
    return row | {"cookie_copied_at": _text(copied)}
