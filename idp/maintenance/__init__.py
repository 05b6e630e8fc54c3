"""What the worker and the command line do: purge, reminders, alarms, restoration.

Nothing here runs in a request.
"""

__all__ = [
    "alarms",
    "purge",
    "reminders",
    "restoration",
]
