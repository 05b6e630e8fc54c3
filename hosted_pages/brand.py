"""The brand of an environment: name, logo and accent colours (docs/decisions/0038).

The settings of an application are checked at its start, so pages do not handle files that cannot
be read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hosted_pages import contrast

LOGOS = ("logo.svg", "logo.png")
MAX_LOGO = 200_000
ACCENT, ACCENT_DARK = "#0b5c66", "#7fd0d8"
#: What an accent colour lies on or under: the surfaces of tokens.css, and the share of the accent
#: in its tint.
SURFACES = (("#ffffff", "#f3f6f7", "#edf1f2"), 0.09)
SURFACES_DARK = (("#182326", "#10181a", "#131c1f", "#0b2226"), 0.12)
_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, kw_only=True)
class Brand:
    """The brand as the settings name it."""

    name: str
    accent: str = ACCENT
    accent_dark: str = ACCENT_DARK
    #: With logo.svg or logo.png; empty: the built-in logo.
    folder: str = ""
    platform_url: str = ""
    other_environment_url: str = ""

    @cached_property
    def logo(self) -> Path | None:
        """The file with the logo; None for the built-in one."""
        if not self.folder:
            return None
        paths = (Path(self.folder) / name for name in LOGOS)
        return next((path for path in paths if path.is_file()), None)

    @property
    def has_colours(self) -> bool:
        """Whether the accent colours differ from the built-in ones."""
        return (self.accent, self.accent_dark) != (ACCENT, ACCENT_DARK)

    @cached_property
    def version(self) -> str:
        """A digest of logo and colours. It is part of their URLs, so that caches notice a
        change."""
        content = self.stylesheet.encode() + (self.logo.read_bytes() if self.logo else b"")
        return hashlib.sha256(content).hexdigest()[:12]

    @property
    def stylesheet(self) -> str:
        """A stylesheet with the accent colours for light and dark. Forced colours ignore it."""
        plain = "not (forced-colors: active)"
        return (
            f"@media {plain} {{ :root {{ --accent: {self.accent}; }} }}\n"
            f"@media (prefers-color-scheme: dark) and ({plain})"
            f" {{ :root {{ --accent: {self.accent_dark}; }} }}\n"
        )


def faults(brand: Brand, prefix: str) -> Iterator[str]:
    """Why an application must not start with this brand. ``prefix`` is that of its settings, such
    as ``IDP_``."""
    yield from _accent_faults(f"{prefix}BRAND_ACCENT", brand.accent, *SURFACES)
    yield from _accent_faults(f"{prefix}BRAND_ACCENT_DARK", brand.accent_dark, *SURFACES_DARK)
    if not brand.name.strip():
        yield f"{prefix}BRAND_NAME is empty"
    for name in ("platform_url", "other_environment_url"):
        url = getattr(brand, name)
        if url and not url.startswith(("https://", "http://localhost")):
            yield f"{prefix}{name.upper()} must be https"
    if brand.folder:
        yield from _folder_faults(f"{prefix}BRAND_FOLDER", Path(brand.folder))


def _accent_faults(
    setting: str, colour: str, surfaces: tuple[str, ...], share: float
) -> Iterator[str]:
    if not contrast.is_colour(colour):
        yield f"{setting} must be a colour such as {ACCENT}"
        return
    tint = contrast.mixed(colour, share, surfaces[0])
    least = min(contrast.ratio(colour, surface) for surface in (*surfaces, tint))
    if least < contrast.AA:
        yield f"{setting}: {colour} has a contrast of {least:.1f}; text needs {contrast.AA}"


def _folder_faults(setting: str, folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{setting}: {folder} is no folder"
        return
    for name in LOGOS:
        if (folder / name).is_file() and (folder / name).stat().st_size > MAX_LOGO:
            yield f"{setting}: {name} is larger than {MAX_LOGO} bytes"


def monogram(name: str) -> str:
    """Two letters for an application: the initials of the first two words before a dash, or the
    start of a single word."""
    words: list[str] = _WORDS.findall(name.partition(" – ")[0])
    return ("".join(word[0] for word in words[:2]) if len(words) > 1 else name.strip()[:2]).upper()
