"""A chart of CPU time for each request and provider, as an SVG document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

WIDTH, LEFT, BAR, GAP = 760, 210, 14, 16
#: Names of providers side by side above the chart.
COLUMNS = 3
#: The scale of the bars, in milliseconds.
LEAST, MOST = 0.01, 100.0
COLOURS = ("#0b5c66", "#a3231f", "#7a4a00", "#4a5b61", "#5a3d8a", "#2f6b2f", "#b0288a")


def svg(title: str, found: Mapping[str, Mapping[str, float]]) -> str:
    """Milliseconds by provider and request, on a logarithmic scale. The first provider has every
    request; a bar is left out where another one has none."""
    requests = list(next(iter(found.values())))
    group = len(found) * BAR + GAP
    start = 50 + 20 * math.ceil(len(found) / COLUMNS)
    bottom = start + len(requests) * group
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 40}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{bottom + 40}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="16">{escape(title)}</text>',
    ]
    for number, name in enumerate(found):
        x, y = 12 + number % COLUMNS * (WIDTH - 24) / COLUMNS, 38 + 20 * (number // COLUMNS)
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="12" height="12" fill="{_colour(number)}"/>')
        parts.append(f'<text x="{x + 18:.1f}" y="{y + 11}">{escape(name)}</text>')
    for power in range(-2, 3):
        x = _x(10.0**power)
        parts.append(f'<line x1="{x}" y1="{start}" x2="{x}" y2="{bottom}" stroke="#c3cdd0"/>')
        parts.append(
            f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{10.0**power:g} ms</text>'
        )
    for row, request in enumerate(requests):
        top = start + row * group + GAP / 2
        middle = top + len(found) * BAR / 2 + 4
        parts.append(
            f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(request)}</text>'
        )
        for number, rows in enumerate(found.values()):
            if request in rows:
                width, y = round(_x(rows[request]) - LEFT, 1), top + number * BAR
                parts.append(
                    f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR - 2}"'
                    f' fill="{_colour(number)}"/>'
                )
                parts.append(
                    f'<text x="{LEFT + width + 4}" y="{y + 10}" font-size="11">'
                    f"{rows[request]:.2f}</text>"
                )
    return "\n".join([*parts, "</svg>", ""])


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _x(milliseconds: float) -> float:
    share = math.log(max(milliseconds, LEAST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + share * (WIDTH - LEFT - 60), 1)
