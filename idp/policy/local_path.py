"""Return addresses: only a plain path of this site is accepted (N56)."""

from __future__ import annotations

import re

# One slash, followed by nothing that a browser could read as another host: no second slash, no
# backslash (browsers convert it to a slash), no control characters, and no encoded form of these at
# the start.
_LOCAL = re.compile(r"/(?!/|%2f|%5c)[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*", re.IGNORECASE)
MAX_LENGTH = 1000


def safe_path(value: str | None, default: str = "/") -> str:
    """``value`` if it is a path of this site, else ``default``."""
    if value and len(value) <= MAX_LENGTH and "//" not in value and _LOCAL.fullmatch(value):
        return value
    return default
