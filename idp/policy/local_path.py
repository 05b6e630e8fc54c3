"""Return addresses: only a plain path of this site is followed (N56)."""

from __future__ import annotations

import re

# One slash, then nothing that a browser could read as another host: no second slash, no
# backslash (browsers turn it into a slash), no control characters, no encoded forms of either
# at the start.
_LOCAL = re.compile(r"/(?!/|%2f|%5c)[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*", re.IGNORECASE)
MAX_LENGTH = 1000


def safe_path(value: str | None, default: str = "/") -> str:
    """``value`` when it is a path of this site, else ``default``."""
    if value and len(value) <= MAX_LENGTH and "//" not in value and _LOCAL.fullmatch(value):
        return value
    return default
