"""Tasks of the worker and the command line: purge, reminders, alarms, restoration.

No request runs one of these tasks. The console reads from ``alarms`` what it shows.
"""

__all__ = [
    "alarms",
    "clock",
    "measured_state",
    "purge",
    "reencryption",
    "reminders",
    "restoration",
]
