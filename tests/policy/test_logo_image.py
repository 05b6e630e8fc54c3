"""Which files can be a logo: the answer is the media type or the exact fault."""

from __future__ import annotations

import struct
import zlib
from importlib import resources

import pytest

from idp.policy.logo_image import MAX_BYTES, PNG, SVG, LogoFault, media_type

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">'


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int = 48, height: int = 48, *more: bytes) -> bytes:
    """A PNG file of one colour; ``more`` chunks come before its data."""
    rows = b"".join(b"\0" + b"\x0b\x5c\x66" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + data + chunk(b"IEND")


def svg(content: str = '<path d="M0 0h9"/>', head: str = HEAD) -> bytes:
    return f"{head}{content}</svg>".encode()


@pytest.mark.parametrize(
    "content", [png(), png(16, 16), png(1024, 16), png(48, 48, chunk(b"tEXt"))]
)
def test_a_png_is_a_logo(content: bytes) -> None:
    assert media_type(content) == PNG


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (png(15, 48), LogoFault.DIMENSIONS),
        (png(16, 1025), LogoFault.DIMENSIONS),
        (png() + b"<script>", LogoFault.DAMAGED),
        (png()[:-1], LogoFault.DAMAGED),
        (png()[:8], LogoFault.DAMAGED),
        (png().replace(b"\x08\x02", b"\x08\x06", 1), LogoFault.DAMAGED),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IEND"), LogoFault.DAMAGED),
        (png()[:33] + chunk(b"IEND"), LogoFault.DAMAGED),
        (png(48, 48, chunk(b"acTL", b"\0" * 8)), LogoFault.ANIMATED),
        (b"", LogoFault.SIZE),
        (b"<" * (MAX_BYTES + 1), LogoFault.SIZE),
        (b"GIF89a" + b"\0" * 30, LogoFault.FORMAT),
        (b"\xff\xd8\xff\xe0" + b"\0" * 30, LogoFault.FORMAT),
        (b"%PDF-1.7", LogoFault.FORMAT),
    ],
)
def test_another_file_is_not(content: bytes, fault: LogoFault) -> None:
    assert media_type(content) == fault


@pytest.mark.parametrize(
    "content",
    [
        svg(),
        b"\xef\xbb\xbf" + svg(),
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- a comment -->\n' + svg(),
        svg('<defs><linearGradient id="a"><stop/></linearGradient></defs><path fill="url(#a)"/>'),
        svg(
            '<g style="fill:url(#a);stroke:none"><text x="1">IESO <tspan>Québec</tspan></text></g>'
        ),
        svg("", '<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><s:g/>').replace(
            b"</svg>", b"</s:svg>"
        ),
    ],
)
def test_a_plain_svg_is_a_logo(content: bytes) -> None:
    assert media_type(content) == SVG


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (svg("<script>alert(1)</script>"), LogoFault.ACTIVE),
        (svg('<script xmlns="http://www.w3.org/1999/xhtml"/>'), LogoFault.ACTIVE),
        (svg('<path xmlns="http://www.w3.org/1999/xhtml"/>'), LogoFault.ACTIVE),
        (svg("<style>@import url(//x.test)</style>"), LogoFault.ACTIVE),
        (svg("<foreignObject/>"), LogoFault.ACTIVE),
        (svg('<image href="https://x.test/a.png"/>'), LogoFault.ACTIVE),
        (svg('<use href="#a"/>'), LogoFault.ACTIVE),
        (svg("<animate/>"), LogoFault.ACTIVE),
        (svg('<a href="https://x.test"><path/></a>'), LogoFault.ACTIVE),
        (svg('<path onclick="alert(1)"/>'), LogoFault.ACTIVE),
        (svg('<path ONLOAD="alert(1)"/>'), LogoFault.ACTIVE),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + svg("&a;"), LogoFault.ACTIVE),
        (b'<?xml-stylesheet href="https://x.test/a.css"?>' + svg(), LogoFault.ACTIVE),
        (svg('<path fill="url(https://x.test/#a)"/>'), LogoFault.REFERENCE),
        (svg('<path fill="URL(//x.test)"/>'), LogoFault.REFERENCE),
        (svg('<path style="fill:u\\72l(//x.test)"/>'), LogoFault.REFERENCE),
        (svg('<path style="@import x"/>'), LogoFault.REFERENCE),
        (svg('<linearGradient href="//x.test"/>'), LogoFault.REFERENCE),
        (svg("", HEAD[:-1] + ' xml:base="//x.test">'), LogoFault.REFERENCE),
        (
            svg("", HEAD[:-1] + ' xmlns:x="http://www.w3.org/1999/xlink" x:href="//x.test">'),
            LogoFault.REFERENCE,
        ),
        (svg("<path>"), LogoFault.DAMAGED),
        (svg() + b"<svg/>", LogoFault.DAMAGED),
        (b'<?xml version="1.0" encoding="utf-16"?>' + svg(), LogoFault.FORMAT),
        (b"<html><body/></html>", LogoFault.FORMAT),
        (b"<svg/>", LogoFault.FORMAT),
        (svg("", '<svg xmlns="http://www.w3.org/2000/svg">'), LogoFault.NO_VIEW_BOX),
    ],
)
def test_an_svg_that_could_run_or_load_something_is_not(content: bytes, fault: LogoFault) -> None:
    """N60: nothing foreign runs or loads on our origin."""
    assert media_type(content) == fault


def test_the_drawings_of_the_package_are_logos() -> None:
    folder = resources.files("idp") / "data" / "icons"
    found = {entry.name: media_type(entry.read_bytes()) for entry in folder.iterdir()}
    assert len(found) == 17
    assert set(found.values()) == {SVG}
