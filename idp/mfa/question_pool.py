"""The security question: the pool, a short list for each person, and normalization of answers."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from idp.policy.search_terms import fold

#: Names of the questions; the pages have their words in both languages.
POOL = (
    "first_street", "first_teacher", "first_pet", "first_car", "first_concert", "first_film",
    "first_job_town", "first_boss", "first_flight", "first_album", "first_bicycle",
    "first_computer", "first_recipe", "first_team", "first_camp", "first_roommate",
    "school_desk_mate", "school_hall", "school_bus_driver", "school_subject_hated",
    "childhood_friend", "childhood_hero", "childhood_book", "childhood_toy", "childhood_dish",
    "childhood_hiding_place", "childhood_nickname", "childhood_dream_job", "neighbour",
    "grandparent_village", "grandparent_trade", "aunt_or_uncle", "cousin", "family_lake",
    "family_song", "wedding_guest", "holiday_missed", "holiday_cottage", "ship_or_ferry",
    "museum", "statue", "tree", "teacher_of_music", "sports_coach", "board_game",
    "winter_story",
)  # fmt: skip
SHORT_LIST = 6
MIN_LENGTH, MAX_LENGTH = 4, 100


class Fault(StrEnum):
    """Why an answer is not accepted."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_ASCII = "not_ascii"
    IN_QUESTION = "in_question"
    USER_NAME = "user_name"
    PASSWORD = "password"  # noqa: S105 - the name of a fault


def short_list(seed: str) -> tuple[str, ...]:
    """Some questions of the pool, always the same for a seed, so that reloading the page gives no
    other choice (MF-05)."""

    def place(name: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{name}".encode()).digest()

    return tuple(sorted(POOL, key=place)[:SHORT_LIST])


def normalised(answer: str) -> str:
    """The answer as compared: without accents, case and repeated spaces (MF-06)."""
    return " ".join(fold(answer).split())


def fault(answer: str, *, question: str, username: str) -> Fault | None:
    """The fault of a new answer, if any; ``question`` is the text of the question."""
    form = normalised(answer)
    if len(form) < MIN_LENGTH:
        return Fault.TOO_SHORT
    if len(form) > MAX_LENGTH:
        return Fault.TOO_LONG
    if not form.isascii() or not form.isprintable():
        return Fault.NOT_ASCII
    if form in normalised(question):
        return Fault.IN_QUESTION
    name = normalised(username.partition("@")[0])
    if form in name or name in form:
        return Fault.USER_NAME
    return None
