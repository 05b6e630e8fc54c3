"""User-Agent headers as names of browsers and systems."""

from __future__ import annotations

BROWSERS = (("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Firefox/", "Firefox"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def describe_user_agent(user_agent: str | None) -> str:
    """Browser and system, such as "Edge, Windows"; empty if neither is known."""
    text = user_agent or ""
    found = [
        next((name for mark, name in table if mark in text), "") for table in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(filter(None, found))
