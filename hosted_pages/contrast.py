"""Contrast of colours (WCAG 2.2, relative luminance and contrast ratio)."""

from __future__ import annotations

import re

#: The minimum contrast of text (WCAG 2.2 success criterion 1.4.3, level AA).
AA = 4.5
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def is_colour(text: str) -> bool:
    """Whether the text is a colour such as ``#0b5c66``."""
    return bool(_COLOUR.fullmatch(text))


def mixed(colour: str, share: float, other: str) -> str:
    """A colour mixed into another one by ``share``, as CSS ``color-mix(in srgb, ...)`` does."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def ratio(first: str, second: str) -> float:
    """The contrast ratio of two colours, from 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
