"""Decisions as values: data in, an answer out, no clock and no database."""
