"""A laboratory for the risk engine: invented sign-in logs, comparison with other engines, a plot.

No request path imports it, and it knows no database.
"""

__all__ = [
    "evaluation",
    "plot",
    "simulation",
]
