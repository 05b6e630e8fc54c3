"""The shipped word list. Reading it is kept here, so that the policy itself does no I/O."""

from functools import cache
from importlib import resources

from idp.policy.common_passwords import CommonPasswords, load

FILE_NAME = "common-passwords.txt.gz"


@cache
def shipped() -> CommonPasswords:
    """The list in this package (see README.md), read once per process."""
    return load(resources.files(__name__).joinpath(FILE_NAME).read_bytes())
