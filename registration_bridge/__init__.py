"""The registration bridge: the registration system pushes accounts by SCIM 2.0 (RFC 7643, 7644).

It calls the services of ``idp.directory`` and ``idp.machines``, and never queries the database.
"""

import inspect
import os

# The library of SCIM asks for the source of each of its models, from the whole stack of imports.
# ``inspect`` knows no file of Python's own importer, and searches all modules again for each of its
# frames: half a second. Here it learns them.
_files: dict[str, str] = getattr(inspect, "modulesbyfile", {})
for _name in ("_bootstrap", "_bootstrap_external"):
    _files.setdefault(os.path.abspath(f"<frozen importlib.{_name}>"), f"importlib.{_name}")
