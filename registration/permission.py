"""Where a service asks whether it may go on, after other changes of the organization are done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from sqlalchemy import update

from registration.delegation import Allowed, WhoCan, may
from registration.delegation import Refused as Answer
from registration.delegation_facts import Actor, Facts, Target
from registration.delegation_rules import Action, Reason
from registration.delegation_texts import sentence
from registration.models import Organization
from registration.transaction import UnitOfWork
from service_base.refusals import ServiceError


class NotAllowed(ServiceError):
    """The actor may not do this; ``reason`` says why and ``who_can`` who can."""

    code: ClassVar[str] = "not_allowed"

    def __init__(self, answer: Answer) -> None:
        super().__init__(sentence(answer.reason))
        self.reason: Reason = answer.reason
        self.who_can: tuple[WhoCan, ...] = answer.who_can

    def sentence(
        self,
        translate: Callable[[str], str],
        moment: Callable[[datetime], str] = datetime.isoformat,  # noqa: ARG002 - as of Refusal
    ) -> str:
        """Why, in the language of ``translate``."""
        return sentence(self.reason, translate)


def require(actor: Actor, action: Action, target: Target, facts: Facts) -> Allowed:
    """Raise NotAllowed unless the actor may."""
    answer = may(actor, action, target, facts)
    if isinstance(answer, Answer):
        raise NotAllowed(answer)
    return answer


def lock(work: UnitOfWork, organization: Organization) -> None:
    """Let other changes of who may do what at this organization wait until this one is committed.
    The last of two Primary Contacts is then seen as the last one."""
    work.db.execute(
        update(Organization)
        .where(Organization.id == organization.id)
        .values(updated_at=work.now)
        .execution_options(synchronize_session=False)
    )
