"""A file of people and access roles, as spreadsheets write it: decoded, and read line by line.
Nothing is looked up here.

A line is a person with the fields of RG-03, and the codes of access roles. ``person_id`` names
somebody who is registered; ``new`` in it says that this is another person of the same name.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from registration.import_refusals import (
    ColumnTwice,
    ColumnUnknown,
    FileMissing,
    FileNotReadable,
    FileTooLarge,
    LineTooLong,
    TooManyLines,
)
from registration.person_fields import LANGUAGES, PersonFields
from registration.role_grid import plain

MAX_BYTES = 100_000
MAX_LINES = 100
PERSON_ID, ROLES = "person_id", "roles"
#: The columns, in the order of the template.
COLUMNS = (PERSON_ID, *(one.name for one in fields(PersonFields)), ROLES)
#: In the column of the Person ID: another person than those of the same name.
NEW = "new"
_NEW = ("new", "nouveau", "nouvelle")
_PHONES = ("main_phone", "alternate_phone_1", "alternate_phone_2", "fax")
_LANGUAGES = {"english": "en", "anglais": "en", "french": "fr", "francais": "fr", "": LANGUAGES[0]}
_DELIMITERS = ",;\t"
#: What a spreadsheet takes for a formula, and what it writes before a text that is none.
_FORMULA, _SIGNS, _QUOTE = ("=", "@"), ("+", "-"), "'"


@dataclass(frozen=True)
class FileLine:
    """A person of the file. ``formulas`` are the columns whose value is a formula."""

    number: int
    person_id: str
    entered: PersonFields
    roles: tuple[str, ...]
    formulas: tuple[str, ...] = ()

    @property
    def is_another(self) -> bool:
        """Whether it is said to be another person than those of the same name."""
        return self.person_id == NEW


def text_of(data: bytes) -> str:
    """The text of the file: UTF-8 or UTF-16 by its byte order mark, else UTF-8, else Windows-1252.
    Raises FileMissing, FileTooLarge or FileNotReadable."""
    if not data.strip():
        raise FileMissing()
    if len(data) > MAX_BYTES:
        raise FileTooLarge(MAX_BYTES)
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _sound(text)
    raise FileNotReadable()


def _sound(text: str) -> str:
    """The same with one kind of line ends. Raises FileTooLarge or FileNotReadable."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise FileNotReadable()
    if len(text.encode()) > MAX_BYTES:
        raise FileTooLarge(MAX_BYTES)
    return text


def lines_of(text: str, headings: Mapping[str, str]) -> list[FileLine]:
    """The people of the file. ``headings`` has the column of each heading that is understood,
    without accents and capitals, beside the names of the columns.

    Raises FileMissing, FileTooLarge, FileNotReadable, TooManyLines, ColumnUnknown, ColumnTwice or
    LineTooLong."""
    rows = _rows(_sound(text))
    _, first = next(rows, (0, []))
    columns = _columns(first, headings)
    found: list[FileLine] = []
    for number, cells in rows:
        if any(cells[len(columns) :]):
            raise LineTooLong(number)
        if len(found) == MAX_LINES:
            raise TooManyLines(MAX_LINES)
        found.append(_line(number, dict(zip(columns, cells, strict=False))))
    if not found:
        raise FileMissing()
    return found


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not empty, each with the number at which it begins."""
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    try:
        for cells in reader:
            if any(one.strip() for one in cells):
                yield number, [one.strip() for one in cells]
            number = reader.line_num + 1
    except csv.Error as error:
        raise FileNotReadable() from error


def _columns(head: list[str], headings: Mapping[str, str]) -> list[str]:
    while head and not head[-1]:
        head = head[:-1]
    if not head:
        raise FileMissing()
    found: list[str] = []
    for one in head:
        name = plain(" ".join(one.split()))
        column = name if name in COLUMNS else headings.get(name)
        if column is None:
            raise ColumnUnknown(one[:80])
        if column in found:
            raise ColumnTwice(one[:80])
        found.append(column)
    return found


def _line(number: int, cells: dict[str, str]) -> FileLine:
    values = {name: " ".join(_unquoted(value).split()) for name, value in cells.items()}
    person_id = values.pop(PERSON_ID, "")
    roles = tuple(dict.fromkeys(re.findall(r"[^\s,;]+", values.pop(ROLES, ""))))
    language = plain(values.pop("language", ""))
    formulas = tuple(name for name, value in values.items() if _is_formula(name, value))
    entered = PersonFields(**values, language=_LANGUAGES.get(language, language))
    is_new = plain(person_id) in _NEW
    return FileLine(number, NEW if is_new else person_id, entered, roles, formulas)


def _unquoted(value: str) -> str:
    """Without the apostrophe that downloads of tables write before a sign."""
    return (
        value[1:] if value.startswith(tuple(_QUOTE + one for one in _FORMULA + _SIGNS)) else value
    )


def _is_formula(name: str, value: str) -> bool:
    return value.startswith(_FORMULA) or (name not in _PHONES and value.startswith(_SIGNS))
