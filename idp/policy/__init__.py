"""Policies as pure functions: data in, decision out; no clock and no database."""
