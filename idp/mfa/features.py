"""Features for the risk engine: browser, hour and kind of day."""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from idp.mfa.risk_values import Agent, Hour

#: The default time zone; its public holidays apply.
HOME_ZONE = "America/Toronto"
MAX_AGENT = 400
WEEK = timedelta(days=7)


@lru_cache(maxsize=4096)
def agent_of(user_agent: str) -> Agent:
    """The parts of a User-Agent header; unrecognized parts are empty."""
    from ua_parser import parse

    found = parse(user_agent[:MAX_AGENT])
    browser, system, device = found.user_agent, found.os, found.device
    major = browser.major if browser and browser.major else ""
    return Agent(
        browser.family if browser else "",
        int(major) if major.isascii() and major.isdigit() and len(major) < 6 else 0,
        system.family if system else "",
        _kind(system.family if system else "", device.family if device else "", user_agent),
    )


def _kind(system: str, device: str, user_agent: str) -> str:
    if device == "iPad" or "Tablet" in user_agent:
        return "tablet"
    if system in ("iOS", "Android"):
        return "mobile" if "Mobile" in user_agent else "tablet"
    return "desktop" if system else ""


def hour_of(moment: datetime, zone: str) -> Hour:
    """The local hour in ``zone``; an unknown zone means the home zone."""
    local_zone = _zone(zone)
    offsets = [at.astimezone(local_zone).utcoffset() for at in (moment, moment - WEEK)]
    return Hour(*time_of_day(moment, zone), after_change=offsets[0] != offsets[1])


def time_of_day(moment: datetime, zone: str) -> tuple[float, bool]:
    """The local hour in ``zone``, and whether the day is free."""
    local = moment.astimezone(_zone(zone))
    of_day = local.hour + local.minute / 60 + local.second / 3600
    return of_day, is_free_day(local.date())


@lru_cache(maxsize=128)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or HOME_ZONE)
    except (ValueError, OSError, KeyError):
        return ZoneInfo(HOME_ZONE)


@lru_cache(maxsize=4096)
def is_free_day(day: date) -> bool:
    """Saturday, Sunday or a public holiday of Ontario."""
    return day.weekday() >= 5 or day in _public_holidays()


@cache
def _public_holidays() -> Container[date]:
    # Tens of megabytes, which most commands do not need.
    import holidays

    found: Container[date] = holidays.country_holidays("CA", subdiv="ON")
    return found
