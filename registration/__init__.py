"""Online IESO Registration: the people of each participant decide who may do what.

It is the master of who may; the gateway is the master of who somebody is. It signs people in at the
gateway (OpenID Connect) and pushes every effect to it (SCIM 2.0).

- ``delegation`` and what it reads: who may do what, as a calculation.
- ``delegation_texts``: why it says no, and who can.
- ``contact_rules``: minimum, maximum and exclusive pairs of contact roles.
- ``access_changes``: what a batch of grants and revocations would do.
- ``role_grid``: the grid of people and roles of an organization, and what its form asks for.
- ``organization_facts``, ``grid_query``, ``organization_lists``, ``history_list`` and
  ``person_search``: what the tables say, as of any moment.
- ``access_batches``: grants and revocations are tried and ordered. ``account_pushes``,
  ``requests`` and ``history``: what an order leaves behind.
- ``expired_holdings``: closes what has expired. ``accounts``: which account carries a role.
- ``catalogue``: markets, contact roles and access roles, from ``data/catalogue.yaml``.
- ``demo_data``: the invented people of the demonstration.
- ``models`` and ``migrations``: its tables, in a database of its own.
- ``transaction``: units of work. A change, its history, its mails and its pushes are one of them.
- ``history``, ``requests``, ``tasks``, ``account_pushes``: what services write beside their change.
- ``push_delivery``: how the worker brings the gateway to what was decided.
- ``permission``: where services ask delegation. ``appointments``, ``contact_assignments`` and
  ``persons`` write a change, its history, mails and pushes in one transaction; ``notices`` and
  ``access_notices`` are the mails.
- ``notice_delivery``: how the worker sends mails.
- ``catalogue_tables``: brings the tables to the catalogue. ``cli``: the command ``registration``.
"""
