"""Logos of clients. The gateway stores their content and never fetches one (docs/decisions/0046).

An image is stored before a client uses it, so that it can be looked at first and be part of a
proposal. ``gateway purge`` deletes images that no client uses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from importlib import resources
from pathlib import Path

from sqlalchemy import select

from idp.clients.client_refusals import IconUnknown, LogoFileInvalid, LogoInvalid
from idp.models.logo import Logo
from idp.policy import logo_image
from idp.policy.logo_image import LogoFault
from idp.transaction import UnitOfWork

#: Before the name of a drawing of the package.
ICON = "icon:"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DATA = re.compile(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)")
_ICONS = resources.files("idp") / "data" / "icons"


def store(work: UnitOfWork, content: bytes) -> str:
    """Store the image if it is new. Returns its digest. Raises LogoInvalid."""
    kind = logo_image.media_type(content)
    if isinstance(kind, LogoFault):
        raise LogoInvalid(kind)
    digest = hashlib.sha256(content).hexdigest()
    row = find(work, digest)
    if row is None:
        row = Logo(digest=digest, media_type=kind, content=content)
        work.db.add(row)
    row.stored_at = work.now
    work.db.flush()
    return digest


def find(work: UnitOfWork, digest: str) -> Logo | None:
    """The image with this digest."""
    if not _DIGEST.fullmatch(digest):
        return None
    return work.db.scalar(select(Logo).where(Logo.digest == digest))


def path_of(digest: str) -> str:
    """The path of its URL (the client metadata ``logo_uri``, RFC 7591 section 2)."""
    return f"/logos/{digest}"


def read(text: str, folder: Path | None = None) -> bytes:
    """The image that a text names: ``icon:NAME``, a ``data:`` URI (base64), or a file. With
    ``folder``, the file is there or below. Raises LogoFileInvalid."""
    if text.startswith(ICON):
        return _icon(text)
    if text.startswith("data:"):
        found = _DATA.fullmatch(text)
        try:
            return base64.b64decode(found[1] if found else "=", validate=True)
        except binascii.Error:
            raise LogoFileInvalid("data:") from None
    return _file(text, folder)


def data_uri(row: Logo) -> str:
    """The image as text, which ``read`` takes."""
    return f"data:{row.media_type};base64,{base64.b64encode(row.content).decode()}"


def icon_names() -> list[str]:
    """The names of the drawings of the package."""
    return sorted(entry.name.removesuffix(".svg") for entry in _ICONS.iterdir())


def _file(text: str, folder: Path | None) -> bytes:
    try:
        path = ((folder or Path()) / text).resolve()
        if folder is None or path.is_relative_to(folder.resolve()):
            with path.open("rb") as file:
                # No more than shows that it is too large.
                return file.read(logo_image.MAX_BYTES + 1)
    except (OSError, ValueError):
        pass
    raise LogoFileInvalid(text)


def _icon(text: str) -> bytes:
    name, names = text.removeprefix(ICON), icon_names()
    if name not in names:
        raise IconUnknown(text, tuple(names))
    return (_ICONS / f"{name}.svg").read_bytes()
