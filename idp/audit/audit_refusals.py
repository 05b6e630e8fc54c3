"""Why sealing is refused, and exports of the audit trail."""

from __future__ import annotations

from idp.errors import Invalid, Refused
from service_base.phrases import Phrase


class ChainHeadMissing(Refused):
    """Records have seals, and none of them can be verified."""

    template = "the head of the audit log is missing and no seal can be verified"


class NotOldEnough(Invalid):
    """Records that are still used are not archived."""

    template = "records of the last {days} days stay"
    days: int


class RecordNotProved(Refused):
    """Only what is intact is archived."""

    template = "record {number} is missing or not intact; run gateway audit verify"
    number: int


class ExportUnreadable(Invalid):
    """The line is not a record of the audit trail."""

    template = "line {line} of the export is not an audit log record"
    line: int


class RecordFault(Phrase):
    """What is wrong with the seal of an exported record."""

    FORGED = "forged"
    CHANGED = "changed, or from another audit log"
    UNKNOWN_KEY = "sealed with an unknown key: use --key"
    UNPROVED = "not verifiable: the previous record is missing here and in the export"
    UNSEALED = "not sealed"


class ExportNotVerified(Refused):
    """A record of the export cannot be verified."""

    template = "record {number} of the export is {fault}"
    number: int
    fault: RecordFault
