"""All models, so that Alembic and the mapper see every table."""

from registration.models.base import Base, Held
from registration.models.directory import (
    Account,
    Counter,
    Market,
    Organization,
    Participation,
    Person,
    Section,
)
from registration.models.history import History, HistoryHead
from registration.models.machines import Custody, Machine, MachineNetwork
from registration.models.roles import (
    AccessAssignment,
    AccessRole,
    Appointment,
    ContactAssignment,
    ContactRole,
)
from registration.models.sessions import Session, SpentToken
from registration.models.work import Notice, Push, Request, Schedule, Task

__all__ = [
    "AccessAssignment", "AccessRole", "Account", "Appointment", "Base", "ContactAssignment",
    "ContactRole", "Counter", "Custody", "Held", "History", "HistoryHead", "Machine",
    "MachineNetwork", "Market", "Notice", "Organization", "Participation", "Person", "Push",
    "Request", "Schedule", "Section", "Session", "SpentToken", "Task",
]  # fmt: skip
