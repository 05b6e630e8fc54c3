"""Rate limits: ``rules`` is the table, ``budgets`` says whom a request counts for, ``counter``
counts. docs/decisions/0029 says why there are three budgets."""
