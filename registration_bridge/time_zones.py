"""Time zones under the names that clients use."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

_WINDOWS = {name.casefold(): zone for name, zone in win_tz.items()}
#: The length of the column.
MAX_ZONE = 40


def iana_zone(name: str) -> str:
    """The IANA name of a time zone. Windows names are accepted too (CLDR windowsZones). Empty for
    an unknown one."""
    zone = _WINDOWS.get(name.casefold(), name)
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        return ""
    return zone if len(zone) <= MAX_ZONE else ""
