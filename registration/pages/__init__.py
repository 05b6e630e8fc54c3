"""Pages for people who are signed in. They ask delegation what to show, and services to act.

Every view runs behind ``gate``: nobody without a session, and refusals of delegation are answered
in one place.
"""

from __future__ import annotations

from flask import Blueprint

from registration.pages import (
    access_request_pages,
    account_roles_pages,
    appointment_end_pages,
    appointment_pages,
    contact_review_pages,
    contact_role_pages,
    copy_pages,
    desk_pages,
    export_pages,
    history_page,
    home_page,
    import_pages,
    leaver_pages,
    machine_change_pages,
    machine_check_page,
    machine_pages,
    my_information_pages,
    organization_pages,
    participation_decision_pages,
    participation_pages,
    person_correction_pages,
    person_pages,
    request_page,
    role_grid_pages,
    section_pages,
)
from registration.pages.gate import gate
from registration.pages.language_form import language
from registration.pages.navigation import navigation

HERE = "/organizations/<organization_id>"
OFFICES = f"{HERE}/representatives"
APPOINT = f"{OFFICES}/appoint/<person_id>"
END = f"{OFFICES}/<int:appointment_id>/end"
PERSON = f"{HERE}/persons/<person_id>"
IMPORT = f"{HERE}/import"
DESK = f"{HERE}/sections/<int:section_id>"
SECTION = f"{DESK}/contact-roles"
CORRECTION = f"{PERSON}/information"
ASKED = f"{HERE}/access-requests/<number>"
NEW_MACHINE = f"{HERE}/new-machine/<person_id>"
MACHINE = f"{HERE}/machines/<int:machine_id>"
PARTICIPATIONS = f"{HERE}/participations"
APPLY = f"{PARTICIPATIONS}/apply/<market>"
PARTICIPATION = f"{PARTICIPATIONS}/<int:participation_id>"
NETWORKS = f"{MACHINE}/networks"
SUCCESSOR = f"{MACHINE}/custodian/<person_id>"
PAGES = (
    ("/", "home", home_page.home, "GET"),
    ("/my-information", "my_information", my_information_pages.show, "GET"),
    ("/my-information/review", "review_information", my_information_pages.review, "POST"),
    ("/my-information/confirm", "store_information", my_information_pages.store, "POST"),
    ("/requests/<number>", "request", request_page.show, "GET"),
    ("/organizations", "organizations", desk_pages.every, "GET"),
    ("/new-organization", "new_organization", desk_pages.form, "GET"),
    ("/new-organization/confirm", "register_organization", desk_pages.register, "POST"),
    (f"{HERE}/update", "update_organization", organization_pages.update, "GET"),
    (f"{HERE}/name", "organization_name", desk_pages.name_form, "GET"),
    (f"{HERE}/name/confirm", "store_name", desk_pages.store_name, "POST"),
    (f"{HERE}/roles", "roles", role_grid_pages.show, "GET"),
    (f"{HERE}/roles/export", "export_roles", role_grid_pages.export, "GET"),
    (f"{HERE}/roles/review", "review", role_grid_pages.review, "GET POST"),
    (f"{HERE}/roles/confirm", "confirm", role_grid_pages.confirm, "POST"),
    (f"{HERE}/request-access", "request_access", access_request_pages.form, "GET"),
    (f"{HERE}/request-access/confirm", "ask_access", access_request_pages.ask, "POST"),
    (f"{ASKED}/approve", "approve_access", access_request_pages.approve, "POST"),
    (f"{ASKED}/refuse", "refuse_access", access_request_pages.refuse, "POST"),
    (f"{HERE}/grant", "find", account_roles_pages.find, "GET"),
    (f"{HERE}/persons", "find_person", person_pages.find, "GET"),
    (f"{HERE}/new-person", "new_person", person_pages.form, "GET POST"),
    (f"{HERE}/new-person/review", "review_person", person_pages.review, "POST"),
    (f"{HERE}/new-person/confirm", "register_person", person_pages.register, "POST"),
    (IMPORT, "import_people", import_pages.form, "GET"),
    (f"{IMPORT}/template", "import_template", import_pages.template, "GET"),
    (f"{IMPORT}/review", "review_import", import_pages.review, "POST"),
    (f"{IMPORT}/confirm", "confirm_import", import_pages.confirm, "POST"),
    (PERSON, "person", person_pages.show, "GET"),
    (CORRECTION, "correct_person", person_correction_pages.form, "GET"),
    (f"{CORRECTION}/review", "review_correction", person_correction_pages.review, "POST"),
    (f"{CORRECTION}/confirm", "confirm_correction", person_correction_pages.confirm, "POST"),
    (f"{PERSON}/leaver", "leaver", leaver_pages.show, "GET"),
    (f"{PERSON}/leaver/confirm", "confirm_leaver", leaver_pages.confirm, "POST"),
    (f"{PERSON}/copy", "copy_roles", copy_pages.show, "GET"),
    (f"{PERSON}/roles", "account_roles", account_roles_pages.show, "GET"),
    (f"{HERE}/representatives", "representatives", organization_pages.representatives, "GET"),
    (f"{HERE}/representatives/appoint", "find_representative", appointment_pages.find, "GET"),
    (APPOINT, "appoint", appointment_pages.form, "GET"),
    (f"{APPOINT}/review", "review_appointment", appointment_pages.review, "GET"),
    (f"{APPOINT}/confirm", "confirm_appointment", appointment_pages.confirm, "POST"),
    (END, "end_appointment", appointment_end_pages.form, "GET"),
    (f"{END}/confirm", "confirm_end", appointment_end_pages.confirm, "POST"),
    (f"{HERE}/contact-roles", "contact_roles", organization_pages.contact_roles, "GET"),
    (f"{HERE}/contact-roles/find", "find_contact", contact_role_pages.find, "GET"),
    (f"{HERE}/contact-roles/review", "review_contacts", contact_review_pages.review, "GET POST"),
    (f"{HERE}/contact-roles/confirm", "confirm_contacts", contact_review_pages.confirm, "POST"),
    (f"{HERE}/contact-roles/of/<role>", "contact_role", contact_role_pages.of_role, "GET"),
    (f"{PERSON}/contact-roles", "contact_person", contact_role_pages.of_person, "GET"),
    (SECTION, "contact_section", contact_role_pages.of_section, "GET"),
    (f"{HERE}/sections", "sections", section_pages.every, "GET"),
    (f"{HERE}/new-section", "new_section", section_pages.form, "GET"),
    (f"{HERE}/new-section/confirm", "register_section", section_pages.register, "POST"),
    (f"{DESK}/information", "correct_section", section_pages.correction, "GET"),
    (f"{DESK}/information/confirm", "store_section", section_pages.store, "POST"),
    (f"{DESK}/end", "end_section", section_pages.end, "GET"),
    (f"{DESK}/end/confirm", "confirm_section_end", section_pages.confirm_end, "POST"),
    (f"{HERE}/machines", "machines", organization_pages.machines, "GET"),
    (f"{HERE}/new-machine", "find_custodian", machine_pages.find, "GET"),
    (NEW_MACHINE, "new_machine", machine_pages.form, "GET"),
    (f"{NEW_MACHINE}/review", "review_machine", machine_pages.review, "POST"),
    (f"{NEW_MACHINE}/confirm", "register_machine", machine_pages.register, "POST"),
    (MACHINE, "machine", machine_pages.show, "GET"),
    (f"{MACHINE}/gateway", "check_machine", machine_check_page.show, "GET"),
    (NETWORKS, "networks", machine_change_pages.networks, "GET"),
    (f"{NETWORKS}/review", "review_networks", machine_change_pages.review_networks, "POST"),
    (f"{NETWORKS}/confirm", "confirm_networks", machine_change_pages.store_networks, "POST"),
    (f"{MACHINE}/custodian", "find_successor", machine_change_pages.find_successor, "GET"),
    (SUCCESSOR, "hand_over", machine_change_pages.hand_over, "GET"),
    (f"{SUCCESSOR}/confirm", "confirm_hand_over", machine_change_pages.confirm_hand_over, "POST"),
    (f"{MACHINE}/stop", "stop_machine", machine_change_pages.stop, "GET"),
    (f"{MACHINE}/stop/confirm", "confirm_stop", machine_change_pages.confirm_stop, "POST"),
    (PARTICIPATIONS, "participations", participation_pages.every, "GET"),
    (f"{PARTICIPATIONS}/apply", "find_participation", participation_pages.choose, "GET"),
    (APPLY, "apply", participation_pages.review, "GET"),
    (f"{APPLY}/confirm", "confirm_application", participation_pages.confirm, "POST"),
    (PARTICIPATION, "participation", participation_decision_pages.show, "GET"),
    (f"{PARTICIPATION}/task", "confirm_step", participation_decision_pages.step, "POST"),
    (f"{PARTICIPATION}/decision", "decide", participation_decision_pages.decide, "POST"),
    (f"{PARTICIPATION}/end", "end_participation", participation_decision_pages.end, "GET"),
    (
        f"{PARTICIPATION}/end/confirm",
        "confirm_participation_end",
        participation_decision_pages.confirm_end,
        "POST",
    ),
    (f"{OFFICES}/export", "export_representatives", export_pages.representatives, "GET"),
    (f"{HERE}/contact-roles/export", "export_contact_roles", export_pages.contact_roles, "GET"),
    (f"{HERE}/sections/export", "export_sections", export_pages.sections, "GET"),
    (f"{HERE}/machines/export", "export_machines", export_pages.machines, "GET"),
    (f"{HERE}/participations/export", "export_participations", export_pages.participations, "GET"),
    (f"{HERE}/history", "history", history_page.show, "GET"),
    (f"{HERE}/history/export", "export_history", history_page.export, "GET"),
)


def blueprint() -> Blueprint:
    """All pages, and the form of the languages, which needs no session."""
    pages = Blueprint("pages", __name__)
    for path, name, view, methods in PAGES:
        pages.add_url_rule(path, name, gate(view), methods=methods.split())
    pages.add_url_rule("/language", "language", language, methods=["POST"])
    pages.app_context_processor(lambda: {"navigation": navigation})
    return pages
