"""Evaluation of the risk engine: simulated sign-in logs, comparison with other engines, a plot.

No request path imports this package, and it has no database access.
"""

__all__ = [
    "compared_models",
    "evaluation",
    "plot",
    "sign_in_log",
    "simulation",
]
