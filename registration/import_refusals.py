"""Why a file of people and access roles is refused as a whole, or is not carried out."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid


class FileMissing(Invalid):
    """There is no file, or nothing in it."""

    template = N_("choose a file with at least one person")


class FileTooLarge(Invalid):
    """More than is read."""

    template = N_("the file is larger than {limit} bytes")
    limit: int


class FileNotReadable(Invalid):
    """No encoding or form of CSV that spreadsheets write."""

    template = N_("the file cannot be read: save it as CSV in UTF-8 or Windows-1252")


class TooManyLines(Invalid):
    """More people than are imported at once."""

    template = N_("the file has more than {limit} lines")
    limit: int


class TooManyChanges(Invalid):
    """More access roles than are granted at once."""

    template = N_("the file grants more than {limit} access roles")
    limit: int


class ColumnUnknown(Invalid):
    """A heading that names no column of ours."""

    template = N_("there is no column {name}")
    name: str


class ColumnTwice(Invalid):
    """Two headings name the same column."""

    template = N_("the column {name} is there twice")
    name: str


class LineTooLong(Invalid):
    """More values than headings."""

    template = N_("line {number} has more values than there are columns")
    number: int


class ImportNotPossible(Conflict):
    """A line is refused, or what would come of the file is no longer what was shown."""

    template = N_("the file was not imported: its lines must be reviewed again")
