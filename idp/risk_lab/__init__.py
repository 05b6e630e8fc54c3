"""Evaluation of the risk engine: simulated sign-in logs, comparison with other engines, a plot.

No request path imports this package, and it has no access to the database of the
gateway.
"""

__all__ = [
    "compared_models",
    "evaluation",
    "lab_refusals",
    "plot",
    "replay",
    "score_store",
    "sign_in_log",
    "simulation",
]
