"""What a process counts and measures for Prometheus.

Metrics are declared where they are counted. They cost nothing, and the library is not loaded, until
``enable`` is called. With a folder, all processes of a service count into files there, and one of
them answers for all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from service_base import logs

#: The name in setup.cfg, for the version.
PACKAGE = "ieso-gateway"
#: Label values of one metric; more of them count under OTHER, so that the metric stays small.
MOST_SERIES, OTHER = 2000, "other"
#: Seconds, from an answer out of memory to the longest wait.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: The variable that prometheus_client reads when it is loaded.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
T = TypeVar("T")
#: Values by those of the labels.
Values: TypeAlias = dict[tuple[str, ...], float]
log = logs.Logger("metrics")


@dataclass
class _State:
    """What ``enable`` made of this process."""

    namespace: str = ""
    registry: Any = None
    folder: Path | None = None


_state = _State()
_declared: list[_Metric[Any]] = []


class _Metric(Generic[T]):
    """A declared metric: nothing until it is enabled."""

    def __init__(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels
        self._family: Any = None
        self._series: dict[tuple[str, ...], T] = {}
        _declared.append(self)

    def enable(self) -> None:
        """Count from now on."""
        self._family, self._series = self._make(), {}

    def disable(self) -> None:
        """Count nothing any more."""
        self._family, self._series = None, {}

    def _make(self) -> Any:
        raise NotImplementedError

    def _of(self, labels: tuple[str, ...]) -> Any:
        """The series of these label values."""
        found = self._series.get(labels)
        if found is None:
            if len(self._series) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            found = self._family.labels(*labels) if labels else self._family
            self._series[labels] = found
        return found


class Counter(_Metric[Any]):
    """What only grows. Prometheus calls it by its name and ``_total``."""

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count one more, or ``amount``."""
        if self._family is not None:
            self._of(labels).inc(amount)

    def _make(self) -> Any:
        from prometheus_client import Counter as Made

        name = f"{_state.namespace}_{self.name}"
        return Made(name, self.meaning, self.labels, registry=_state.registry)


class Gauge(_Metric[Any]):
    """What grows and shrinks; of several processes, the sum of those that live."""

    def add(self, *labels: str, amount: float = 1) -> None:
        """Grow by this much, or shrink."""
        if self._family is not None:
            self._of(labels).inc(amount)

    def _make(self) -> Any:
        from prometheus_client import Gauge as Made

        name = f"{_state.namespace}_{self.name}"
        return Made(
            name,
            self.meaning,
            self.labels,
            registry=_state.registry,
            multiprocess_mode="livesum",
        )


class Histogram(_Metric[Any]):
    """How long something takes, in seconds."""

    def observe(self, seconds: float, *labels: str) -> None:
        """It took so long once."""
        if self._family is not None:
            self._of(labels).observe(seconds)

    def _make(self) -> Any:
        from prometheus_client import Histogram as Made

        name = f"{_state.namespace}_{self.name}"
        return Made(name, self.meaning, self.labels, registry=_state.registry, buckets=SECONDS)


@dataclass(frozen=True)
class Reading:
    """Values that are read when Prometheus asks: by label values, or one without labels."""

    name: str
    meaning: str
    values: Values
    labels: tuple[str, ...] = ()
    is_counter: bool = False

    @classmethod
    def of(cls, name: str, meaning: str, value: float) -> Reading:
        """One value without labels."""
        return cls(name, meaning, {(): value})


#: Returns what there is to read now.
Source = Callable[[], Iterable[Reading]]


def enable(namespace: str, folder: Path | None = None) -> None:
    """Count from now on, under names that begin with ``namespace``. Call it before the process is
    forked. ``folder`` must be empty."""
    if folder is not None:
        os.environ[FOLDER] = str(folder)
    from prometheus_client import CollectorRegistry, disable_created_metrics

    # The times at which series began would double their number.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    _state.namespace, _state.folder = namespace, folder
    _state.registry = CollectorRegistry()
    for metric in _declared:
        metric.enable()


def disable() -> None:
    """Count nothing any more."""
    _state.namespace, _state.registry, _state.folder = "", None, None
    for metric in _declared:
        metric.disable()


def is_enabled() -> bool:
    """Whether this process counts."""
    return _state.registry is not None


