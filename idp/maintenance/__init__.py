"""Tasks of the worker and the command line: purge, reminders, alarms, restoration.

None of this runs in a request.
"""

__all__ = [
    "alarms",
    "purge",
    "reminders",
    "restoration",
]
