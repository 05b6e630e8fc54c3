"""What the hosted pages of all applications have in common: layout, style sheet, components,
response headers, languages and brand (docs/decisions/0043).

An application calls ``frame.install`` and extends ``hosted/base.html`` in its own ``base.html``.
This package imports none of the applications.
"""
