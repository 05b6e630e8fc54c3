"""Online IESO Registration: the people of each participant decide who may do what.

It is the master of who may; the gateway is the master of who somebody is. It signs people in at the
gateway (OpenID Connect) and pushes every effect to it (SCIM 2.0). See docs/decisions/0041 to 0043.

Calculations, without a database:

- ``delegation``, ``delegation_facts`` and ``delegation_rules``: who may do what.
  ``delegation_texts``: why not, and who can.
- ``contact_rules``: minimum, maximum and exclusive pairs of contact roles.
- ``access_changes``: what a batch of grants and revocations would do. ``role_grid``: the grid of
  people and roles of an organization, and what its form asks for.
- ``gateway_drift``: how an account differs between registration and the gateway.
- ``network_entries``: the networks of a machine as people type them. ``import_files``: people and
  roles in a file, as spreadsheets write it.
- ``catalogue``: markets, contact roles and access roles, from ``data``. ``demo_data``: the invented
  people of the demonstration, from there too.

What the tables say, as of any moment:

- ``organization_facts``: what delegation reads. ``grid_query``, ``organization_lists``,
  ``contact_directory``, ``kept_machines``, ``own_lists``, ``history_list`` and ``person_search``:
  what pages show. ``machine_checks``: what the gateway has of a machine. ``identity_changes``:
  whose name or address changed since the last grant.

Services. Each asks delegation (``permission``), and writes a change, its history, mails and pushes
in one transaction:

- ``organizations``, ``access_batches`` (grants and revocations), ``appointments``,
  ``contact_assignments``, ``persons`` with ``person_fields``, ``accounts``, ``machine_registry``,
  ``market_participations``, ``participation_decisions``, ``participation_end``, ``sections``,
  ``leavers`` (everything of a person ends; ``leaver_holdings`` is what that is), ``role_copies``
  (the roles of a colleague as a draft), ``people_imports`` (people and roles from a file) and
  ``access_requests`` (people ask for roles; ``waiting_requests`` are those without an answer).
- ``access_request_refusals``, ``appointment_refusals``, ``contact_refusals``, ``import_refusals``,
  ``leaver_refusals``, ``machine_registry_refusals``, ``organization_refusals``,
  ``participation_refusals``,
  ``person_refusals``, ``section_refusals`` and ``work_refusals``: why they refuse. ``dry_runs``:
  what the gateway says before an order.
- ``history``, ``requests``, ``tasks``, ``account_pushes`` with ``pushed_grants``, and
  ``organization_pushes``: what they write beside the change. ``custody_alarms``: tasks about
  custodians who have nothing else left.
  ``vacancies``: about offices that nobody holds. ``notices``, ``access_notices``,
  ``machine_notices`` and ``participation_notices`` choose the mails, ``notice_texts`` has their
  texts.

What the worker does (``worker``):

- ``push_delivery`` brings the gateway to what was decided, ``notice_delivery`` sends mails,
  ``history`` seals entries, ``expired_holdings`` closes what has expired. ``gateway_comparison``
  compares all accounts with the gateway every night. ``gateway_restore`` pushes everything again.

The program:

- ``models`` and ``migrations``: the tables, in a database of its own. ``schema``: their version.
  ``catalogue_tables`` and ``demo_tables`` fill them.
- ``settings``, ``keys`` and ``ports``: configuration, cryptographic keys, the outside world.
  ``transaction``: units of work.
- ``app`` makes the web application, ``serving`` serves it, ``measured_state`` is what monitoring
  reads, ``cli`` is the command ``registration``.
- ``browser_sessions``: sessions of people who signed in. ``gateway_keys`` and ``access_tokens``:
  the tokens of programs. ``current``: the present request.
- ``api``: the interface for programs, with ``problems`` as its errors. ``pages``, ``templates`` and
  ``translations``: what people see.
"""
