"""Plot the trade-off: prompt rate against attacks stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 460, 70, 60, 40
LEAST = 0.001
#: Distinguished by dash pattern as well as colour.
STYLES = (("#0b5c66", ""), ("#a3231f", "8 4"), ("#7a4a00", "2 4"), ("#4a5b61", "10 3 2 3"))

Curve = Sequence[tuple[float, float]]


def svg(title: str, curves: Mapping[str, Curve]) -> str:
    """An SVG document with a logarithmic prompt rate and a linear share stopped."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    for rate in (0.001, 0.01, 0.1, 1.0):
        x = _x(rate)
        parts.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{_y(0)}" stroke="#c3cdd0"/>')
        parts.append(f'<text x="{x}" y="{_y(0) + 20}" text-anchor="middle">{rate:g}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{_x(1)}" y2="{y}" stroke="#c3cdd0"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    parts.append(
        f'<text x="{(LEFT + _x(1)) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
        "share of people's own sign-ins that are asked for a factor</text>"
    )
    for number, (name, curve) in enumerate(curves.items()):
        colour, dash = STYLES[number % len(STYLES)]
        points = " ".join(f"{_x(rate):.1f},{_y(share):.1f}" for rate, share in curve)
        line = f'fill="none" stroke="{colour}" stroke-width="2.5"'
        line += f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<polyline points="{points}" {line}/>')
        y = _y(0.45) + number * 22
        parts.append(f'<line x1="{_x(0.12)}" y1="{y}" x2="{_x(0.19)}" y2="{y}" {line}/>')
        parts.append(f'<text x="{_x(0.21)}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(rate: float) -> float:
    share = math.log(max(rate, LEAST) / LEAST) / math.log(1 / LEAST)
    return round(LEFT + share * (WIDTH - LEFT - 30), 1)


def _y(share: float) -> float:
    return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)
