"""Checks of this machine and its settings."""

from __future__ import annotations

import ctypes
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from idp import setting_groups
from idp.doctor.findings import Finding, Installation, fault, ok, skipped, warning

#: A random secret has more different characters.
LEAST_CHARACTERS = 12
#: The share of a file system that must be free.
LEAST_FREE = 0.1
#: Microseconds by which a clock may be wrong.
MOST_ERROR = 1_000_000
#: Of adjtimex(2): the clock is not synchronized.
_UNSYNCHRONIZED = 5
_WEAK = ("secret_key", "pairwise_secret", "password_peppers", "secret_key_fallbacks")


def check_settings(installation: Installation) -> Iterator[Finding]:
    """They are valid, or the command would have ended. Accepted risks are named."""
    settings = installation.settings
    for risk in settings.risks():
        yield warning(
            f"accepted risk: {risk}", "Remove it from IDP_ACCEPTED_RISKS once it is safe."
        )
    yield ok(f"valid for {settings.environment}, issuer {settings.issuer}")


def check_secrets(installation: Installation) -> Iterator[Finding]:
    """Files of secrets are for one user only, and secrets are random."""
    found = [*_readable_files(installation), *_weak_secrets(installation)]
    yield from found
    if not found:
        yield ok("present, and readable by this user only")


def _readable_files(installation: Installation) -> Iterator[Finding]:
    for _, item in setting_groups.in_order():
        name = f"IDP_{item.name.upper()}_FILE"
        path = installation.environ.get(name, "")
        if not item.metadata["secret"] or not path:
            continue
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield warning(
                f"{name}: others than its owner can read or change the file ({mode:04o})",
                f"Run: chmod 600 {path}",
            )


def _weak_secrets(installation: Installation) -> Iterator[Finding]:
    for name in _WEAK:
        value = getattr(installation.settings, name)
        for secret in (value,) if isinstance(value, str) else value:
            if secret and len(set(secret)) < LEAST_CHARACTERS:
                yield warning(
                    f"IDP_{name.upper()} has few different characters",
                    "Use a random value: docs/operations.md, Changing a secret.",
                )


def _synchronization() -> tuple[bool, int]:
    """Whether the kernel's clock is synchronized, and its largest error in microseconds. Raises
    OSError where the system does not tell."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "adjtimex"):
        raise OSError("no adjtimex")
    # struct timex begins with modes (0: change nothing), offset, freq and maxerror.
    values = (ctypes.c_long * 64)()
    state = library.adjtimex(values)
    if state < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return state != _UNSYNCHRONIZED, int(values[3])


def check_clock(
    _installation: Installation, read: Callable[[], tuple[bool, int]] = _synchronization
) -> Iterator[Finding]:
    """Tokens and codes are valid for minutes: a clock that is wrong makes them invalid."""
    advice = "Let chrony or systemd-timesyncd set it: timedatectl set-ntp true"
    try:
        is_synchronized, error = read()
    except OSError:
        yield skipped("this system does not tell whether its clock is synchronized")
        return
    if not is_synchronized:
        yield warning("no time server sets the clock of this machine", advice)
    elif error > MOST_ERROR:
        yield warning(f"the clock may be wrong by {error / 1e6:.1f} seconds", advice)
    else:
        yield ok(f"synchronized, wrong by {error / 1000:.0f} ms at most")


def check_disk(installation: Installation) -> Iterator[Finding]:
    """There is room where the gateway writes."""
    places = {str(Path.cwd()), tempfile.gettempdir()}
    url = installation.settings.database_url
    if url.startswith("sqlite:///"):
        places.add(str(Path(url.removeprefix("sqlite:///")).absolute().parent))
    for place in sorted(places):
        found = os.statvfs(place)
        share = found.f_bavail / found.f_blocks if found.f_blocks else 1.0
        if share < LEAST_FREE:
            yield fault(f"{place} has {share:.0%} left", "Remove what is not needed.")
        else:
            yield ok(f"{place} has {share:.0%} left")


def check_proxies(installation: Installation) -> Iterator[Finding]:
    """A proxy in front must be named, or all clients seem to have its address."""
    settings = installation.settings
    if settings.is_loopback_http:
        yield skipped("plain http on this machine needs no proxy")
    elif not settings.trusted_proxies:
        yield warning(
            "no proxy is trusted: every client seems to have the address of the proxy",
            "Name the network of the proxy in IDP_TRUSTED_PROXIES.",
        )
    else:
        yield ok(f"X-Forwarded-For of {', '.join(settings.trusted_proxies)} counts")
