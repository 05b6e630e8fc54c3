"""The security questions in words (MF-05)."""

from __future__ import annotations

from flask_babel import gettext

from idp.mfa.question_pool import Fault


def words(name: str) -> str:
    """One question of the pool."""
    return _pool()[name]


def words_or_nothing(name: str) -> str:
    """The same for a name that somebody sent; empty when there is none."""
    return _pool().get(name, "")


def _pool() -> dict[str, str]:
    return {
        "first_street": gettext("On which street did you live when you were six?"),
        "first_teacher": gettext("What was the family name of your first teacher?"),
        "first_pet": gettext("What was the name of the first animal in your home?"),
        "first_car": gettext("What was the first car you drove regularly?"),
        "first_concert": gettext("Whom did you hear at the first concert you paid for?"),
        "first_film": gettext("Which film did you see first in a cinema?"),
        "first_job_town": gettext("In which town was your first paid job?"),
        "first_boss": gettext("What was the first name of your first boss?"),
        "first_flight": gettext("Where did your first flight take you?"),
        "first_album": gettext("Which was the first album you bought?"),
        "first_bicycle": gettext("Which make was your first bicycle?"),
        "first_computer": gettext("Which was the first computer you used?"),
        "first_recipe": gettext("Which dish did you learn to cook first?"),
        "first_team": gettext("What was the name of the first team you played in?"),
        "first_camp": gettext("What was the name of your first summer camp?"),
        "first_roommate": gettext("What was the first name of your first roommate?"),
        "school_desk_mate": gettext("Who sat beside you in your last year of school?"),
        "school_hall": gettext("In which residence or street did you live as a student?"),
        "school_bus_driver": gettext("What was the name of your school bus driver?"),
        "school_subject_hated": gettext("Which school subject did you like least?"),
        "childhood_friend": gettext("What was the nickname of your best friend in childhood?"),
        "childhood_hero": gettext("Who was your hero when you were ten?"),
        "childhood_book": gettext("Which book was read to you most often?"),
        "childhood_toy": gettext("What did you call your favourite toy?"),
        "childhood_dish": gettext("Which dish did you refuse to eat as a child?"),
        "childhood_hiding_place": gettext("Where was your best hiding place as a child?"),
        "childhood_nickname": gettext("What did your family call you as a child?"),
        "childhood_dream_job": gettext("What did you want to become when you were ten?"),
        "neighbour": gettext("What was the name of the neighbours where you grew up?"),
        "grandparent_village": gettext("In which place did your oldest grandparent grow up?"),
        "grandparent_trade": gettext("What was the trade of one of your grandparents?"),
        "aunt_or_uncle": gettext("Which aunt or uncle did you visit most often?"),
        "cousin": gettext("What is the first name of your oldest cousin?"),
        "family_lake": gettext("At which lake or river did your family spend summers?"),
        "family_song": gettext("Which song was always sung at your family's parties?"),
        "wedding_guest": gettext("At whose wedding did you dance for the first time?"),
        "holiday_missed": gettext("Where did you want to travel as a child and never went?"),
        "holiday_cottage": gettext("What was the name of the cottage you remember best?"),
        "ship_or_ferry": gettext("Which ship or ferry did you first sail on?"),
        "museum": gettext("Which museum did you visit on your first school trip?"),
        "statue": gettext("Which monument stood nearest to your school?"),
        "tree": gettext("Which kind of tree stood before your first home?"),
        "teacher_of_music": gettext("Who taught you your first instrument?"),
        "sports_coach": gettext("What was the family name of your favourite coach?"),
        "board_game": gettext("Which game did your family play most often?"),
        "winter_story": gettext("What did you lose in the snow as a child?"),
    }


def fault(name: Fault) -> str:
    """What is wrong with an answer."""
    texts: dict[str, str] = {
        Fault.TOO_SHORT: gettext("The answer needs at least 4 characters."),
        Fault.TOO_LONG: gettext("The answer has at most 100 characters."),
        Fault.NOT_ASCII: gettext(
            "Use the letters, digits and signs of an English keyboard; accents may be there."
        ),
        Fault.IN_QUESTION: gettext("Choose a question of the list, and an answer not part of it."),
        Fault.USER_NAME: gettext("The answer must not be like your user name."),
        Fault.PASSWORD: gettext("The answer must not be your password."),
    }
    return texts[name]
