"""The registration bridge: the registration system pushes accounts by SCIM 2.0 (RFC 7643, 7644).

It calls the services of ``idp.directory`` and ``idp.machines``, and never queries the database.
"""
