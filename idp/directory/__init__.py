"""The directory: persons, accounts, participants, role groups, and their life cycle.

Only this package changes the state of an account or grants a role group. Each change ends the
sessions and grants that depend on it and sends the required notices. The package never checks a
password or a second factor.
"""

__all__ = [
    "access_report",
    "account_creation",
    "account_lists",
    "account_load",
    "account_search",
    "accounts",
    "activation",
    "conditions_of_use",
    "contacts",
    "directory_refusals",
    "dry_run",
    "held_role_groups",
    "lifecycle",
    "mass_change_breaker",
    "number_of_accounts",
    "participant_lists",
    "participants",
    "participations",
    "persons",
    "preferences",
    "provisioned_accounts",
    "provisioned_groups",
    "provisioned_participants",
    "provisioning_scope",
    "result_pages",
    "role_group_assignments",
    "role_groups",
    "search_conditions",
    "second_accounts",
    "separation_of_duties",
    "shown_accounts",
    "state_reasons",
    "suspension",
    "userids",
]
