"""Declarations: files that say which clients, role groups and participants there are.

``declared_file`` reads one. ``declared_changes`` makes the gateway match it, through the services
that pages and commands use. ``declared_state`` writes the present state in the same form. What a
file does not name stays as it is.
"""

__all__ = [
    "builtin_sets",
    "declared_changes",
    "declared_file",
    "declared_run",
    "declared_state",
]
