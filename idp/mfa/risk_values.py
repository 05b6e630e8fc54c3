"""The input and output of the risk engine, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from idp.mfa.prompt_reasons import AccountChange, EvidenceCode, Feature, PromptReason

MODEL = "2026-11.3"


@dataclass(frozen=True)
class Agent:
    """A browser, without details that change on their own, such as the exact version and build."""

    family: str = ""
    major: int = 0
    system: str = ""
    #: ``desktop``, ``mobile`` or ``tablet``; empty for other programs.
    kind: str = ""


@dataclass(frozen=True)
class Hour:
    """The time of day for a person."""

    #: Local hours since midnight, from 0 to 24.
    of_day: float
    #: A weekend or an Ontario holiday.
    is_free: bool
    #: Within a week after a daylight-saving change, when habits shift by an hour.
    after_change: bool = False


NO_AGENT = Agent()


class Device(StrEnum):
    """Whether the browser is recognised by its cookie."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    #: The cookie is known for other accounts only, as on a shared workstation.
    OF_ANOTHER = "of_another"
    #: The cookie was revoked, by the holder or by a password change.
    REVOKED = "revoked"
    #: The cookie is bound to a key that the browser has not proved.
    UNPROVED = "unproved"
    #: A former value of the cookie, which was replaced at a later sign-in.
    COPIED = "copied"


class Band(StrEnum):
    """The risk level."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True)
class Place:
    """The location of an IP address. Empty texts and None mean unknown."""

    country: str = ""
    region: str = ""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None


NO_PLACE = Place()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A sign-in with a correct password."""

    at: datetime
    hour: Hour
    ip: str
    asn: str = ""
    place: Place = NO_PLACE
    agent: Agent = NO_AGENT
    device: Device = Device.UNKNOWN
    #: The browser family to which the cookie was issued. A different one indicates theft.
    device_family: str = ""
    #: The browser proved the key that its cookie is bound to.
    has_key: bool = False
    #: A second factor was verified in this browser since the last change of the account.
    is_proved: bool = False
    #: The account has far-reaching rights: a console role, or a role group with its own rule.
    is_privileged: bool = False
    #: Refused sign-ins of this account, and of this network, in the last hour.
    failures: int = 0
    network_failures: int = 0
    #: On the operator's list of suspicious networks.
    is_listed: bool = False
    #: A change since the last completed sign-in that requires a second factor.
    after: AccountChange | None = None


@dataclass(frozen=True)
class PastSignIn:
    """The hour of an earlier sign-in."""

    of_day: float
    is_free: bool
    age_days: float


Counts = Mapping[str, int]


NO_COUNTS: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class History:
    """A person's completed sign-ins as counts. The caller limits its size."""

    sign_ins: int = 0
    #: How often each value was seen, by level: ``ip``, ``asn``, ``country``, ``version``,
    #: ``family``, ``system``, ``kind``.
    counts: Mapping[str, Counts] = field(default_factory=dict)
    #: By provider: how often each of its networks was seen.
    networks: Mapping[str, Counts] = field(default_factory=dict)
    #: As ``counts``, for sign-ins with a second factor since the last change of the account and the
    #: levels ``ip`` and ``asn``.
    proofs: Mapping[str, Counts] = field(default_factory=dict)
    hours: Sequence[PastSignIn] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    last_place: Place = NO_PLACE


@dataclass(frozen=True, kw_only=True)
class Population:
    """The completed sign-ins of all persons as counts."""

    people: int = 0
    sign_ins: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    #: The density of sign-ins over a working day and over a free day, as ``GRID`` values.
    working: Sequence[float] = ()
    free: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Parameters that an operator can change. ``docs/risk.md`` describes the thresholds."""

    medium: float = 2.35
    high: float = 3.0
    #: For ``hour_density``: concentration of the kernel, weight of the population's habits,
    #: half-life of a sign-in in days.
    kappa: float = 6.0
    alpha: float = 4.0
    half_life: float = 60.0
    other_class: float = 0.3
    young_days: int = 5
    dormant_days: int = 90


@dataclass(frozen=True)
class Evidence:
    """The part of the score that comes from one feature. ``shown`` is the value in plain text."""

    feature: Feature
    code: EvidenceCode
    shown: str
    weight: float


@dataclass(frozen=True)
class Risk:
    """The result of an assessment, for the decision, the audit trail and the console."""

    score: float
    band: Band
    evidence: tuple[Evidence, ...]
    #: Hard rules that apply: each requires a second factor, whatever the score.
    hits: tuple[PromptReason, ...]
    model: str = MODEL

    @property
    def asks(self) -> bool:
        """Whether a second factor is required."""
        return bool(self.hits) or self.band is not Band.LOW
