"""Who exists and who may do what: persons, accounts, participants, role groups, life cycle.

Only this package changes the state of an account or grants a role group; each change ends what it
must end, and tells whom it must tell. It never checks a password or a second factor.
"""

__all__ = [
    "access_report",
    "account_search",
    "accounts",
    "activation",
    "contacts",
    "dry_run",
    "lifecycle",
    "mass_change_breaker",
    "participants",
    "participations",
    "persons",
    "preferences",
    "provisioned_accounts",
    "provisioned_groups",
    "provisioned_participants",
    "provisioning_scope",
    "result_pages",
    "role_groups",
    "search_conditions",
    "second_accounts",
    "separation_of_duties",
    "suspension",
    "userids",
]
