"""Rate limits: ``rules`` is the table, ``budgets`` selects the key that a request counts under, and
``counter`` counts. docs/decisions/0029 explains the three budgets."""
