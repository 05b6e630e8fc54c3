"""The gateway: one account and one password for the systems of a market operator."""

__version__ = "0.1.0"
