"""The Groups that a client with a mapping profile finds without having made them: every role group
that it may grant, at every participant where it may."""

from __future__ import annotations

from sqlalchemy import Select, exists, or_, select

from idp.db import insert_if_missing
from idp.models import Participant, Participation, ProvisionedGroup, RoleGroup
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge.mapping_profile import Profile
from registration_bridge.reach import Reach


def offer(work: UnitOfWork, reach: Reach) -> None:
    """Make the Groups that are missing, without members being changed; none for a client without a
    profile, or one that may not grant."""
    profile = Profile.of(reach.pusher)
    if profile is None or PushOperation.GRANT not in reach.operations:
        return
    for role_group_id, participant_id, name, number in work.db.execute(_missing(reach)).all():
        insert_if_missing(
            work.db,
            ProvisionedGroup,
            public_id=work.token(16),
            role_group_id=role_group_id,
            participant_id=participant_id,
            client_id=reach.pusher.id,
            external_id=None,
            display_name=profile.name_of_group(name, number),
            created_at=work.now,
            updated_at=work.now,
        )


def _missing(reach: Reach) -> Select[int, int, str, str]:
    """Role groups and participants that are no Group yet; operators' are none."""
    takes_part = exists().where(
        Participation.participant_id == Participant.id,
        Participation.name == RoleGroup.participation,
        Participation.ended_at.is_(None),
    )
    is_made = exists().where(
        ProvisionedGroup.role_group_id == RoleGroup.id,
        ProvisionedGroup.participant_id == Participant.id,
    )
    return (
        select(RoleGroup.id, Participant.id, RoleGroup.name, Participant.number)
        .select_from(RoleGroup)
        .join(Participant, Participant.ended_at.is_(None))
        .where(
            RoleGroup.name.not_in(list(ConsoleRole)),
            Participant.number != OPERATOR,
            Participant.removed_at.is_(None),
            or_(RoleGroup.participation == "", takes_part),
            ~is_made,
            reach.of_participants(),
        )
        .order_by(RoleGroup.id, Participant.id)
    )
