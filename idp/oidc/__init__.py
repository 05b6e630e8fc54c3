"""The OpenID provider: endpoints, client authentication, the token pipeline, claims and signing.

Calls the services of the other packages, and never queries the database itself. The rules in
``interaction`` and ``claims`` are pure functions: they use no framework, no database and no clock.
"""
