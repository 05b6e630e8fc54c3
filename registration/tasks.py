"""Tasks: what somebody has to do, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from registration.models import Request, Task
from registration.transaction import UnitOfWork


def create(
    work: UnitOfWork,
    kind: str,
    *,
    key: str = "",
    person_id: int | None = None,
    organization_id: int | None = None,
    office: str | None = None,
    request: Request | None = None,
    data: dict[str, Any] | None = None,
    due_at: datetime | None = None,
) -> Task:
    """A task for one person, or for the holders of an office at an organization; without both, for
    the IESO. An open task with the same key is returned instead of a second one."""
    if key and (known := _open(work, key)) is not None:
        return known
    task = Task(
        kind=kind,
        key=key,
        person_id=person_id,
        organization_id=organization_id,
        office=office,
        request_id=request.id if request else None,
        data=data or {},
        created_at=work.now,
        due_at=due_at,
    )
    work.db.add(task)
    work.db.flush()
    return task


def finish(work: UnitOfWork, *keys: str) -> bool:
    """Close the open tasks with these keys; returns whether there was one."""
    query = select(Task).where(Task.key.in_(keys), Task.done_at.is_(None)).order_by(Task.id)
    found = work.db.scalars(query).all()
    for task in found:
        task.done_at, task.done_by = work.now, work.origin.actor
    return bool(found)


def _open(work: UnitOfWork, key: str) -> Task | None:
    query = select(Task).where(Task.key == key, Task.done_at.is_(None)).limit(1)
    return work.db.scalars(query).first()
