"""Requests, tasks, pushes to the gateway and mails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from registration.models.base import ACTOR, Base
from registration.models.directory import Account, Organization
from service_base.database import BigId, PrimaryKey


class Request(Base):
    """A change that somebody ordered, by its Request Number; it is done when the gateway says so
    (PR-06)."""

    __tablename__ = "request"

    id: Mapped[PrimaryKey]
    number: Mapped[str] = mapped_column(String(20), unique=True)
    #: What was ordered, such as ``access.grant``.
    kind: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(10))
    organization_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("organization.id"))
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    opened_by: Mapped[str] = mapped_column(ACTOR)
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    #: How many pushes it still waits for.
    waits_for: Mapped[int] = mapped_column(default=0)
    #: What was ordered, for the page of the request.
    data: Mapped[dict[str, Any]] = mapped_column(JSON)

    organization: Mapped[Organization | None] = relationship()

    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'refused')", name="state"),
        Index("ix_request_opened_at", "opened_at", "id"),
        # The newest of an organization, without those of others.
        Index("ix_request_organization_newest", "organization_id", "id"),
    )


class Task(Base):
    """Something to do for one person, or for the holders of an office at an organization. Without
    both it is for the IESO."""

    __tablename__ = "task"

    id: Mapped[PrimaryKey]
    #: Why, such as ``push.refused`` or ``office.vacant``.
    kind: Mapped[str] = mapped_column(String(40))
    #: What the text of the task names.
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("organization.id"), index=True
    )
    office: Mapped[str | None] = mapped_column(String(10))
    request_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("request.id"), index=True)
    #: The same task is not made again while this one is open; empty: it may be.
    key: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str] = mapped_column(ACTOR, default="")

    organization: Mapped[Organization | None] = relationship()
    request: Mapped[Request | None] = relationship()

    __table_args__ = (Index("ix_task_key", "key"),)


class Push(Base):
    """An order to the gateway, in the outbox: make the account, or the participant, so."""

    __tablename__ = "push"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("account.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("organization.id"), index=True
    )
    request_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("request.id"), index=True)
    #: ``put``: make it so. ``delete``: end it.
    operation: Mapped[str] = mapped_column(String(10))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    #: ``queued``, ``done`` or ``refused``.
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    #: The words of the gateway, or why it was not reached.
    last_error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    #: The request to an application that ordered it (W3C Trace Context).
    traceparent: Mapped[str | None] = mapped_column(String(55))

    account: Mapped[Account | None] = relationship()
    organization: Mapped[Organization | None] = relationship()
    request: Mapped[Request | None] = relationship()

    __table_args__ = (
        CheckConstraint("operation IN ('put', 'delete')", name="operation"),
        CheckConstraint("state IN ('queued', 'done', 'refused')", name="state"),
        CheckConstraint("(account_id IS NULL) <> (organization_id IS NULL)", name="target"),
        Index("ix_push_state", "state", "next_attempt_at", "id"),
    )


class Notice(Base):
    """A mail, in the outbox. It has no links that open anything and no secrets."""

    __tablename__ = "notice"

    id: Mapped[PrimaryKey]
    kind: Mapped[str] = mapped_column(String(40))
    person_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("person.id"), index=True)
    #: The entry of the history that it tells of.
    history_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("history.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(2))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    #: ``queued``, ``sent`` or ``dead``.
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'dead')", name="state"),
        Index("ix_notice_state", "state", "next_attempt_at", "id"),
    )


class Schedule(Base):
    """When the worker next does something that it does once a day."""

    __tablename__ = "schedule"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    next_at: Mapped[datetime]
