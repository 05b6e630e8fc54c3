"""What every service of this repository is built on: refusals, settings, the database, migrations,
logs, mail transfer and the threads of a worker.

The gateway (``idp``) and Online IESO Registration (``registration``) import it. It imports neither.
"""
