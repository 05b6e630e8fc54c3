"""Machine accounts: the accounts with which programs use applications.

May touch a machine account's registered networks, keys, custodian and former password. A program is
authenticated in one place, ``machine_authentication``. A machine account gets no browser
session, and a person never authenticates here.
"""

__all__ = [
    "machine_accounts",
    "machine_authentication",
    "machine_diagnosis",
    "machine_keys",
    "machine_logins",
    "machine_refusals",
    "registered_networks",
]
