"""The OpenID provider: endpoints, client authentication, the token pipeline, claims and signing.

Calls the services of the other packages, and never queries the database itself. The rules in
``interaction`` and ``claims`` are calculations: they know no framework, no database and no clock.
"""