class Exposition:
    """The text that Prometheus reads: what was counted, and what ``sources`` read now. A source
    that fails is left out, and named in ``source_up``."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._turn = threading.Lock()

    def __call__(self) -> tuple[bytes, str]:
        """The text and its media type. One caller reads at a time."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        with self._turn:
            registry = CollectorRegistry(auto_describe=False)
            if _state.folder is not None:
                _forget_the_dead(_state.folder)
                MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            registry.register(_Readings(self._readings))
            text = generate_latest(registry)
            if _state.folder is None:
                text = generate_latest(_state.registry) + text
            return text, CONTENT_TYPE_LATEST

    def _readings(self) -> Iterator[Reading]:
        yield Reading("build_info", "The release that runs", {(version(PACKAGE),): 1}, ("version",))
        answered: Values = {}
        for name, source in self._sources.items():
            try:
                yield from list(source())
                answered[name,] = 1
            except Exception as error:
                # Prometheus gets the other values, and learns which are missing.
                log.warning("metrics_not_read", source=name, error=type(error).__name__)
                answered[name,] = 0
        yield Reading(
            "metrics_source_up",
            "Whether the values of a source could be read",
            answered,
            ("source",),
        )


@dataclass(frozen=True)
class _Readings:
    """Readings as prometheus_client collects them."""

    read: Callable[[], Iterable[Reading]]

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for reading in self.read():
            kind = CounterMetricFamily if reading.is_counter else GaugeMetricFamily
            name = f"{_state.namespace}_{reading.name}"
            family = kind(name, reading.meaning, labels=reading.labels)
            for labels, value in reading.values.items():
                family.add_metric(labels, value)
            yield family


def _forget_the_dead(folder: Path) -> None:
    """Remove what processes that ended have in use; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        number = path.stem.rpartition("_")[2]
        if not Path("/proc", number).exists():
            path.unlink(missing_ok=True)


@dataclass
class Processes:
    """The processes of a service, by the system: the main process and its children, without the one
    that reads."""

    main: int
    _page: int = field(default_factory=lambda: os.sysconf("SC_PAGE_SIZE"))
    _tick: int = field(default_factory=lambda: os.sysconf("SC_CLK_TCK"))

    def count(self) -> int:
        """How many serve."""
        return len(self._children())

    def read(self) -> Iterator[Reading]:
        """Number, memory, open files and CPU time."""
        children = self._children()
        yield Reading.of("processes", "Processes that serve", len(children))
        memory, files, cpu = 0.0, 0.0, self._cpu(self.main, with_ended=True)
        for pid in (self.main, *children):
            try:
                memory += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * self._page
                files += len(os.listdir(f"/proc/{pid}/fd"))
                cpu += self._cpu(pid) if pid != self.main else 0
            except OSError:
                continue
        yield Reading.of(
            "process_resident_memory_bytes", "Memory of all processes; shared pages count in each",
            memory,
        )  # fmt: skip
        yield Reading.of("process_open_fds", "Open files of all processes", files)
        yield Reading(
            "process_cpu_seconds", "CPU time of all processes", {(): cpu}, is_counter=True
        )

    def _children(self) -> list[int]:
        listed = Path(f"/proc/{self.main}/task/{self.main}/children").read_text().split()
        return [int(pid) for pid in listed if int(pid) != os.getpid()]

    def _cpu(self, pid: int, *, with_ended: bool = False) -> float:
        """Seconds of a process, and of its children that ended."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        last = 15 if with_ended else 13
        return sum(int(value) for value in fields[11:last]) / self._tick


def connections_limit(most: int) -> Reading:
    """The connections to the database that all processes may hold."""
    return Reading.of("database_connections_limit", "Connections that processes may hold", most)


def disk_space(places: Mapping[str, str]) -> Iterator[Reading]:
    """Free and whole space of the file systems of these folders."""
    free: Values = {}
    size: Values = {}
    for name, folder in places.items():
        found = os.statvfs(folder)
        free[name,] = float(found.f_bavail * found.f_frsize)
        size[name,] = float(found.f_blocks * found.f_frsize)
    yield Reading("filesystem_avail_bytes", "Free space of a folder's file system", free, ("of",))
    yield Reading("filesystem_size_bytes", "Size of a folder's file system", size, ("of",))
