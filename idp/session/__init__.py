"""What belongs to a browser: sessions, recognised browsers, sign-ins in progress, failed attempts.

It ends sessions and queues the back-channel logouts that follow. It never decides who may sign in
and knows no password. Of role groups it knows only which relying parties see them.
"""

__all__ = [
    "browser_accounts",
    "browser_state",
    "browsers",
    "concurrent_ends",
    "device_bindings",
    "end_reasons",
    "failed_attempts",
    "front_channel",
    "interactions",
    "pushed_requests",
    "session_records",
    "sessions",
]
