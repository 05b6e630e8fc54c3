"""A role group that an account holds."""

from __future__ import annotations

from typing import NamedTuple


class HeldRoleGroup(NamedTuple):
    """A role group that an account holds for a participant."""

    group: str
    participant: str
    participant_name: str
