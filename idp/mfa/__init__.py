"""Algorithms for second factors and risk, without database access."""
