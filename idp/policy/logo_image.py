"""Which images can be the logo of a client: small PNG and SVG files without active content.

A logo is shown on the sign-in page. Pages show it as an image, so browsers run no script in it and
load nothing for it. A browser can also open its URL, so the file itself has nothing to run either
(docs/decisions/0046).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from typing import NoReturn
from xml.parsers import expat

from service_base.phrases import N_, Phrase

MAX_BYTES = 64 * 1024
SMALLEST, LARGEST = 16, 1024
PNG, SVG = "image/png", "image/svg+xml"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: The parser joins namespace and name by a blank.
_NAMESPACE = "http://www.w3.org/2000/svg "
_ELEMENTS = frozenset(
    (
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "title",
        "desc", "defs", "linearGradient", "radialGradient", "stop", "clipPath", "text", "tspan",
    )
)  # fmt: skip
_INNER_URL = re.compile(r"url\(#[A-Za-z][\w.-]*\)")


class LogoFault(Phrase):
    """Why a file cannot be a logo."""

    SIZE = N_("is empty or larger than 64 KB")
    FORMAT = N_("is neither a PNG nor an SVG file")
    DIMENSIONS = N_("is smaller than 16 or larger than 1,024 pixels in width or height")
    DAMAGED = N_("is damaged, or something follows the image")
    ANIMATED = N_("is animated")
    ACTIVE = N_("contains more than shapes, gradients and text; save it as a plain SVG or as a PNG")
    REFERENCE = N_("refers to something outside the file")
    NO_VIEW_BOX = N_("has no viewBox")


class _Faulty(Exception):
    def __init__(self, fault: LogoFault) -> None:
        self.fault = fault


def media_type(content: bytes) -> str | LogoFault:
    """The media type of the image by its content, or why it cannot be a logo."""
    if not 0 < len(content) <= MAX_BYTES:
        return LogoFault.SIZE
    if content.startswith(_SIGNATURE):
        return _png_fault(content) or PNG
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return LogoFault.FORMAT
    return _svg_fault(content) or SVG


def _png_fault(content: bytes) -> LogoFault | None:
    """Walks through the chunks (PNG, W3C Recommendation, section 5)."""
    position = len(_SIGNATURE)
    kinds: list[bytes] = []
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        body = content[position + 4 : end]
        if content[end : end + 4] != struct.pack(">I", zlib.crc32(body)):
            return LogoFault.DAMAGED
        if not kinds and (kind, length) != (b"IHDR", 13):
            return LogoFault.DAMAGED
        kinds.append(kind)
        position = end + 4
        if kind == b"IEND":
            break
    if position != len(content) or b"IDAT" not in kinds or kinds[-1] != b"IEND":
        return LogoFault.DAMAGED
    if b"acTL" in kinds:
        return LogoFault.ANIMATED
    sides = struct.unpack_from(">II", content, len(_SIGNATURE) + 8)
    return None if min(sides) >= SMALLEST and max(sides) <= LARGEST else LogoFault.DIMENSIONS


def _svg_fault(content: bytes) -> LogoFault | None:
    """Reads the file as UTF-8 and checks every element and attribute."""
    parser = expat.ParserCreate("utf-8", " ")
    roots: list[Mapping[str, str]] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if not roots:
            if name != f"{_NAMESPACE}svg":
                raise _Faulty(LogoFault.FORMAT)
            roots.append(attributes)
        _check_element(name, attributes)

    def declare(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise _Faulty(LogoFault.FORMAT)

    def refuse(*_: object) -> NoReturn:
        raise _Faulty(LogoFault.ACTIVE)

    parser.StartElementHandler = start
    parser.XmlDeclHandler = declare
    # Entities and style sheets would come from here.
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = refuse
    try:
        parser.Parse(content, True)
    except _Faulty as error:
        return error.fault
    except expat.ExpatError:
        return LogoFault.DAMAGED
    return None if "viewBox" in roots[0] else LogoFault.NO_VIEW_BOX


def _check_element(name: str, attributes: Mapping[str, str]) -> None:
    if name.removeprefix(_NAMESPACE) not in _ELEMENTS:
        raise _Faulty(LogoFault.ACTIVE)
    for key, value in attributes.items():
        if key.lower().startswith("on"):
            raise _Faulty(LogoFault.ACTIVE)
        # Attributes of other namespaces, such as xlink:href, have a blank in their name.
        is_reference = " " in key or key == "href" or "url" in _INNER_URL.sub("", value).lower()
        if is_reference or (key == "style" and ("\\" in value or "@" in value)):
            raise _Faulty(LogoFault.REFERENCE)
