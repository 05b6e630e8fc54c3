"""Files of people as spreadsheets write them: encodings, delimiters, headings, limits, formulas."""

from __future__ import annotations

import pytest

from registration import import_files
from registration.import_files import MAX_BYTES, MAX_LINES, FileLine
from registration.import_refusals import (
    ColumnTwice,
    ColumnUnknown,
    FileMissing,
    FileNotReadable,
    FileTooLarge,
    LineTooLong,
    TooManyLines,
)
from service_base.refusals import Invalid

HEADINGS = {"prenom": "first_name", "nom": "last_name", "numero de personne": "person_id"}
TEXT = "first_name;last_name;city\nZoé;Côté;Trois-Rivières\n"


def read(data: bytes) -> list[FileLine]:
    return import_files.lines_of(import_files.text_of(data), HEADINGS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(encoding: str, delimiter: str, end: str) -> None:
    """UTF-8 with and without a mark, Windows-1252, UTF-16; in French with semicolons."""
    text = TEXT.replace(";", delimiter).replace("\n", end)
    (line,) = read(text.encode(encoding))
    entered = line.entered
    assert (entered.first_name, entered.last_name, entered.city) == (
        "Zoé",
        "Côté",
        "Trois-Rivières",
    )
    assert line.number == 2


def test_headings_in_both_languages_whatever_their_accents_and_capitals() -> None:
    (line,) = read("NUMÉRO  de Personne,Prénom,NOM,,\n100001,Ada,Moreau,,\n".encode())
    assert (line.person_id, line.entered.last_name) == ("100001", "Moreau")


def test_empty_lines_are_left_out_and_lines_are_numbered_as_in_the_file() -> None:
    """A value with a line end is one line of the table."""
    data = b'first_name,contact_notes,roles\n,,\nAda,"at\nnight","bids; view bids"\n,,\nBo,,\n'
    first, second = read(data)
    assert (first.number, second.number) == (3, 6)
    assert first.entered.contact_notes == "at night"
    assert first.roles == ("bids", "view")
    assert second.entered.language == "en"


@pytest.mark.parametrize(
    ("typed", "language"), [("", "en"), ("FR", "fr"), ("Français", "fr"), ("de", "de")]
)
def test_languages_by_name_or_code(typed: str, language: str) -> None:
    assert read(f"first_name,language\nAda,{typed}\n".encode())[0].entered.language == language


@pytest.mark.parametrize("typed", ["new", "NEW", "nouveau", "Nouvelle"])
def test_another_person_of_the_same_name(typed: str) -> None:
    assert read(f"person_id,first_name\n{typed},Ada\n".encode())[0].is_another


@pytest.mark.parametrize(
    ("name", "value", "is_formula"),
    [
        ("first_name", "=1+1", True),
        ("first_name", "@SUM(A1)", True),
        ("first_name", "-1", True),
        ("contact_notes", "+1", True),
        ("first_name", "'=1+1", True),
        ("main_phone", "=1+1", True),
        ("main_phone", "+1 416 967 1111", False),
        ("main_phone", "'+1 416 967 1111", False),
        ("first_name", "Jean-Luc", False),
        ("last_name", "'t Hooft", False),
    ],
)
def test_formulas_are_found(name: str, value: str, is_formula: bool) -> None:
    """The apostrophe that our downloads write before a sign is left out."""
    (line,) = read(f"{name},city\n{value},Toronto\n".encode())
    assert line.formulas == ((name,) if is_formula else ())


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", FileMissing),
        (b" \r\n", FileMissing),
        (b"first_name\n", FileMissing),
        (b",,\nAda\n", ColumnUnknown),
        (b"first_name\n" + b"x" * MAX_BYTES, FileTooLarge),
        ("first_name\n" + "é" * (MAX_BYTES // 2 + 9), FileTooLarge),
        (b"first_name\n\x81\x8d\n", FileNotReadable),
        (b"first_name\nA\0da\n", FileNotReadable),
        (b'first_name\n"Ada\n', FileNotReadable),
        (b"\xff\xfef", FileNotReadable),
        (b"first_name,salary\nAda,1\n", ColumnUnknown),
        (b"first_name,Pr\xe9nom\nAda,1\n", ColumnTwice),
        (b"first_name\nAda,Moreau\n", LineTooLong),
        (b"first_name\n" + b"Ada\n" * (MAX_LINES + 1), TooManyLines),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes | str, refusal: type[Invalid]) -> None:
    raw = data.encode("cp1252") if isinstance(data, str) else data
    with pytest.raises(refusal):
        read(raw)


def test_at_the_limits() -> None:
    assert len(read(b"first_name\n" + b"Ada\n" * MAX_LINES)) == MAX_LINES
    assert read(b"first_name\n" + b"x" * (MAX_BYTES - 11))
