"""The page after a sign-out, which also signs the person out of applications in this browser
(OpenID Connect Front-Channel Logout 1.0 section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Response, g, render_template

from idp import current
from idp.models import BrowserSession, Client
from idp.session import front_channel, sessions
from idp.session.end_reasons import EndReason


def question(
    action: str, client: Client | None = None, fields: Iterable[tuple[str, str]] = ()
) -> Response:
    """Ask whether to sign out, and of which accounts if several are signed in in this browser."""
    active, others = current.browser_session(), current.other_sessions()
    body = render_template(
        "signout.html",
        client=client,
        fields=fields,
        action=action,
        username=active.account.username if active is not None else "",
        others=[row.account.username for row in others],
    )
    return Response(body)


def end_sessions(*, is_all: bool, keep_offline: bool = False) -> list[str]:
    """End the active session of this browser, or all that it has. Returns the addresses that the
    page opens in frames."""
    active = current.browser_session()
    ended = current.all_sessions() if is_all else [active] if active is not None else []
    frames = [address for row in ended for address in end(row, keep_offline=keep_offline)]
    current.clear_session(is_all=is_all)
    return list(dict.fromkeys(frames))


def end(session: BrowserSession, *, keep_offline: bool = False) -> list[str]:
    """End one session. Returns the addresses that the page opens in frames."""
    work = current.work()
    frames = front_channel.addresses(work, session)
    sessions.end(work, session, EndReason.SIGNED_OUT, keep_offline=keep_offline)
    return frames


def page(frames: Iterable[str] = (), continue_url: str | None = None) -> Response:
    """The page opens these addresses in frames, from whose origins alone it may load something, and
    goes on to ``continue_url`` when they have loaded or after some seconds. It names the accounts
    that are still signed in in this browser."""
    frames = list(frames)
    g.frame_origins = sorted({_origin(address) for address in frames})
    body = render_template(
        "signed_out.html",
        frames=frames,
        continue_url=continue_url,
        others=[row.account.username for row in current.all_sessions()],
    )
    return Response(body)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
