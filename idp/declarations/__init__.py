"""Declarations: YAML files that list clients, role groups and participants (docs/decisions/0039).

``declared_file`` reads a file. ``declared_changes`` applies it, through the services that pages and
commands use. ``declared_state`` exports the current state in the same format. Nothing is ever
deleted: what a file does not list stays unchanged.
"""

__all__ = [
    "builtin_sets",
    "declared_changes",
    "declared_file",
    "declared_run",
    "declared_state",
]
