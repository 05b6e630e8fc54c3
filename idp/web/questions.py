"""The texts of the security questions (MF-05)."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp.mfa.question_pool import POOL, Fault

QUESTIONS = complete(
    POOL,
    {
        "first_street": _("What street did you live on when you were six?"),
        "first_teacher": _("What was the last name of your first teacher?"),
        "first_pet": _("What was the name of your first pet?"),
        "first_car": _("What was the first car you drove regularly?"),
        "first_concert": _("Who performed at the first concert you paid for?"),
        "first_film": _("What was the first film you saw in a theatre?"),
        "first_job_town": _("In what town or city was your first paid job?"),
        "first_boss": _("What was the first name of your first boss?"),
        "first_flight": _("Where did your first flight take you?"),
        "first_album": _("What was the first album you bought?"),
        "first_bicycle": _("What brand was your first bicycle?"),
        "first_computer": _("What was the first computer you used?"),
        "first_recipe": _("What was the first dish you learned to cook?"),
        "first_team": _("What was the name of the first team you played on?"),
        "first_camp": _("What was the name of your first summer camp?"),
        "first_roommate": _("What was the first name of your first roommate?"),
        "school_desk_mate": _("Who sat next to you in your last year of school?"),
        "school_hall": _("What residence or street did you live in as a student?"),
        "school_bus_driver": _("What was the name of your school bus driver?"),
        "school_subject_hated": _("What school subject did you like least?"),
        "childhood_friend": _("What was the nickname of your best childhood friend?"),
        "childhood_hero": _("Who was your hero when you were ten?"),
        "childhood_book": _("What book was read to you most often?"),
        "childhood_toy": _("What did you call your favourite toy?"),
        "childhood_dish": _("What food did you refuse to eat as a child?"),
        "childhood_hiding_place": _("Where was your best hiding place as a child?"),
        "childhood_nickname": _("What did your family call you as a child?"),
        "childhood_dream_job": _("What did you want to be when you were ten?"),
        "neighbour": _("What was the last name of your neighbours where you grew up?"),
        "grandparent_village": _("Where did your oldest grandparent grow up?"),
        "grandparent_trade": _("What was the occupation of one of your grandparents?"),
        "aunt_or_uncle": _("Which aunt or uncle did you visit most often?"),
        "cousin": _("What is the first name of your oldest cousin?"),
        "family_lake": _("At what lake or river did your family spend summers?"),
        "family_song": _("What song did your family always sing at parties?"),
        "wedding_guest": _("At whose wedding did you first dance?"),
        "holiday_missed": _("Where did you want to travel as a child but never went?"),
        "holiday_cottage": _("What was the name of the cottage that you remember best?"),
        "ship_or_ferry": _("What was the first ship or ferry that you travelled on?"),
        "museum": _("What museum did you visit on your first school trip?"),
        "statue": _("What monument was closest to your school?"),
        "tree": _("What kind of tree was in front of your first home?"),
        "teacher_of_music": _("Who taught you to play your first instrument?"),
        "sports_coach": _("What was the last name of your favourite coach?"),
        "board_game": _("What game did your family play most often?"),
        "winter_story": _("What did you lose in the snow as a child?"),
    },
)


def words(name: str) -> str:
    """One question of the pool."""
    return QUESTIONS.of(name)


def words_or_nothing(name: str) -> str:
    """The same for a name from a form; empty if there is no such question."""
    return QUESTIONS.of(name) if name in QUESTIONS else ""


FAULTS = complete(
    Fault,
    {
        Fault.TOO_SHORT: _("Enter an answer of at least 4 characters."),
        Fault.TOO_LONG: _("Enter an answer of no more than 100 characters."),
        Fault.NOT_ASCII: _(
            "Use only letters, digits and symbols from an English keyboard. Accents are allowed."
        ),
        Fault.IN_QUESTION: _(
            "Choose a question from the list. Your answer must not be part of the question."
        ),
        Fault.USER_NAME: _("Your answer must not resemble your user name."),
        Fault.PASSWORD: _("Your answer must not be your password."),
    },
)


def fault(name: Fault) -> str:
    """What is wrong with an answer."""
    return FAULTS.of(name)
