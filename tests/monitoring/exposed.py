"""What a process exposes to Prometheus, read as a test wants it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from service_base import metrics

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@contextmanager
def counting(namespace: str = "gateway") -> Iterator[None]:
    """Count in this process during the block."""
    metrics.enable(namespace)
    try:
        yield
    finally:
        metrics.disable()


def samples(text: str) -> Samples:
    """The values by name and labels."""
    found = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            name, labels, value = match.groups()
            found[name, frozenset(_LABEL.findall(labels or ""))] = float(value)
    return found


def now(**sources: metrics.Source) -> Samples:
    """What this process exposes."""
    return samples(text(sources))


def text(sources: Mapping[str, metrics.Source]) -> str:
    return metrics.Exposition(sources)()[0].decode()


def value(found: Samples, name: str, **labels: str) -> float:
    """One value; 0 if nothing was counted."""
    return found.get((name, frozenset(labels.items())), 0.0)


def names(found: str) -> set[str]:
    """The names of all series that an exposition has or will have."""
    made = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", found, re.M):
        made |= {name} | ({f"{name}_{end}" for end in ("bucket", "sum", "count")}
                          if kind == "histogram" else set())  # fmt: skip
    return made
