"""The security questions in words (MF-05)."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from idp.mfa.question_pool import Fault
from idp.web.texts import complete


def words(name: str) -> str:
    """One question of the pool."""
    return _pool()[name]


def words_or_nothing(name: str) -> str:
    """The same for a name that somebody sent; empty when there is none."""
    return _pool().get(name, "")


def _pool() -> dict[str, str]:
    return {
        "first_street": gettext("What street did you live on when you were six?"),
        "first_teacher": gettext("What was the last name of your first teacher?"),
        "first_pet": gettext("What was the name of your first pet?"),
        "first_car": gettext("What was the first car you drove regularly?"),
        "first_concert": gettext("Who performed at the first concert you paid for?"),
        "first_film": gettext("What was the first film you saw in a theatre?"),
        "first_job_town": gettext("In what town or city was your first paid job?"),
        "first_boss": gettext("What was the first name of your first boss?"),
        "first_flight": gettext("Where did your first flight take you?"),
        "first_album": gettext("What was the first album you bought?"),
        "first_bicycle": gettext("What brand was your first bicycle?"),
        "first_computer": gettext("What was the first computer you used?"),
        "first_recipe": gettext("What was the first dish you learned to cook?"),
        "first_team": gettext("What was the name of the first team you played on?"),
        "first_camp": gettext("What was the name of your first summer camp?"),
        "first_roommate": gettext("What was the first name of your first roommate?"),
        "school_desk_mate": gettext("Who sat next to you in your last year of school?"),
        "school_hall": gettext("What residence or street did you live in as a student?"),
        "school_bus_driver": gettext("What was the name of your school bus driver?"),
        "school_subject_hated": gettext("What school subject did you like least?"),
        "childhood_friend": gettext("What was the nickname of your best childhood friend?"),
        "childhood_hero": gettext("Who was your hero when you were ten?"),
        "childhood_book": gettext("What book was read to you most often?"),
        "childhood_toy": gettext("What did you call your favourite toy?"),
        "childhood_dish": gettext("What food did you refuse to eat as a child?"),
        "childhood_hiding_place": gettext("Where was your best hiding place as a child?"),
        "childhood_nickname": gettext("What did your family call you as a child?"),
        "childhood_dream_job": gettext("What did you want to be when you were ten?"),
        "neighbour": gettext("What was the last name of your neighbours where you grew up?"),
        "grandparent_village": gettext("Where did your oldest grandparent grow up?"),
        "grandparent_trade": gettext("What was the occupation of one of your grandparents?"),
        "aunt_or_uncle": gettext("Which aunt or uncle did you visit most often?"),
        "cousin": gettext("What is the first name of your oldest cousin?"),
        "family_lake": gettext("At what lake or river did your family spend summers?"),
        "family_song": gettext("What song did your family always sing at parties?"),
        "wedding_guest": gettext("At whose wedding did you first dance?"),
        "holiday_missed": gettext("Where did you want to travel as a child but never went?"),
        "holiday_cottage": gettext("What was the name of the cottage that you remember best?"),
        "ship_or_ferry": gettext("What was the first ship or ferry that you travelled on?"),
        "museum": gettext("What museum did you visit on your first school trip?"),
        "statue": gettext("What monument was closest to your school?"),
        "tree": gettext("What kind of tree was in front of your first home?"),
        "teacher_of_music": gettext("Who taught you to play your first instrument?"),
        "sports_coach": gettext("What was the last name of your favourite coach?"),
        "board_game": gettext("What game did your family play most often?"),
        "winter_story": gettext("What did you lose in the snow as a child?"),
    }


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
